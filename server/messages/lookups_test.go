// SPDX-License-Identifier: Apache-2.0

package messages_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// TestManyNamesAreLookedUpAtOnce: how many rooms and aliases an event names is up
// to whoever sends it, and one query asks about all.
func TestManyNamesAreLookedUpAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		const many = 60
		room := h.Create("alice", slicetest.O{"preset": "public_chat"})
		var allow, aliases slicetest.L
		require.NoError(t, h.DB.Write(t.Context(), func(w *storage.Writer) error {
			return addAliases(t.Context(), w, room, many)
		}))
		for i := range many {
			allow = append(allow, slicetest.O{"type": "m.room_membership", "room_id": h.Create("carol", slicetest.O{"room_alias_name": fmt.Sprint("lobby", i)})})
			aliases = append(aliases, fmt.Sprintf("#a%d:hs1", i))
		}
		cost := func(op func()) int64 {
			before := h.DB.Stats()
			op()
			return h.DB.Stats().Since(before).Queries
		}
		named := cost(func() {
			h.Set("alice", room, "m.room.canonical_alias", "", slicetest.O{"alias": "#a0:hs1", "alt_aliases": aliases})
		})
		require.Less(t, named, int64(many), "aliases")

		h.Set("alice", room, "m.room.join_rules", "", slicetest.O{"join_rule": "restricted", "allow": allow})
		refused := cost(func() { require.Equal(t, 403, h.Do("POST", roomtest.At(room, "join"), "bob", slicetest.O{}).Status) })
		require.Less(t, refused, int64(many), "rooms whose members may join")
	})
}

// TestAPageOfChangesIsReadAtOnce: who may see events is looked up by the state
// before each, and many states say the same of it.
func TestAPageOfChangesIsReadAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		const many = 60
		room := h.Create("alice", slicetest.O{"preset": "public_chat"})
		for i := range many {
			h.Set("alice", room, "m.room.topic", "", slicetest.O{"topic": fmt.Sprint(i)})
		}
		h.Act("bob", room, "join", slicetest.O{})
		before := h.DB.Stats()
		page := h.OK("GET", roomtest.At(room, "messages")+fmt.Sprintf("?dir=b&limit=%d", many), "bob", nil)
		require.Less(t, h.DB.Stats().Since(before).Queries, int64(many/2))
		require.Len(t, roomtest.List(t, page.At("chunk")), many)
	})
}

func addAliases(ctx context.Context, w *storage.Writer, roomID string, n int) error {
	room, err := w.Room(ctx, id.RoomID(roomID))
	for i := range n {
		if err == nil {
			err = w.InsertAlias(ctx, storage.Alias{Alias: id.RoomAlias(fmt.Sprintf("#a%d:hs1", i)), RoomNID: room.NID, Creator: "@alice:hs1"})
		}
	}
	return err
}
