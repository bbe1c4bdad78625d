// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var timelineCases = []syncCase{
	{"an initial sync is limited, and prev_batch leads to the rest", initialIsLimited},
	{"a short room comes whole", shortRoomComesWhole},
	{"an incremental sync brings what is new, in order, once", incrementalInOrder},
	{"a gap is limited, and messages fill it without a hole or a repeat", gapIsFilled},
	{"a gap can be read forwards from the old token", gapForwards},
	{"who reads forwards can go on at the end", forwardsGoOn},
	{"a position may be asked for again", positionMayBeRepeated},
	{"rooms without news are not spoken of", quietRoomsAreSilent},
	{"sync of several rooms keeps them apart", roomsAreApart},
	{"two devices each have a position of their own", devicesHaveTheirOwnPosition},
}

func initialIsLimited(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	sent := sendMany(t, alice, room, 15)

	part := joined(alice.Sync(t, "filter", limit(5)), room)
	require.True(t, part.At("timeline", "limited").Bool())
	last := harness.IDs(part.At("timeline", "events").List())
	require.Equal(t, sent[10:], last)

	prev := part.At("timeline", "prev_batch").String()
	older := []string{}
	for page, from := (harness.Value{}), prev; ; from = page.At("end").String() {
		page = alice.Messages(t, room, "dir", "b", "from", from, "limit", 4)
		require.LessOrEqual(t, len(page.At("chunk").List()), 4)
		older = append(older, page.At("chunk").Pluck("event_id")...)
		if !page.At("end").Exists() {
			break
		}
	}
	all := harness.IDs(alice.AllMessages(t, room, "b", 100))
	requireOnce(t, all, append(older, last...))
	require.Equal(t, all[5:], older, "in the same order")

	state := part.At("state", "events")
	require.NotEmpty(t, harness.StateOf(state, "m.room.create", "").Raw())
	require.Equal(t, "join", harness.StateOf(state, "m.room.member", alice.ID).At("content", "membership").String())
	require.Empty(t, texts(state.List()))
}

func shortRoomComesWhole(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, harness.O{"name": "short"})
	part := joined(alice.Sync(t, "filter", limit(100)), room)
	require.False(t, part.At("timeline", "limited").Bool())
	require.Equal(t, "m.room.create", part.At("timeline", "events", 0, "type").String())
	require.Empty(t, part.At("state", "events").List(), "all of the state is in the timeline")
}

func incrementalInOrder(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := bob.Since(t)
	var want, got []string
	for i := range 12 {
		want = append(want, sendMany(t, alice, room, 1+i%3)...)
		v := bob.Sync(t, "since", since)
		part := joined(v, room)
		require.False(t, part.At("timeline", "limited").Bool())
		require.Empty(t, part.At("state", "events").List())
		got = append(got, harness.IDs(harness.Timeline(v, room))...)
		since = v.At("next_batch").String()
	}
	require.Equal(t, want, got)
}

// gap makes more events than a timeline of five can hold, some of them state.
func gap(t *testing.T, s *harness.Server) (bob *harness.User, room, since string, want []string, part harness.Value) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room = alice.PublicRoom(t, bob)
	since = bob.Since(t)
	want = sendMany(t, alice, room, 4)
	want = append(want, alice.SetState(t, room, "m.room.name", "", harness.O{"name": "in the gap"}))
	want = append(want, alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "in the gap"}))
	want = append(want, sendMany(t, alice, room, 4)...)
	want = append(want, alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "in the timeline"}))
	want = append(want, sendMany(t, alice, room, 3)...)
	return bob, room, since, want, joined(bob.Sync(t, "since", since, "filter", limit(5)), room)
}

func gapIsFilled(t *testing.T, s *harness.Server) {
	bob, room, since, want, part := gap(t, s)
	require.True(t, part.At("timeline", "limited").Bool())
	shown := harness.IDs(part.At("timeline", "events").List())
	require.Equal(t, want[len(want)-5:], shown)

	// The state is that at the start of the timeline: the topic of the gap, not
	// the later one.
	state := part.At("state", "events")
	require.Equal(t, "in the gap", harness.StateOf(state, "m.room.name", "").At("content", "name").String())
	require.Equal(t, "in the gap", harness.StateOf(state, "m.room.topic", "").At("content", "topic").String())
	require.Len(t, state.List(), 2, "nothing that did not change: %s", state.Raw())

	missed := []string{}
	from := part.At("timeline", "prev_batch").String()
	for from != "" {
		page := bob.Messages(t, room, "dir", "b", "from", from, "to", since, "limit", 3)
		missed = append(missed, page.At("chunk").Pluck("event_id")...)
		from = ""
		if end := page.At("end"); end.Exists() {
			from = end.String()
		}
	}
	requireOnce(t, want, append(missed, shown...))
}

func gapForwards(t *testing.T, s *harness.Server) {
	bob, room, since, want, part := gap(t, s)
	missed := []string{}
	from, to := since, part.At("timeline", "prev_batch").String()
	for from != "" {
		page := bob.Messages(t, room, "dir", "f", "from", from, "to", to, "limit", 3)
		missed = append(missed, page.At("chunk").Pluck("event_id")...)
		from = ""
		if end := page.At("end"); end.Exists() {
			from = end.String()
		}
	}
	require.Equal(t, want[:len(want)-5], missed)
}

func forwardsGoOn(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	from, to := bob.Since(t), ""
	for i := range 3 {
		sent := sendMany(t, alice, room, 2)
		page := bob.Messages(t, room, "dir", "f", "from", from)
		require.Equal(t, sent, page.At("chunk").Pluck("event_id"), i)
		from, to = page.At("end").String(), from
		require.False(t, bob.Messages(t, room, "dir", "f", "from", from).At("end").Exists(), "there is nothing more")
	}
	require.False(t, bob.Messages(t, room, "dir", "f", "from", to, "to", from).At("end").Exists(), "to is reached")
	bob.Leave(t, room)
	page := bob.Messages(t, room, "dir", "f", "from", from)
	require.Len(t, page.At("chunk").List(), 1)
	require.False(t, page.At("end").Exists(), "who has left may see no more")
}

func positionMayBeRepeated(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	since := alice.Since(t)
	sent := sendMany(t, alice, room, 3)
	for range 3 {
		require.Equal(t, sent, harness.IDs(harness.Timeline(alice.Sync(t, "since", since), room)))
	}
	more := sendMany(t, alice, room, 1)
	require.Equal(t, append(sent, more...), harness.IDs(harness.Timeline(alice.Sync(t, "since", since), room)))
}

func quietRoomsAreSilent(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	quiet, loud := alice.CreateRoom(t, nil), alice.CreateRoom(t, nil)
	since := alice.Since(t)
	alice.Send(t, loud, "hello")
	v := alice.Sync(t, "since", since)
	require.True(t, joined(v, loud).Exists())
	require.False(t, joined(v, quiet).Exists())
	v = alice.Sync(t, "since", v.At("next_batch"))
	require.Empty(t, v.At("rooms", "join").Keys())
}

func roomsAreApart(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	rooms := []string{alice.CreateRoom(t, nil), alice.CreateRoom(t, nil), alice.CreateRoom(t, nil)}
	since := alice.Since(t)
	want := map[string][]string{}
	for i := range 9 {
		room := rooms[i%3]
		want[room] = append(want[room], alice.Send(t, room, "hello"))
	}
	v := alice.Sync(t, "since", since)
	for _, room := range rooms {
		require.Equal(t, want[room], harness.IDs(harness.Timeline(v, room)))
	}
}

func devicesHaveTheirOwnPosition(t *testing.T, s *harness.Server) {
	phone := s.User(t, "alice")
	tablet := phone.Login(t, "TABLET")
	room := phone.CreateRoom(t, nil)
	a, b := phone.Since(t), tablet.Since(t)
	sent := sendMany(t, phone, room, 2)
	require.Equal(t, sent, harness.IDs(harness.Timeline(phone.Sync(t, "since", a), room)))
	require.Equal(t, sent, harness.IDs(harness.Timeline(tablet.Sync(t, "since", b), room)))
}
