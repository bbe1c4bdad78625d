// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// A syncing is a client that keeps a room's state by /sync alone.
type syncing struct {
	h      *fixture
	query  string
	since  string
	member string // how the answer calls the state
	state  map[event.StateKey]id.EventID
	told   []roomtest.Event // of the last answer, beside the timeline
	line   []roomtest.Event
}

func (h *fixture) syncing(query, member string) *syncing {
	return &syncing{h: h, query: query, member: member, state: map[event.StateKey]id.EventID{}}
}

func (s *syncing) next() {
	s.h.T.Helper()
	path := "/_matrix/client/v3/sync?timeout=0" + s.query
	if s.since != "" {
		path += slicetest.Query("since", s.since)
	}
	a := s.h.OK("GET", path, "alice", nil)
	s.since = a.At("next_batch")
	roomID := string(s.h.world.model.id)
	s.told, s.line = nil, nil
	if told := a.At("rooms", "join", roomID, s.member, "events"); told != "" {
		s.told = roomtest.List(s.h.T, told)
	}
	if line := a.At("rooms", "join", roomID, "timeline", "events"); line != "" {
		s.line = roomtest.List(s.h.T, line)
	}
	s.take(s.told)
	if s.member == "state" {
		s.take(s.line)
	}
}

func (s *syncing) take(events []roomtest.Event) {
	for _, e := range events {
		if e.StateKey != nil {
			s.state[event.StateKey{Type: e.Type, Key: *e.StateKey}] = e.ID
		}
	}
}

// TestSyncTellsWhatResolutionChanges has clients of both kinds follow a room in
// which forks meet: the state changes by more than the events tell.
//
// Spec: server-server "Soft failure"; client-server sync, use_state_after.
func TestSyncTellsWhatResolutionChanges(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("11", bob, carol)
		h.accepted(m.build(levelsDraft(m, 60, 50), m.tips...))
		fork := m.tips
		before, after := h.syncing("", "state"), h.syncing("&use_state_after=true", "state_after")
		before.next()
		after.next()
		both := func() {
			t.Helper()
			before.next()
			after.next()
			require.Equal(t, map[event.StateKey]id.EventID(m.current()), after.state)
			require.Equal(t, after.state, before.state)
		}
		both()

		ban := h.accepted(m.build(memberDraft(bob, carol, "ban"), fork...))
		both()
		// Carol evades the ban; what she sends is soft-failed and shown to nobody.
		evaded := m.build(topicDraft(carol, "evaded"), fork...)
		require.Equal(t, rooms.SoftFailed, h.sends(evaded).Outcome)
		m.receive(evaded)
		both()
		require.Empty(t, before.line)
		require.Empty(t, before.told)

		// On a fork that does not know of the ban, alice makes carol bob's better.
		raise := levelsDraft(m, 0, 100)
		levels := m.build(raise, evaded.ID)
		outcome := h.sends(levels).Outcome
		require.Equal(t, m.receive(levels), outcome)
		both()
		// The forks meet in a message: it alone is in the timeline.
		h.accepted(m.build(messageDraft(bob, "we meet"), ban.ID, levels.ID))
		both()
		require.Len(t, before.line, 1)
		require.NotEqual(t, ban.ID, m.current()[ban.Key()], "the ban is undone")
		h.agrees()

		// Clients that come now see the same, though the ban, which is undone, would be
		// in their timeline.
		for _, fresh := range []*syncing{h.syncing("", "state"), h.syncing("&use_state_after=true", "state_after")} {
			fresh.next()
			require.Equal(t, map[event.StateKey]id.EventID(m.current()), fresh.state, fresh.member)
		}
	})
}

// TestAResetTellsOfWhatItBrings has a soft-failed event come into the state by
// resolution: in room version 1 the topic of who is banned wins.
//
// Spec: server-server "Soft failure": "the state at D may resolve to a state that
// includes C, in which case clients should also be told".
func TestAResetTellsOfWhatItBrings(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("1", bob, carol)
		h.accepted(m.build(levelsDraft(m, 60, 50), m.tips...))
		fork := m.tips
		clients := []*syncing{h.syncing("", "state"), h.syncing("&use_state_after=true", "state_after")}
		for _, c := range clients {
			c.next()
		}
		ban := h.accepted(m.build(memberDraft(bob, carol, "ban"), fork...))
		evaded := m.build(topicDraft(carol, "evaded"), fork...)
		require.Equal(t, rooms.SoftFailed, h.sends(evaded).Outcome)
		m.receive(evaded)
		for _, c := range clients {
			c.next()
		}
		meet := h.accepted(m.build(messageDraft(bob, "D"), ban.ID, evaded.ID))
		for _, c := range append(clients, h.syncing("", "state")) {
			since := c.since
			c.next()
			require.Equal(t, map[event.StateKey]id.EventID(m.current()), c.state)
			require.Equal(t, evaded.ID, c.state[event.StateKey{Type: "m.room.topic"}])
			require.Equal(t, meet.ID, c.line[len(c.line)-1].ID)
			if since != "" {
				require.Len(t, c.told, 1)
				require.Equal(t, evaded.ID, c.told[0].ID)
			}
		}
		h.agrees()
	})
}

// TestNothingIsSkippedBeforeATimeline: an event that arrived late, for a place
// long gone, is all that a short timeline has. What has a later place and came
// before it is found by /messages from there, and from the token of the stream.
func TestNothingIsSkippedBeforeATimeline(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob, carol)
		fork := m.tips
		var want []id.EventID
		for _, body := range []string{"one", "two", "three"} {
			want = append(want, h.accepted(m.build(messageDraft(bob, body), m.tips...)).ID)
		}
		late := h.accepted(m.build(messageDraft(carol, "late"), fork...))
		a := h.OK("GET", "/_matrix/client/v3/sync?filter="+url.QueryEscape(`{"room":{"timeline":{"limit":1}}}`), "alice", nil)
		line := roomtest.List(t, a.At("rooms", "join", string(m.id), "timeline", "events"))
		require.Equal(t, late.ID, line[0].ID)
		for _, from := range []string{a.At("rooms", "join", string(m.id), "timeline", "prev_batch"), a.At("next_batch")} {
			page := roomtest.List(t, h.OK("GET", roomtest.At(string(m.id), "messages")+"?dir=b&limit=100&from="+from, "alice", nil).At("chunk"))
			seen := map[id.EventID]int{}
			for _, e := range page {
				seen[e.ID]++
				require.Equal(t, 1, seen[e.ID], "nothing comes twice")
			}
			for _, eventID := range want {
				require.Contains(t, seen, eventID)
			}
		}
	})
}

// TestAForkFromBeforeAJoinIsNotShown: who joined later does not see what comes
// from a fork that does not know of it, where only members see the history.
//
// Spec: client-server "Room History Visibility".
func TestAForkFromBeforeAJoinIsNotShown(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob, carol)
		h.Set("alice", string(m.id), "m.room.history_visibility", "", slicetest.O{"history_visibility": "joined"})
		h.learn()
		fork := m.tips
		h.Act("dora", string(m.id), "join", slicetest.O{})
		h.learn()
		before := h.accepted(m.build(messageDraft(carol, "before dora"), fork...))
		after := h.accepted(m.build(messageDraft(bob, "with dora"), m.tips...))
		for name, want := range map[string][]id.EventID{"alice": {before.ID, after.ID}, "dora": {after.ID}} {
			a := h.OK("GET", "/_matrix/client/v3/sync", name, nil)
			page := h.OK("GET", roomtest.At(string(m.id), "messages")+"?dir=b&limit=100", name, nil)
			for _, raw := range []string{a.At("rooms", "join", string(m.id), "timeline", "events"), page.At("chunk")} {
				var seen []id.EventID
				for _, e := range roomtest.List(t, raw) {
					if e.Type == "m.room.message" {
						seen = append(seen, e.ID)
					}
				}
				require.ElementsMatch(t, want, seen, name)
			}
		}
		require.Equal(t, "1", h.notified("dora", string(m.id)), "what she may not see is not unread")
		h.agrees()
	})
}
