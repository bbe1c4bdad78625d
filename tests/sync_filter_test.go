// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var filterCases = []syncCase{
	{"a filter by its id does what it does inline", filterByID},
	{"a filter is taken inline if it can be stored", filterDecoders},
	{"filters of other users cannot be used", filterOfAnother},
	{"types and their globs choose events", filterTypes},
	{"senders choose events", filterSenders},
	{"rooms choose rooms", filterRooms},
	{"a state filter leaves the timeline alone", filterState},
	{"a filtered event still moves the position", filteredEventMoves},
	{"event_fields leave only what is asked for", filterFields},
	{"messages takes a filter", filterMessages},
	{"who counts members without seeing them hears of each", filteredMembersCount},
	{"who only renames themselves unseen is no news", filteredRename},
	{"what is unread is told with the next news", filteredUnreadCount},
	{"state that the filter keeps out of the timeline is told in the state", filteredState},
	{"a timeline begins after state that an unseen event has replaced", filteredReplacement},
	{"event_format federation brings events as they were signed, or what is left of them", federationFormat},
}

func roomFilter(part string, f harness.O) string {
	return harness.Filter(harness.O{"room": harness.O{part: f}})
}

func filterByID(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	sendMany(t, alice, room, 10)
	made := alice.Post(t, harness.Path("v3/user/{}/filter", alice.ID), harness.O{"room": harness.O{"timeline": harness.O{"limit": 3}}})
	filter := made.At("filter_id").String()
	require.NotContains(t, filter[:1], "{")
	require.EqualValues(t, 3, alice.Get(t, harness.Path("v3/user/{}/filter/{}", alice.ID, filter)).At("room", "timeline", "limit").Int())
	byID := joined(alice.Sync(t, "filter", filter), room).At("timeline", "events").Pluck("event_id")
	inline := joined(alice.Sync(t, "filter", limit(3)), room).At("timeline", "events").Pluck("event_id")
	require.Len(t, byID, 3)
	require.Equal(t, inline, byID)
	for _, other := range []string{"0" + filter, "+" + filter} {
		alice.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/user/{}/filter/{}", alice.ID, other), nil)
	}
}

// filterDecoders: what reads the body and what reads the query agree.
func filterDecoders(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	values := map[string][]string{
		"limit": {"10", "10.0", "1e1", "1E1", "100e-1", "-0", "0", "1.5", "1e-1", "-1", "-1e0", "9007199254740991", "9007199254740991.0", "9007199254740992",
			"9.007199254740992e15", "99999999999999999999", "1e400", `"1"`, "null", "[]", "true"},
		"types":             {`[]`, `["a"]`, `[1]`, `[null]`, `"a"`, `{}`, `null`, `["\ud800"]`, `["a","a"]`, `["\u0000"]`},
		"senders":           {`[]`, `["@a:b"]`, `["a"]`, `[""]`, `["@a"]`, `[7]`, `null`, `"@a:b"`, `["@` + strings.Repeat("a", 255) + `:b"]`},
		"rooms":             {`[]`, `["!a:b"]`, `["!a"]`, `["a"]`, `[""]`, `["#a:b"]`, `null`},
		"contains_url":      {"true", "false", "0", `"true"`, "null"},
		"lazy_load_members": {"true", "false", "1", "null", "{}"},
		"unknown":           {"1.5", "null", "9007199254740993", `{"a":1}`, `{"a":1,"a":2}`, `"\ud800"`},
	}
	whole := map[string][]string{
		"event_format": {`"client"`, `"federation"`, `"xml"`, "null", "7", `""`}, "event_fields": {`[]`, `["a"]`, `"a"`, "[1]", "null"},
		"room":    {"{}", "null", "[]", `{"include_leave":1}`, `{"include_leave":true}`, `{"not_rooms":["a"]}`, `{"timeline":7}`},
		"unknown": {"1.5", "null"},
	}
	var filters []string
	for name, list := range values {
		for _, v := range list {
			filters = append(filters, fmt.Sprintf(`{"room":{"timeline":{%q:%s}}}`, name, v))
			page := fmt.Sprintf(`{%q:%s}`, name, v)
			inline := alice.Do(t, "GET", harness.Path("v3/rooms/{}/messages", room)+harness.Query("dir", "b", "filter", page), nil)
			asSync := alice.Do(t, "GET", harness.Path("v3/sync")+harness.Query("filter", filters[len(filters)-1]), nil)
			require.Equal(t, asSync.Status, inline.Status, page)
		}
	}
	for name, list := range whole {
		for _, v := range list {
			filters = append(filters, fmt.Sprintf(`{%q:%s}`, name, v))
		}
	}
	for _, f := range filters {
		stored := alice.Do(t, "POST", harness.Path("v3/user/{}/filter", alice.ID), f)
		inline := alice.Do(t, "GET", harness.Path("v3/sync")+harness.Query("filter", f), nil)
		require.Equal(t, stored.Status, inline.Status, "%s: %s %s", f, stored, inline)
		if stored.Status == 200 {
			alice.Sync(t, "filter", stored.JSON().At("filter_id"))
		}
	}
}

func filterOfAnother(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	made := alice.Post(t, harness.Path("v3/user/{}/filter", alice.ID), harness.O{})
	path := harness.Path("v3/user/{}/filter/{}", alice.ID, made.At("filter_id"))
	bob.Fails(t, 403, "M_FORBIDDEN", "GET", path, nil)
	bob.Fails(t, 403, "M_FORBIDDEN", "POST", harness.Path("v3/user/{}/filter", alice.ID), harness.O{})
	alice.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/user/{}/filter/{}", alice.ID, "none-such"), nil)
}

func filterTypes(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	since := alice.Since(t)
	for _, typ := range []string{"a.one", "a.two", "b.one"} {
		alice.SendEvent(t, room, typ, harness.O{})
	}
	for _, c := range []struct {
		filter harness.O
		want   []string
	}{
		{harness.O{"types": []string{"a.*"}}, []string{"a.one", "a.two"}},
		{harness.O{"types": []string{"*.one"}}, []string{"a.one", "b.one"}},
		{harness.O{"not_types": []string{"a.*"}}, []string{"b.one"}},
		{harness.O{"types": []string{"a.*"}, "not_types": []string{"*.two"}}, []string{"a.one"}},
		{harness.O{"types": []string{}}, []string{}},
	} {
		part := joined(alice.Sync(t, "since", since, "filter", roomFilter("timeline", c.filter)), room)
		require.Equal(t, c.want, types(part.At("timeline", "events")), "%v", c.filter)
	}
}

func filterSenders(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := alice.Since(t)
	mine, his := alice.Send(t, room, "mine"), bob.Send(t, room, "his")
	part := joined(alice.Sync(t, "since", since, "filter", roomFilter("timeline", harness.O{"senders": []string{bob.ID}})), room)
	require.Equal(t, []string{his}, part.At("timeline", "events").Pluck("event_id"))
	part = joined(alice.Sync(t, "since", since, "filter", roomFilter("timeline", harness.O{"not_senders": []string{bob.ID}})), room)
	require.Equal(t, []string{mine}, part.At("timeline", "events").Pluck("event_id"))
}

func filterRooms(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	one, two := alice.CreateRoom(t, nil), alice.CreateRoom(t, nil)
	v := alice.Sync(t, "filter", harness.Filter(harness.O{"room": harness.O{"rooms": []string{one}}}))
	require.Equal(t, []string{one}, v.At("rooms", "join").Keys())
	v = alice.Sync(t, "filter", harness.Filter(harness.O{"room": harness.O{"not_rooms": []string{one}}}))
	require.Equal(t, []string{two}, v.At("rooms", "join").Keys())
}

func filterState(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, harness.O{"name": "n", "topic": "t"})
	sendMany(t, alice, room, 3)
	f := harness.Filter(harness.O{"room": harness.O{
		"state": harness.O{"types": []string{"m.room.topic"}}, "timeline": harness.O{"limit": 2},
	}})
	part := joined(alice.Sync(t, "filter", f), room)
	require.Equal(t, []string{"m.room.topic"}, types(part.At("state", "events")))
	require.Len(t, part.At("timeline", "events").List(), 2)
}

func filteredEventMoves(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	since := alice.Since(t)
	f := roomFilter("timeline", harness.O{"types": []string{"wanted"}})
	sendMany(t, alice, room, 3)
	v := alice.Sync(t, "since", since, "filter", f)
	require.Empty(t, harness.Timeline(v, room))
	want := alice.SendEvent(t, room, "wanted", harness.O{})
	v = alice.Sync(t, "since", v.At("next_batch"), "filter", f)
	require.Equal(t, []string{want}, harness.IDs(harness.Timeline(v, room)))
	require.False(t, joined(v, room).At("timeline", "limited").Bool())
}

// filterFields: a server may answer with more than was asked for, and must,
// since the answer has required members.
func filterFields(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	since := alice.Since(t)
	id := alice.Send(t, room, "kept")
	f := harness.Filter(harness.O{"event_fields": []string{"content.body", "type"}})
	ev := harness.Timeline(alice.Sync(t, "since", since, "filter", f), room)[0]
	require.Equal(t, "kept", ev.At("content", "body").String())
	require.Equal(t, id, ev.At("event_id").String())
}

func filterMessages(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	want := alice.SendEvent(t, room, "wanted", harness.O{})
	sendMany(t, alice, room, 5)
	page := alice.Messages(t, room, "dir", "b", "limit", 2, "filter", harness.Filter(harness.O{"types": []string{"wanted"}}))
	require.Equal(t, []string{want}, page.At("chunk").Pluck("event_id"))
}

func federationFormat(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	f := harness.Filter(harness.O{"event_format": "federation", "room": harness.O{"timeline": harness.O{"types": []string{"m.room.message"}}}})
	for _, version := range []string{"1", "10", "12"} {
		room := alice.CreateRoom(t, harness.O{"room_version": version})
		alice.Send(t, room, "kept")
		alice.Redact(t, room, alice.Send(t, room, "mistake"))
		events := harness.Timeline(alice.Sync(t, "filter", f), room)
		require.Len(t, events, 2)
		for i, content := range []string{`{"body":"kept","msgtype":"m.text"}`, "{}"} {
			require.Equal(t, content, events[i].At("content").Raw(), version)
			require.Subset(t, events[i].Keys(), []string{"auth_events", "depth", "event_id", "hashes", "prev_events", "room_id", "signatures", "unsigned"}, version)
		}
		require.True(t, events[1].At("unsigned", "redacted_because").Exists())
	}
}

// filteredMembersCount: "If this field has not changed since the last sync, it
// may be omitted. Required otherwise."
func filteredMembersCount(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, harness.O{"preset": "public_chat"})
	none := harness.O{"not_types": []string{"m.room.member"}}
	f := harness.Filter(harness.O{"room": harness.O{"timeline": none, "state": none}})
	since := alice.Since(t)
	bob.Join(t, room)
	v := alice.Sync(t, "since", since, "filter", f)
	require.EqualValues(t, 2, joined(v, room).At("summary", "m.joined_member_count").Int())
	require.Empty(t, joined(v, room).At("timeline", "events").List())
	since = v.At("next_batch").String()
	alice.SetState(t, room, "m.room.member", bob.ID, harness.O{"membership": "leave"})
	alice.Send(t, room, "he is gone")
	require.EqualValues(t, 1, joined(alice.Sync(t, "since", since, "filter", f), room).At("summary", "m.joined_member_count").Int())
}

func filteredRename(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	none := harness.O{"not_types": []string{"m.room.member"}}
	since := alice.Since(t)
	bob.SetState(t, room, "m.room.member", bob.ID, harness.O{"membership": "join", "displayname": "Robert"})
	v := alice.Sync(t, "since", since, "filter", harness.Filter(harness.O{"room": harness.O{"timeline": none, "state": none}}))
	require.False(t, joined(v, room).Exists())
}

// filteredUnreadCount: a count alone is no reason for an answer.
func filteredUnreadCount(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	f := harness.Filter(harness.O{"room": harness.O{"timeline": harness.O{"types": []string{"wanted"}}}})
	since := bob.Since(t)
	for range 2 {
		alice.Send(t, room, "unwanted")
		v := bob.Sync(t, "since", since, "filter", f)
		require.False(t, v.At("rooms").Exists())
		since = v.At("next_batch").String()
	}
	wanted := alice.SendEvent(t, room, "wanted", harness.O{})
	v := bob.Sync(t, "since", since, "filter", f)
	require.Equal(t, []string{wanted}, harness.IDs(harness.Timeline(v, room)))
	require.EqualValues(t, 2, joined(v, room).At("unread_notifications", "notification_count").Int())
}

// filteredState: a bot that filters for messages still gets the power levels,
// wherever the messages are.
func filteredState(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, harness.O{"topic": "old"})
	since := alice.Since(t)
	message := alice.Send(t, room, "message")
	topic := alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "new"})
	for _, c := range []harness.O{
		{"types": []string{"m.room.message"}}, {"types": []string{"m.room.message"}, "limit": 1},
		{"not_types": []string{"m.room.topic"}, "limit": 1},
	} {
		for _, query := range [][]any{{"since", since}, {}, {"since", since, "full_state", true}} {
			part := joined(alice.Sync(t, append(query, "filter", roomFilter("timeline", c))...), room)
			require.Equal(t, []string{message}, part.At("timeline", "events").Pluck("event_id"))
			state := part.At("state", "events")
			require.Equal(t, topic, harness.StateOf(state, "m.room.topic", "").At("event_id").String(), "%v %v", c, query)
			if len(query) == 2 {
				require.Len(t, state.List(), 1)
				require.False(t, part.At("timeline", "limited").Bool(), "%v %v", c, query)
			}
		}
	}
}

// filteredReplacement: a client ends with the state that the timeline shows last.
func filteredReplacement(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "power_level_content_override": harness.O{"users": harness.O{bob.ID: 100}}})
	bob.Join(t, room)
	since := alice.Since(t)
	before, hers := alice.Send(t, room, "before"), alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "hers"})
	his, after := bob.SetState(t, room, "m.room.topic", "", harness.O{"topic": "his"}), alice.Send(t, room, "after")
	f := harness.O{"not_senders": []string{bob.ID}}

	part := joined(alice.Sync(t, "since", since, "filter", roomFilter("timeline", f)), room)
	timeline := part.At("timeline")
	require.Equal(t, []string{after}, timeline.At("events").Pluck("event_id"))
	require.True(t, timeline.At("limited").Bool())
	require.Equal(t, []string{his}, part.At("state", "events").Pluck("event_id"))
	gap := alice.Messages(t, room, "dir", "b", "from", timeline.At("prev_batch"), "to", since, "filter", harness.Filter(f))
	require.Equal(t, []string{hers, before}, gap.At("chunk").Pluck("event_id"))

	// With the state after the timeline nothing needs to be left out, nor where his
	// state is of no interest.
	part = joined(alice.Sync(t, "since", since, "filter", roomFilter("timeline", f), "use_state_after", true), room)
	require.Equal(t, []string{before, hers, after}, part.At("timeline", "events").Pluck("event_id"))
	require.Equal(t, []string{his}, part.At("state_after", "events").Pluck("event_id"))
	both := harness.Filter(harness.O{"room": harness.O{"timeline": f, "state": f}})
	part = joined(alice.Sync(t, "since", since, "filter", both), room)
	require.Equal(t, []string{before, hers, after}, part.At("timeline", "events").Pluck("event_id"))
}
