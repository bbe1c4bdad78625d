// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// TestInviteBlocked: whoever blocks invitations cannot be invited, in whatever way;
// who may not invite at all does not learn of it.
//
// Spec: client-server "Invite permission".
func TestInviteBlocked(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.Identity.Bind("email", "bob@example.com", slicetest.User("bob"))
		room := h.Create("alice", slicetest.O{})
		member := roomtest.At(room, "state/m.room.member/{}", slicetest.User("bob"))
		invitation := slicetest.O{"membership": "invite"}
		h.SetAccountData("bob", "m.invite_permission_config", `{"default_action":"block"}`)
		var r roomtest.Rows
		r.Add("by invite", "POST", roomtest.At(room, "invite"), "alice", roomtest.Target("bob"), 403, "M_INVITE_BLOCKED")
		r.Add("by address", "POST", roomtest.At(room, "invite"), "alice", h.Identity.Ask("email", "bob@example.com"), 403, "M_INVITE_BLOCKED")
		r.Add("by state", "PUT", member, "alice", invitation, 403, "M_INVITE_BLOCKED")
		r.Add("by who may not", "POST", roomtest.At(room, "invite"), "carol", roomtest.Target("bob"), 403, "M_FORBIDDEN")
		r.Add("by state, by who may not", "PUT", member, "carol", invitation, 403, "M_FORBIDDEN")
		slicetest.Table(t, h.Handler, r)
		require.Len(t, h.History("alice", room), 6, "nothing was written")

		for _, content := range []string{`{}`, `{"default_action":"org.other"}`, `{"default_action":["block"]}`, ``} {
			h.SetAccountData("bob", "m.invite_permission_config", content)
			h.Act("alice", room, "invite", roomtest.Target("bob"))
			h.Act("alice", room, "kick", roomtest.Target("bob"))
		}

		h.Act("alice", room, "invite", roomtest.Target("bob"))
		h.SetAccountData("bob", "m.invite_permission_config", `{"default_action":"block"}`)
		require.Equal(t, "invite", h.Membership(room, "bob"), "the state of the room stays")
		require.Equal(t, 403, h.Do("PUT", member, "alice", invitation).Status, "once more")
		h.Act("bob", room, "join", slicetest.O{})
		h.Act("bob", room, "invite", roomtest.Target("carol"))
	})
}
