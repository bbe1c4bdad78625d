// SPDX-License-Identifier: Apache-2.0

package messages_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomver"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// Levels that old versions know from others are not sent by users of ours.
//
// Spec: server-server "Definitions"; room version 1, "Deprecated event content
// schemas".
func TestUsersSendLevelsAsIntegers(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, rules := range roomver.All() {
			users := slicetest.O{}
			if !rules.CreatorsPrivileged {
				users[string(slicetest.User("alice"))] = 100
			}
			room := h.Create("alice", slicetest.O{"room_version": rules.Version})
			for name, change := range map[string]slicetest.O{
				"a string":       {"users": users, "ban": "50"},
				"a type":         {"users": users, "events": slicetest.O{"x": "50"}},
				"a kind":         {"users": users, "notifications": slicetest.O{"room": "50"}},
				"no object":      {"users": users, "events": slicetest.L{}},
				"null":           {"users": users, "ban": nil},
				"a user's level": {"users": slicetest.O{string(slicetest.User("bob")): "50"}},
			} {
				a := h.Do("PUT", roomtest.At(room, "state/m.room.power_levels/"), "alice", change)
				require.Equal(t, 400, a.Status, "version %s, %s: %v", rules.Version, name, a)
				a = h.Do("POST", roomtest.CreatePath, "alice", slicetest.O{"room_version": rules.Version, "power_level_content_override": change})
				require.Equal(t, 400, a.Status, "version %s, %s", rules.Version, name)
			}
			h.Set("alice", room, "m.room.power_levels", "", slicetest.O{"users": users, "ban": 50})
		}
	})
}
