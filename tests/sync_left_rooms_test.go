// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var departedCases = []syncCase{
	{"who turns an invitation down learns nothing of the state of the room", turnedDown},
	{"the state of a room left ends at the leave, whatever comes later", bannedAfterLeaving},
	{"state that changed out of sight is told when the room is left again", leftTwice},
	{"strangers who are banned from a room open to the world may know it", bannedFromTheWorld},
}

// withLeft is a filter under which rooms that were left are in every sync.
func withLeft(state harness.O) string {
	return harness.Filter(harness.O{"room": harness.O{"include_leave": true, "state": state, "timeline": harness.O{"limit": 1}}})
}

func turnedDown(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, harness.O{"preset": "private_chat"})
	alice.Invite(t, room, bob)
	since := bob.Since(t)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "secret"})
	bob.Leave(t, room)
	lazy := withLeft(harness.O{"lazy_load_members": true})
	for _, query := range [][]any{
		{"since", since}, {"since", since, "full_state", true}, {"since", since, "use_state_after", true},
		{"filter", withLeft(harness.O{})}, {"filter", lazy}, {"since", since, "filter", lazy},
	} {
		part := left(bob.Sync(t, query...), room)
		require.Equal(t, "leave", part.At("timeline", "events", -1, "content", "membership").String(), query)
		require.Empty(t, part.At("state", "events").List(), query)
		require.Empty(t, part.At("state_after", "events").List(), query)
	}
}

func bannedAfterLeaving(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "with bob"})
	bob.Leave(t, room)
	since := bob.Since(t)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "without bob"})
	alice.Put(t, harness.Path("v3/profile/{}/displayname", alice.ID), harness.O{"displayname": "Alice without Bob"})
	alice.Ban(t, room, bob)
	for _, query := range [][]any{{"since", since}, {"since", since, "filter", withLeft(harness.O{"lazy_load_members": true})}} {
		part := left(bob.Sync(t, query...), room)
		require.Equal(t, "ban", part.At("timeline", "events", -1, "content", "membership").String(), query)
		require.NotContains(t, part.Raw(), "without", query)
	}
	for _, f := range []string{withLeft(harness.O{}), withLeft(harness.O{"lazy_load_members": true})} {
		state := left(bob.Sync(t, "filter", f), room).At("state", "events")
		require.Equal(t, "with bob", harness.StateOf(state, "m.room.topic", "").At("content", "topic").String())
		require.NotContains(t, state.Raw(), "without")
	}
}

func bannedFromTheWorld(t *testing.T, s *harness.Server) {
	alice, eve := s.User(t, "alice"), s.User(t, "eve")
	room := alice.CreateRoom(t, harness.O{"topic": "open", "initial_state": []harness.O{
		{"type": "m.room.history_visibility", "content": harness.O{"history_visibility": "world_readable"}},
	}})
	alice.Ban(t, room, eve)
	state := left(eve.Sync(t, "filter", withLeft(harness.O{})), room).At("state", "events")
	require.Equal(t, "open", harness.StateOf(state, "m.room.topic", "").At("content", "topic").String())
}

// leftTwice: while bob was out of the room its topic changed, in an event that he
// may not see. A timeline that goes back to his first time in the room must not
// leave his client with the topic of then.
func leftTwice(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "initial_state": []harness.O{
		{"type": "m.room.history_visibility", "content": harness.O{"history_visibility": "joined"}},
	}})
	since := bob.Since(t)
	bob.Join(t, room)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "first"})
	bob.Leave(t, room)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "second"})
	bob.Join(t, room)
	bob.Leave(t, room)
	for _, after := range []bool{false, true} {
		part := left(bob.Sync(t, "since", since, "use_state_after", after, "filter", roomFilter("timeline", harness.O{"limit": 50})), room)
		topic := ""
		events := append(part.At("state", "events").List(), part.At("timeline", "events").List()...)
		if after {
			events = part.At("state_after", "events").List()
		}
		for _, ev := range events {
			if ev.At("type").String() == "m.room.topic" {
				topic = ev.At("content", "topic").String()
			}
		}
		require.Equal(t, "second", topic, "use_state_after %t: %s", after, part)
	}
}
