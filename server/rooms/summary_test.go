// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/slicetest"
)

// TestARoomThatLosesItsNameHasHeroes: whoever follows a room learns who stands
// for it when its name goes away.
//
// Spec: client-server sync, "m.heroes": "Required if the room's m.room.name or
// m.room.canonical_alias state events are unset or empty".
func TestARoomThatLosesItsNameHasHeroes(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"preset": "public_chat", "name": "named"})
		h.Act("bob", room, "join", slicetest.O{})
		first := h.OK("GET", "/_matrix/client/v3/sync", "alice", nil)
		require.Empty(t, first.At("rooms", "join", room, "summary", "m.heroes"))
		h.Set("alice", room, "m.room.name", "", slicetest.O{})
		then := h.OK("GET", "/_matrix/client/v3/sync?timeout=0"+slicetest.Query("since", first.At("next_batch")), "alice", nil)
		require.Equal(t, `["@bob:hs1"]`, then.At("rooms", "join", room, "summary", "m.heroes"))
		h.Set("alice", room, "m.room.name", "", slicetest.O{"name": "again"})
		last := h.OK("GET", "/_matrix/client/v3/sync?timeout=0"+slicetest.Query("since", then.At("next_batch")), "alice", nil)
		require.Empty(t, last.At("rooms", "join", room, "summary", "m.heroes"))
	})
}
