// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestRestart: every token and ID that a client has means the same after the server
// was stopped and started.
func TestRestart(t *testing.T) {
	eachDurable(t, func(t *testing.T, s *harness.Server) {
		u := s.Users(t, "alice", "bob", "carol")
		alice, bob, carol := u[0], u[1], u[2]
		room := alice.PublicRoom(t, bob)
		sent := sendMany(t, alice, room, 10)
		txn := harness.Path("v3/rooms/{}/send/m.room.message/{}", room, harness.Txn())
		once := alice.Put(t, txn, harness.Text("once")).At("event_id").String()
		filter := bob.Post(t, harness.Path("v3/user/{}/filter", bob.ID), harness.O{"room": harness.O{"timeline": harness.O{"limit": 8}}}).At("filter_id").String()
		before := bob.Sync(t, "filter", filter)
		since := before.At("next_batch").String()
		prev := joined(before, room).At("timeline", "prev_batch").String()
		alice.Send(t, room, "before the restart")
		alice.Invite(t, room, carol)
		carolSince := carol.Since(t)
		profile := harness.Path("v3/profile/{}/displayname", alice.ID)
		alice.Put(t, profile, harness.O{"displayname": "Alice"})

		s.Stop(t)
		s.Restart(t)

		require.Equal(t, once, alice.Put(t, txn, harness.Text("once")).At("event_id").String(), "the transaction is remembered")
		alice.Send(t, room, "after the restart")
		v := bob.Sync(t, "since", since, "filter", filter)
		require.Equal(t, []string{"before the restart", "after the restart"}, texts(harness.Timeline(v, room)))
		page := bob.Messages(t, room, "dir", "b", "from", prev, "limit", 5)
		require.Contains(t, sent, page.At("chunk", 0, "event_id").String())
		require.Equal(t, "Alice", alice.Get(t, profile).At("displayname").String())

		require.True(t, invited(carol.Sync(t), room).Exists())
		carol.Join(t, room)
		require.True(t, joined(carol.Sync(t, "since", carolSince), room).Exists())
		again := bob.Login(t, bob.Device)
		require.Equal(t, bob.Device, again.Device)
		bob.Fails(t, 401, "M_UNKNOWN_TOKEN", "GET", harness.Path("v3/account/whoami"), nil)
	})
}
