// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var stateCases = []syncCase{
	{"state_after is the state at the end of the timeline", stateAfter},
	{"state_after of an initial sync is all of the state", stateAfterInitial},
	{"state and timeline add up to the state that the room has", stateAddsUp},
	{"full_state brings all state although nothing happened", fullState},
	{"a state change in the timeline is not in the state", changeIsOnlyInTimeline},
	{"the summary counts members and names heroes", summary},
	{"the summary of an unnamed room says that nobody is there", summaryAlone},
}

func stateAfter(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, harness.O{"name": "before"})
	since := alice.Since(t)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "first"})
	sendMany(t, alice, room, 6)
	alice.SetState(t, room, "m.room.name", "", harness.O{"name": "after"})
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "second"})

	part := joined(alice.Sync(t, "since", since, "use_state_after", true, "filter", limit(3)), room)
	require.False(t, part.At("state").Exists())
	after := part.At("state_after", "events")
	require.Len(t, after.List(), 2, after.Raw())
	require.Equal(t, "after", harness.StateOf(after, "m.room.name", "").At("content", "name").String())
	require.Equal(t, "second", harness.StateOf(after, "m.room.topic", "").At("content", "topic").String())

	part = joined(alice.Sync(t, "since", since, "use_state_after", false, "filter", limit(3)), room)
	require.False(t, part.At("state_after").Exists())
	require.Equal(t, []string{"m.room.topic"}, types(part.At("state", "events")))

	// It is there even if it is empty.
	since = alice.Since(t)
	alice.Send(t, room, "no state")
	part = joined(alice.Sync(t, "since", since, "use_state_after", true), room)
	require.True(t, part.At("state_after").Exists())
	require.Empty(t, part.At("state_after", "events").List())
}

func stateAfterInitial(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, harness.O{"name": "x", "topic": "y"})
	part := joined(alice.Sync(t, "use_state_after", true, "filter", limit(2)), room)
	full := alice.Get(t, harness.Path("v3/rooms/{}/state", room))
	whole := alice.Get(t, harness.Path("v3/sync")+harness.Query("use_state_after", true, "filter", limit(100)))
	want := whole.At("rooms", "join", room, "state_after", "events").Pluck("event_id")
	requireOnce(t, want, part.At("state_after", "events").Pluck("event_id"))
	requireOnce(t, want, full.Pluck("event_id"))
}

// stateAddsUp follows a room through many syncs as a client does, and compares
// what it ends with.
func stateAddsUp(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	known := map[string]string{}
	learn := func(events harness.Value) {
		for _, ev := range events.List() {
			if ev.At("state_key").Exists() {
				known[ev.At("type").String()+" "+ev.At("state_key").String()] = ev.At("event_id").String()
			}
		}
	}
	v := bob.Sync(t, "filter", limit(2))
	for i := range 20 {
		part := joined(v, room)
		learn(part.At("state", "events"))
		learn(part.At("timeline", "events"))
		for j := range i % 5 {
			alice.SetState(t, room, "test", string(rune('a'+(i+j)%4)), harness.O{"i": i})
			alice.Send(t, room, "between")
		}
		if i%7 == 3 {
			alice.SetState(t, room, "m.room.member", alice.ID, harness.O{"membership": "join", "displayname": string(rune('A' + i))})
		}
		v = bob.Sync(t, "since", v.At("next_batch"), "filter", limit(2))
	}
	learn(joined(v, room).At("state", "events"))
	learn(joined(v, room).At("timeline", "events"))
	want := map[string]string{}
	for _, ev := range bob.Get(t, harness.Path("v3/rooms/{}/state", room)).List() {
		want[ev.At("type").String()+" "+ev.At("state_key").String()] = ev.At("event_id").String()
	}
	require.Equal(t, want, known)
}

func fullState(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, harness.O{"name": "full"})
	since := alice.Since(t)
	v := alice.Sync(t, "since", since, "full_state", true, "timeout", 60000)
	part := joined(v, room)
	require.Empty(t, part.At("timeline", "events").List())
	want := alice.Get(t, harness.Path("v3/rooms/{}/state", room)).Pluck("event_id")
	requireOnce(t, want, part.At("state", "events").Pluck("event_id"))
}

func changeIsOnlyInTimeline(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	since := alice.Since(t)
	id := alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "new"})
	part := joined(alice.Sync(t, "since", since), room)
	require.Equal(t, []string{id}, harness.IDs(part.At("timeline", "events").List()))
	require.Empty(t, part.At("state", "events").List())
}

func summary(t *testing.T, s *harness.Server) {
	alice, bob, carol := s.User(t, "alice"), s.User(t, "bob"), s.User(t, "carol")
	room := alice.PublicRoom(t, bob)
	alice.Invite(t, room, carol)
	v := alice.Sync(t)
	sum := joined(v, room).At("summary")
	require.EqualValues(t, 2, sum.At("m.joined_member_count").Int(), sum.Raw())
	require.EqualValues(t, 1, sum.At("m.invited_member_count").Int(), sum.Raw())
	requireOnce(t, []string{bob.ID, carol.ID}, sum.At("m.heroes").Strings())

	carol.Join(t, room)
	sum = joined(alice.Sync(t, "since", v.At("next_batch")), room).At("summary")
	require.EqualValues(t, 3, sum.At("m.joined_member_count").Int(), sum.Raw())
	require.EqualValues(t, 0, sum.At("m.invited_member_count").Int(), sum.Raw())
}

// summaryAlone: heroes are "Required if the room's m.room.name or
// m.room.canonical_alias state events are unset or empty."
func summaryAlone(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room, named := alice.CreateRoom(t, nil), alice.CreateRoom(t, harness.O{"name": "named"})
	v := alice.Sync(t)
	require.Equal(t, "[]", joined(v, room).At("summary", "m.heroes").Raw())
	require.False(t, joined(v, named).At("summary", "m.heroes").Exists())
}
