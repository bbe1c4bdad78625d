// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var visibilityCases = []syncCase{
	{"history visibility decides what a member sees of each time", visibilityOfMember},
	{"world_readable rooms are read by strangers, and only read", worldReadable},
	{"a change of visibility does not reach back", visibilityDoesNotReachBack},
	{"strangers see nothing", strangersSeeNothing},
	{"accounts do not see each other's rooms", accountsAreApart},
	{"who joins a room of hidden history learns its state", stateOfHiddenHistory},
	{"who comes back to a room of hidden history has a gap", gapOfHiddenHistory},
	{"prev_content of what one may not see stays hidden", previousContentIsHidden},
}

// times are the phases of a membership, each with a message.
var times = []string{"before the invite", "while invited", "while joined", "after the leave", "while joined again"}

// visible says which messages are seen in the end, under each visibility.
var visible = map[string][]string{
	"world_readable": times,
	"shared":         times,
	"invited":        {"while invited", "while joined", "while joined again"},
	"joined":         {"while joined", "while joined again"},
}

func visibilityOfMember(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	for visibility, want := range visible {
		bob := s.User(t, "bob")
		room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "initial_state": []harness.O{
			{"type": "m.room.history_visibility", "state_key": "", "content": harness.O{"history_visibility": visibility}},
		}})
		since := bob.Since(t)
		ids := map[string]string{}
		say := func(when string) { ids[when] = alice.Send(t, room, when) }

		say(times[0])
		alice.Invite(t, room, bob)
		say(times[1])
		bob.Join(t, room)
		say(times[2])
		bob.Leave(t, room)
		say(times[3])
		// Having left, he sees what he saw, and nothing after.
		after := texts(reversed(bob.Messages(t, room, "dir", "b", "limit", 100).At("chunk").List()))
		if visibility != "world_readable" {
			require.NotContains(t, after, times[3], visibility)
		}
		require.Contains(t, after, times[2], visibility)
		bob.Join(t, room)
		say(times[4])

		page := bob.Messages(t, room, "dir", "b", "limit", 100)
		require.Equal(t, want, texts(reversed(page.At("chunk").List())), visibility)
		require.Subset(t, want, texts(harness.Timeline(bob.Sync(t, "since", since, "filter", limit(100)), room)), visibility)
		for _, when := range times {
			path := harness.Path("v3/rooms/{}/event/{}", room, ids[when])
			if contains(want, when) {
				bob.Get(t, path)
			} else {
				bob.Fails(t, 404, "M_NOT_FOUND", "GET", path, nil)
			}
		}
	}
}

func contains(list []string, s string) bool { return len(withText(list, s)) > 0 }

func worldReadable(t *testing.T, s *harness.Server) {
	alice, eve := s.User(t, "alice"), s.User(t, "eve")
	room := alice.CreateRoom(t, nil)
	hidden := alice.Send(t, room, "hidden")
	alice.SetState(t, room, "m.room.history_visibility", "", harness.O{"history_visibility": "world_readable"})
	open := alice.Send(t, room, "open")

	require.Equal(t, "open", eve.Get(t, harness.Path("v3/rooms/{}/event/{}", room, open)).At("content", "body").String())
	eve.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/rooms/{}/event/{}", room, hidden), nil)
	require.Equal(t, []string{"open"}, texts(eve.Messages(t, room, "dir", "b").At("chunk").List()))
	eve.Get(t, harness.Path("v3/rooms/{}/state", room))
	require.False(t, joined(eve.Sync(t), room).Exists())
	eve.Fails(t, 403, "M_FORBIDDEN", "PUT", harness.Path("v3/rooms/{}/send/m.room.message/{}", room, harness.Txn()), harness.Text("x"))
}

func visibilityDoesNotReachBack(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, harness.O{"preset": "public_chat"})
	set := func(visibility string) {
		alice.SetState(t, room, "m.room.history_visibility", "", harness.O{"history_visibility": visibility})
	}
	alice.Send(t, room, "shared")
	set("joined")
	alice.Send(t, room, "joined")
	set("shared")
	alice.Send(t, room, "shared again")
	bob.Join(t, room)
	got := texts(reversed(bob.Messages(t, room, "dir", "b", "limit", 100).At("chunk").List()))
	require.Equal(t, []string{"shared", "shared again"}, got)
}

func strangersSeeNothing(t *testing.T, s *harness.Server) {
	alice, eve := s.User(t, "alice"), s.User(t, "eve")
	room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "name": "n"})
	sent := alice.Send(t, room, "secret")
	for _, path := range []string{
		"v3/rooms/{}/messages?dir=b", "v3/rooms/{}/state", "v3/rooms/{}/state/m.room.name/", "v3/rooms/{}/members", "v3/rooms/{}/joined_members",
	} {
		eve.Fails(t, 403, "M_FORBIDDEN", "GET", harness.Path(path, room), nil)
	}
	eve.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/rooms/{}/event/{}", room, sent), nil)
	eve.Fails(t, 403, "M_FORBIDDEN", "PUT", harness.Path("v3/rooms/{}/send/m.room.message/{}", room, harness.Txn()), harness.Text("x"))
	eve.Fails(t, 403, "M_FORBIDDEN", "PUT", harness.Path("v3/rooms/{}/state/m.room.topic/", room), harness.O{"topic": "x"})
	eve.Fails(t, 403, "M_FORBIDDEN", "PUT", harness.Path("v3/rooms/{}/redact/{}/{}", room, sent, harness.Txn()), harness.O{})
	eve.Fails(t, 403, "M_FORBIDDEN", "POST", harness.Path("v3/rooms/{}/invite", room), harness.O{"user_id": eve.ID})
	eve.Fails(t, 403, "M_FORBIDDEN", "POST", harness.Path("v3/rooms/{}/kick", room), harness.O{"user_id": alice.ID})
	// A room that does not exist looks the same.
	eve.Fails(t, 403, "M_FORBIDDEN", "GET", harness.Path("v3/rooms/{}/state", "!none:hs1"), nil)
}

func accountsAreApart(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	hers, his := alice.CreateRoom(t, nil), bob.CreateRoom(t, nil)
	since := bob.Since(t)
	alice.Send(t, hers, "secret")
	bob.Send(t, his, "his own")
	require.Equal(t, []string{his}, bob.Sync(t, "since", since).At("rooms", "join").Keys())
	require.Equal(t, []string{his}, bob.Sync(t).At("rooms", "join").Keys())
	require.Equal(t, []string{his}, bob.Get(t, harness.Path("v3/joined_rooms")).At("joined_rooms").Strings())

	// With her token he sees nothing more.
	require.Empty(t, bob.Sync(t, "since", alice.Since(t)).At("rooms", "join").Keys())
	devices := bob.Get(t, harness.Path("v3/devices")).At("devices").Pluck("device_id")
	require.Equal(t, []string{bob.Device}, devices)
	bob.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/devices/{}", alice.Device+"x"), nil)
	bob.Fails(t, 403, "M_FORBIDDEN", "PUT", harness.Path("v3/profile/{}/displayname", alice.ID), harness.O{"displayname": "Eve"})
}

// previousContentIsHidden: what a state event replaced before the reader came
// is shown only where the history is.
func previousContentIsHidden(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	for visibility, shown := range map[string]bool{"joined": false, "shared": true} {
		bob := s.User(t, "bob")
		room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "initial_state": []harness.O{
			{"type": "m.room.history_visibility", "state_key": "", "content": harness.O{"history_visibility": visibility}},
		}})
		secret := alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "secret"})
		alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "second"})
		bob.Join(t, room)
		f := harness.Filter(harness.O{"room": harness.O{"timeline": harness.O{"limit": 1}}})
		topic := harness.StateOf(joined(bob.Sync(t, "filter", f), room).At("state", "events"), "m.room.topic", "")
		require.Equal(t, shown, topic.At("unsigned", "prev_content").Exists(), visibility)
		require.Equal(t, secret, topic.At("unsigned", "replaces_state").String(), "which event it was is no secret")
		all := bob.Get(t, harness.Path("v3/rooms/{}/state", room))
		require.Equal(t, shown, harness.StateOf(all, "m.room.topic", "").At("unsigned", "prev_content").Exists(), visibility)
		alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "third"})
		alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "fourth"})
		events := harness.Timeline(bob.Sync(t), room)
		require.Equal(t, "third", events[len(events)-1].At("unsigned", "prev_content", "topic").String())
	}
}

func hiddenHistory(t *testing.T, alice *harness.User) string {
	return alice.CreateRoom(t, harness.O{"preset": "public_chat", "name": "hidden", "initial_state": []harness.O{
		{"type": "m.room.history_visibility", "content": harness.O{"history_visibility": "joined"}},
	}})
}

// stateOfHiddenHistory: the first events of a room are visible, since there is no
// history visibility yet, and later ones are not. State that changed in between is
// sent before the timeline.
func stateOfHiddenHistory(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := hiddenHistory(t, alice)
	since := bob.Since(t)
	bob.Join(t, room)
	members := roomFilter("timeline", harness.O{"types": []string{"m.room.member", "m.room.create"}})
	for _, query := range [][]any{
		{}, {"since", since}, {"since", since, "full_state", true}, {"filter", members}, {"since", since, "filter", members},
	} {
		part := joined(bob.Sync(t, query...), room)
		name := harness.StateOf(part.At("state", "events"), "m.room.name", "")
		require.Equal(t, "hidden", name.At("content", "name").String(), query)
		require.Equal(t, []string{"join"}, part.At("timeline", "events").Pluck("content", "membership"), query)
		require.False(t, part.At("timeline", "limited").Bool(), query)
	}
}

func gapOfHiddenHistory(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := hiddenHistory(t, alice)
	bob.Join(t, room)
	since := bob.Since(t)
	seen := alice.Send(t, room, "seen")
	bob.Leave(t, room)
	alice.SetState(t, room, "m.room.name", "", harness.O{"name": "new"})
	bob.Join(t, room)
	part := joined(bob.Sync(t, "since", since), room)
	require.Equal(t, "new", harness.StateOf(part.At("state", "events"), "m.room.name", "").At("content", "name").String())
	require.Len(t, part.At("timeline", "events").List(), 1)
	require.True(t, part.At("timeline", "limited").Bool())
	page := bob.Messages(t, room, "dir", "b", "limit", 2, "from", part.At("timeline", "prev_batch"), "to", since)
	require.Equal(t, seen, page.At("chunk", 1, "event_id").String())
}
