// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestInvitePermission: who blocks invitations gets none, and until then none is lost.
//
// Spec: client-server "Invite permission".
func TestInvitePermission(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		before := alice.CreateRoom(t, nil)
		alice.Invite(t, before, bob)
		config := harness.Path("v3/user/{}/account_data/m.invite_permission_config", bob.ID)
		bob.Put(t, config, harness.O{"default_action": "block"})

		room := alice.CreateRoom(t, harness.O{"invite": []string{bob.ID}})
		member := harness.Path("v3/rooms/{}/state/m.room.member/{}", room, bob.ID)
		alice.Fails(t, 404, "M_NOT_FOUND", "GET", member, nil)
		alice.Fails(t, 403, "M_INVITE_BLOCKED", "POST", harness.Path("v3/rooms/{}/invite", room), harness.O{"user_id": bob.ID})
		alice.Fails(t, 403, "M_INVITE_BLOCKED", "PUT", member, harness.O{"membership": "invite"})
		require.Equal(t, "invite", alice.State(t, before, "m.room.member", bob.ID).At("membership").String())
		require.False(t, bob.Sync(t).At("rooms", "invite", before).Exists())

		bob.Put(t, config, harness.O{})
		alice.Invite(t, room, bob)
		invites := bob.Sync(t).At("rooms", "invite")
		require.True(t, invites.At(before).Exists())
		require.True(t, invites.At(room).Exists())
	})
}
