// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
	"touchstone.example/tests/seedrand"
)

// TestSyncMatchesModel: random things happen in a room. A client that applies what
// /sync returns and fills gaps by /messages always has the room's state, and its
// history as far back as it has seen it and its filter allows. Some responses are
// lost.
func TestSyncMatchesModel(t *testing.T) {
	const lives, moments = 32, 16
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		for seed := range lives {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				newSyncModel(t, seedrand.Dice(seed), s).run(t, moments)
			})
		}
	})
}

// A syncModel is a room with alice, who may do everything, and bob, who joins and
// leaves, and what bob's client has.
type syncModel struct {
	dice       seedrand.Dice
	servers    []*harness.Server // of one database; each request goes to any of them
	alice, bob *harness.User
	others     []*harness.User
	room       string
	done       []string // what has happened, for whoever reads a failure
	stateAfter bool     // the client asks for the state after the timeline
	timeline   filter
	stateOnly  filter // what of the state is wanted
	lazy       bool
	redundant  bool

	since   string
	entry   string               // the event with which bob came in; empty: he is not there
	state   map[[2]string]string // event IDs by type and key
	history []string             // from the first event since the client last came in
}

func newSyncModel(t *testing.T, dice seedrand.Dice, servers ...*harness.Server) *syncModel {
	s := servers[0]
	l := &syncModel{
		dice: dice, servers: servers,
		alice: s.User(t, "alice"), bob: s.User(t, "bob"), others: []*harness.User{s.User(t, "carol"), s.User(t, "dora")},
	}
	l.stateAfter = l.dice.OneIn(2)
	visibility := seedrand.Pick(&l.dice, "world_readable", "shared", "invited", "invited", "joined", "joined")
	l.chooseFilters()
	l.done = append(l.done, visibility, l.filter(0), fmt.Sprint("state after: ", l.stateAfter))
	l.room = l.alice.CreateRoom(t, harness.O{"preset": "public_chat",
		"power_level_content_override": harness.O{"events": harness.O{"org.example": 0}}, "initial_state": []harness.O{
			{"type": "m.room.history_visibility", "content": harness.O{"history_visibility": visibility}},
		}})
	return l
}

// run lets things happen, with an answer after each few.
func (l *syncModel) run(t *testing.T, moments int) {
	for range moments {
		for range l.dice.Roll(7) {
			l.randomAction(t)
		}
		l.sync(t)
	}
}

// at is a user on any of the servers.
func (l *syncModel) at(u *harness.User) *harness.User {
	if len(l.servers) == 1 {
		return u
	}
	return u.On(seedrand.Pick(&l.dice, l.servers...))
}

// randomAction lets one thing happen, or be refused.
func (l *syncModel) randomAction(t *testing.T) {
	n := len(l.done)
	what := seedrand.Pick(&l.dice, "send", "speak", "state", "state", "state", "other", "rename", "redact", "bob", "bob")
	other := l.at(seedrand.Pick(&l.dice, l.others...))
	switch what {
	case "send":
		l.at(l.alice).Send(t, l.room, fmt.Sprint("message ", n))
	case "speak":
		other.Do(t, "PUT", harness.Path("v3/rooms/{}/send/m.room.message/{}", l.room, n), harness.O{"msgtype": "m.text", "body": "hi"})
	case "state":
		content := harness.O{"n": n}
		if l.dice.OneIn(2) {
			content["url"] = "mxc://example.org/picture"
		}
		path := harness.Path("v3/rooms/{}/state/org.example/{}", l.room, seedrand.Pick(&l.dice, "", "x", "y"))
		l.at(seedrand.Pick(&l.dice, l.alice, other)).Do(t, "PUT", path, content)
	case "other":
		other.Do(t, "POST", harness.Path("v3/rooms/{}/{}", l.room, seedrand.Pick(&l.dice, "join", "leave")), harness.O{})
	case "rename":
		other.Put(t, harness.Path("v3/profile/{}/displayname", other.ID), harness.O{"displayname": fmt.Sprint("name ", n)})
	case "redact":
		ev := l.at(l.alice).Messages(t, l.room, "dir", "b", "limit", 1).At("chunk", 0)
		// A redacted event no longer has a URL, and may pass another filter than before.
		if slices.Contains([]string{"m.room.message", "org.example"}, ev.At("type").String()) && !ev.At("content", "url").Exists() {
			l.at(l.alice).Redact(t, l.room, ev.At("event_id").String())
		}
	case "bob":
		what = seedrand.Pick(&l.dice, "join", "join", "leave", "kick", "ban", "unban", "invite")
		path := harness.Path("v3/rooms/{}/{}", l.room, what)
		if what == "join" || what == "leave" {
			l.at(l.bob).Do(t, "POST", path, harness.O{})
		} else {
			l.at(l.alice).Do(t, "POST", path, harness.O{"user_id": l.bob.ID})
		}
	}
	l.done = append(l.done, what)
}

// sync has the client take one answer, and compares what it then knows.
func (l *syncModel) sync(t *testing.T) {
	full := l.dice.OneIn(8)
	query := []any{"filter", l.filter(seedrand.Pick(&l.dice, 1, 3, 20, 50)), "use_state_after", l.stateAfter, "full_state", full}
	if l.since != "" {
		query = append(query, "since", l.since)
	}
	bob := l.at(l.bob)
	l.catchUp(t, bob)
	v := bob.Sync(t, query...)
	if l.dice.OneIn(6) {
		l.done = append(l.done, "lost")
		return
	}
	joins := l.at(l.bob).Get(t, harness.Path("v3/joined_rooms")).At("joined_rooms").Strings()
	part := joined(v, l.room)
	if !slices.Contains(joins, l.room) {
		require.False(t, part.Exists(), l.done)
		if part = left(v, l.room); part.Exists() {
			l.takeState(part, full || l.entry == "")
			// A user who leaves after an invitation has seen the stripped state, but may
			// read only the state from before.
			member := l.alice.Get(t, harness.Path("v3/rooms/{}/state/m.room.member/{}?format=event", l.room, l.bob.ID))
			if member.At("unsigned", "prev_content", "membership").String() == "join" {
				l.compareState(t)
			}
		}
		l.entry, l.since = "", v.At("next_batch").String()
		return
	}
	entry := l.at(l.bob).Get(t, harness.Path("v3/rooms/{}/state/m.room.member/{}?format=event", l.room, l.bob.ID)).At("event_id").String()
	cameIn := entry != l.entry
	l.entry = entry
	if part.Exists() {
		l.notRedundant(t, part, full || cameIn)
		l.takeState(part, full || cameIn)
		l.takeTimeline(t, part, cameIn)
		l.compareMembers(t, part)
	}
	l.since = v.At("next_batch").String()
	l.compareState(t)
	l.compareMembersAt(t)
	l.compareHistory(t)
}

// catchUp has a server reach what has been acknowledged by any of them, which an
// answer to an older token need not wait for.
func (l *syncModel) catchUp(t *testing.T, u *harness.User) {
	if len(l.servers) > 1 {
		nothing := harness.Filter(harness.O{"room": harness.O{"rooms": []string{}}})
		newest := l.at(l.bob).Sync(t, "filter", nothing).At("next_batch").String()
		u.Sync(t, "filter", nothing, "since", newest)
	}
}

// told returns the events by which a part of a response changes the client's state.
func (l *syncModel) told(part harness.Value) []harness.Value {
	if l.stateAfter {
		return part.At("state_after", "events").List()
	}
	return slices.Concat(part.At("state", "events").List(), part.At("timeline", "events").List())
}

// takeState applies the state of a response. whole says that it is the complete
// state.
func (l *syncModel) takeState(part harness.Value, whole bool) {
	if whole {
		l.state = map[[2]string]string{}
	}
	for _, ev := range l.told(part) {
		if ev.At("state_key").Exists() {
			l.state[keyOf(ev)] = ev.At("event_id").String()
		}
	}
}

// takeTimeline adds a timeline to what the client has, with what it left out.
func (l *syncModel) takeTimeline(t *testing.T, part harness.Value, cameIn bool) {
	timeline := part.At("timeline")
	shown := harness.IDs(timeline.At("events").List())
	if cameIn {
		l.history = nil
	}
	// The timeline of a newly joined room may be empty: where the filter excludes the
	// newest state, older state of the same key may not follow it.
	if timeline.At("limited").Bool() && (!cameIn || len(shown) == 0) {
		var gap []string
		for from := timeline.At("prev_batch").String(); from != ""; {
			query := []any{"dir", "b", "limit", 2, "from", from, "filter", harness.Filter(l.timeline.is)}
			if l.since != "" {
				query = append(query, "to", l.since)
			}
			page := l.at(l.bob).Messages(t, l.room, query...)
			gap = append(gap, harness.IDs(page.At("chunk").List())...)
			from = page.At("end").String()
		}
		slices.Reverse(gap)
		shown = append(gap, shown...)
	}
	for _, event := range shown {
		require.NotContains(t, l.history, event, "told twice: %v", l.done)
	}
	l.history = append(l.history, shown...)
}

// compareHistory looks at the room's events.
func (l *syncModel) compareHistory(t *testing.T) {
	all := harness.IDs(l.at(l.bob).AllMessages(t, l.room, "f", 100, "filter", harness.Filter(l.timeline.is)))
	known := slices.DeleteFunc(slices.Clone(l.history), func(event string) bool { return !slices.Contains(all, event) })
	if len(known) == 0 {
		require.NotContains(t, all, l.entry, "%v", l.done)
		return
	}
	require.Equal(t, all[slices.Index(all, known[0]):], known, "%v", l.done)
}

// compareMembersAt asks for the members as of the client's token, which are
// those of now: nothing has happened since.
func (l *syncModel) compareMembersAt(t *testing.T) {
	now := harness.IDs(l.at(l.bob).Get(t, harness.Path("v3/rooms/{}/members", l.room)).At("chunk").List())
	then := harness.IDs(l.at(l.bob).Get(t, harness.Path("v3/rooms/{}/members", l.room)+harness.Query("at", l.since)).At("chunk").List())
	require.ElementsMatch(t, now, then, "%v", l.done)
}
