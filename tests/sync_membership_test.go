// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var membershipCases = []syncCase{
	{"an invite brings stripped state and nothing else", inviteArrives},
	{"a rejected invite leaves the list", inviteRejected},
	{"a withdrawn invite leaves the list", inviteWithdrawn},
	{"a newly joined room comes with its whole state", newlyJoined},
	{"a room left is told of once, up to the leave", leftOnce},
	{"include_leave brings rooms left long ago", includeLeave},
	{"a kick ends the timeline", kicked},
	{"a ban ends the timeline and keeps its victim out", banned},
	{"leaving and joining between two syncs is a join", leftAndJoined},
	{"joining and leaving between two syncs is a leave", joinedAndLeft},
	{"who came and went between two syncs is told the state", joinedAndLeftKnown},
	{"a forgotten room is gone for good", forgotten},
	{"a room cannot be forgotten from inside", forgetInside},
}

func inviteArrives(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, harness.O{"name": "invited", "preset": "private_chat", "topic": "t"})
	since := bob.Since(t)
	alice.SetState(t, room, "m.room.member", alice.ID, harness.O{"membership": "join", "displayname": "Alice"})
	alice.Send(t, room, "secret")
	alice.Invite(t, room, bob)
	for _, v := range []harness.Value{bob.Sync(t, "since", since), bob.Sync(t)} {
		require.Equal(t, []string{"invite_state"}, invited(v, room).Keys())
		require.False(t, joined(v, room).Exists())
		state := invited(v, room).At("invite_state", "events")
		for _, typ := range []string{"m.room.create", "m.room.name", "m.room.topic", "m.room.join_rules"} {
			require.True(t, harness.StateOf(state, typ, "").Exists(), typ)
		}
		require.Equal(t, "Alice", harness.StateOf(state, "m.room.member", alice.ID).At("content", "displayname").String())
		last := state.At(len(state.List()) - 1)
		require.Equal(t, bob.ID, last.At("state_key").String())
		require.Equal(t, "invite", last.At("content", "membership").String())
		for _, ev := range state.List() {
			require.Subset(t, []string{"content", "event_id", "origin_server_ts", "room_id", "sender", "state_key", "type", "unsigned"}, ev.Keys())
		}
	}
	bob.Fails(t, 403, "M_FORBIDDEN", "GET", harness.Path("v3/rooms/{}/messages", room)+"?dir=b", nil)
	require.Empty(t, invited(bob.Sync(t, "since", bob.Since(t)), room).Raw(), "and is told of once")
}

func inviteRejected(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, nil)
	alice.Invite(t, room, bob)
	since := bob.Since(t)
	alice.Send(t, room, "secret")
	bob.Leave(t, room)
	v := bob.Sync(t, "since", since)
	require.False(t, invited(v, room).Exists())
	part := left(v, room)
	require.True(t, part.Exists())
	require.NotContains(t, texts(part.At("timeline", "events").List()), "secret")
	require.Empty(t, bob.Sync(t).At("rooms", "invite").Keys())
	require.Empty(t, bob.Sync(t, "since", v.At("next_batch")).At("rooms", "leave").Keys())
}

func inviteWithdrawn(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, nil)
	alice.Invite(t, room, bob)
	since := bob.Since(t)
	alice.Kick(t, room, bob)
	v := bob.Sync(t, "since", since)
	require.True(t, left(v, room).Exists())
	require.Empty(t, bob.Sync(t).At("rooms", "invite").Keys())
	bob.Fails(t, 403, "M_FORBIDDEN", "POST", harness.Path("v3/rooms/{}/join", room), harness.O{})
}

func newlyJoined(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "name": "joined", "topic": "t"})
	sent := sendMany(t, alice, room, 8)
	since := bob.Since(t)
	bob.Join(t, room)
	after := alice.Send(t, room, "welcome")

	v := bob.Sync(t, "since", since, "filter", limit(5))
	part := joined(v, room)
	shown := harness.IDs(part.At("timeline", "events").List())
	require.Len(t, shown, 5)
	require.Equal(t, after, shown[4])
	require.Equal(t, sent[5:], shown[:3], "shared history comes with the join")
	require.True(t, part.At("timeline", "limited").Bool())
	seen := append(part.At("state", "events").Pluck("event_id"), shown...)
	for _, ev := range bob.Get(t, harness.Path("v3/rooms/{}/state", room)).List() {
		require.Contains(t, seen, ev.At("event_id").String(), "%s is neither in state nor timeline", ev.At("type"))
	}
	more := sendMany(t, alice, room, 2)
	require.Equal(t, more, harness.IDs(harness.Timeline(bob.Sync(t, "since", v.At("next_batch")), room)))
}

func leftOnce(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := bob.Since(t)
	before := alice.Send(t, room, "before")
	bob.Leave(t, room)
	alice.Send(t, room, "after")
	v := bob.Sync(t, "since", since)
	require.False(t, joined(v, room).Exists())
	events := left(v, room).At("timeline", "events").List()
	require.Len(t, events, 2)
	require.Equal(t, before, events[0].At("event_id").String())
	require.Equal(t, "leave", events[1].At("content", "membership").String())
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "without bob"})
	v = bob.Sync(t, "since", v.At("next_batch"))
	require.Empty(t, v.At("rooms", "leave").Keys(), "and is told of once")
	require.Empty(t, bob.Sync(t).At("rooms", "leave").Keys(), "and not at all from the beginning")
}

func includeLeave(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "with bob"})
	bob.Leave(t, room)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "without bob"})
	alice.Send(t, room, "after")
	f := harness.Filter(harness.O{"room": harness.O{"include_leave": true, "timeline": harness.O{"limit": 1}}})
	part := left(bob.Sync(t, "filter", f), room)
	require.Equal(t, "leave", part.At("timeline", "events", -1, "content", "membership").String())
	topic := harness.StateOf(part.At("state", "events"), "m.room.topic", "")
	require.Equal(t, "with bob", topic.At("content", "topic").String(), "the state is that at the leave")
}

func kicked(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := bob.Since(t)
	alice.Post(t, harness.Path("v3/rooms/{}/kick", room), harness.O{"user_id": bob.ID, "reason": "noise"})
	alice.Send(t, room, "after")
	events := left(bob.Sync(t, "since", since), room).At("timeline", "events").List()
	require.Len(t, events, 1)
	require.Equal(t, alice.ID, events[0].At("sender").String())
	require.Equal(t, bob.ID, events[0].At("state_key").String())
	require.Equal(t, "noise", events[0].At("content", "reason").String())
	bob.Fails(t, 403, "M_FORBIDDEN", "PUT", harness.Path("v3/rooms/{}/send/m.room.message/{}", room, harness.Txn()), harness.Text("x"))
	bob.Join(t, room)
}

func banned(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := bob.Since(t)
	alice.Ban(t, room, bob)
	alice.Send(t, room, "after")
	v := bob.Sync(t, "since", since)
	events := left(v, room).At("timeline", "events").List()
	require.Len(t, events, 1)
	require.Equal(t, "ban", events[0].At("content", "membership").String())
	bob.Fails(t, 403, "M_FORBIDDEN", "POST", harness.Path("v3/rooms/{}/join", room), harness.O{})
	alice.Fails(t, 403, "M_FORBIDDEN", "POST", harness.Path("v3/rooms/{}/invite", room), harness.O{"user_id": bob.ID})
	alice.Unban(t, room, bob)
	require.False(t, joined(bob.Sync(t, "since", v.At("next_batch")), room).Exists())
	bob.Join(t, room)
	require.True(t, joined(bob.Sync(t, "since", v.At("next_batch")), room).Exists())
}

func leftAndJoined(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := bob.Since(t)
	bob.Leave(t, room)
	alice.Send(t, room, "without bob")
	bob.Join(t, room)
	v := bob.Sync(t, "since", since)
	require.False(t, left(v, room).Exists())
	part := joined(v, room)
	require.Equal(t, "join", part.At("timeline", "events", -1, "content", "membership").String())
	seen := append(part.At("state", "events").Pluck("event_id"), part.At("timeline", "events").Pluck("event_id")...)
	for _, ev := range bob.Get(t, harness.Path("v3/rooms/{}/state", room)).List() {
		require.Contains(t, seen, ev.At("event_id").String(), "%s", ev.At("type"))
	}
}

func joinedAndLeft(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t)
	since := bob.Since(t)
	bob.Join(t, room)
	during := alice.Send(t, room, "with bob")
	bob.Leave(t, room)
	alice.Send(t, room, "without bob")
	part := left(bob.Sync(t, "since", since), room)
	shown := texts(part.At("timeline", "events").List())
	require.Equal(t, []string{"with bob"}, shown)
	require.Contains(t, part.At("timeline", "events").Pluck("event_id"), during)
}

// joinedAndLeftKnown: a user who was in the room before is sent the leave, another
// is not.
func joinedAndLeftKnown(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "name": "here"})
	f := roomFilter("timeline", harness.O{"limit": 3})
	for _, before := range []string{"nothing", "an invitation", "a leave"} {
		if before == "an invitation" {
			alice.Invite(t, room, bob)
		}
		since := bob.Since(t)
		bob.Join(t, room)
		topic := alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": before})
		bob.Leave(t, room)
		alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "not for bob " + before})
		for _, member := range []string{"state", "state_after"} {
			v := bob.Sync(t, "since", since, "filter", f, "use_state_after", member == "state_after")
			part := left(v, room)
			known := part.At(member, "events")
			for _, typ := range []string{"m.room.create", "m.room.name", "m.room.power_levels"} {
				require.True(t, harness.StateOf(known, typ, "").Exists(), "%s %s %s", before, member, typ)
			}
			require.True(t, harness.StateOf(known, "m.room.member", alice.ID).Exists())
			if member == "state_after" {
				require.Equal(t, topic, harness.StateOf(known, "m.room.topic", "").At("event_id").String())
			}
			require.NotContains(t, part.Raw(), "not for bob "+before)
		}
	}
	bob.Join(t, room)
	since := bob.Since(t)
	bob.Leave(t, room)
	require.Empty(t, left(bob.Sync(t, "since", since), room).At("state", "events").List())
}

func forgotten(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := bob.Since(t)
	bob.Leave(t, room)
	messages := harness.Path("v3/rooms/{}/messages", room) + "?dir=b"
	bob.Get(t, messages)
	bob.Forget(t, room)
	bob.Fails(t, 403, "M_FORBIDDEN", "GET", messages, nil)
	f := harness.Filter(harness.O{"room": harness.O{"include_leave": true}})
	require.Empty(t, bob.Sync(t, "filter", f).At("rooms", "leave").Keys())
	require.Empty(t, bob.Sync(t, "since", since).At("rooms", "leave").Keys())

	bob.Join(t, room)
	require.True(t, joined(bob.Sync(t, "since", since), room).Exists(), "joining undoes it")
	bob.Get(t, messages)
}

func forgetInside(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	alice.Fails(t, 400, "M_UNKNOWN", "POST", harness.Path("v3/rooms/{}/forget", room), harness.O{})
}
