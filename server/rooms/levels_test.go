// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomver"
	"touchstone.example/tests/stage"
)

// Levels that old versions know from others are not sent by users of ours.
//
// Spec: server-server "Definitions"; room version 1, "Deprecated event content
// schemas".
func TestUsersSendLevelsAsIntegers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, rules := range roomver.All() {
			users := stage.O{}
			if !rules.CreatorsPrivileged {
				users[string(stage.User("alice"))] = 100
			}
			room := h.create("alice", stage.O{"room_version": rules.Version})
			for name, change := range map[string]stage.O{
				"a string":       {"users": users, "ban": "50"},
				"a type":         {"users": users, "events": stage.O{"x": "50"}},
				"a kind":         {"users": users, "notifications": stage.O{"room": "50"}},
				"no object":      {"users": users, "events": stage.L{}},
				"null":           {"users": users, "ban": nil},
				"a user's level": {"users": stage.O{string(stage.User("bob")): "50"}},
			} {
				a := h.do("PUT", at(room, "state/m.room.power_levels/"), "alice", change)
				require.Equal(t, 400, a.Status, "version %s, %s: %v", rules.Version, name, a)
				a = h.do("POST", pathCreate, "alice", stage.O{"room_version": rules.Version, "power_level_content_override": change})
				require.Equal(t, 400, a.Status, "version %s, %s", rules.Version, name)
			}
			h.set("alice", room, "m.room.power_levels", "", stage.O{"users": users, "ban": 50})
		}
	})
}
