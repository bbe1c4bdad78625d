// SPDX-License-Identifier: Apache-2.0

package messages_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

func TestReadingRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"invite": slicetest.L{slicetest.User("carol")}})
		event := h.Send("alice", room, "hello")
		other := h.Public("alice")
		var r roomtest.Rows
		for _, path := range []string{"state", "state/m.room.create/", "state/none/", "members", "joined_members", "messages?dir=b"} {
			get := func(name, token string, status int, errcode string) {
				r.Add(path+": "+name, "GET", roomtest.At(room, path), token, nil, status, errcode)
			}
			get("no token", "", 401, "M_MISSING_TOKEN")
			get("a stranger", "frank", 403, "M_FORBIDDEN")
			get("who is invited", "carol", 403, "M_FORBIDDEN")
			r.Add(path+": a room of nobody's", "GET", roomtest.At("!none", path), "alice", nil, 403, "M_FORBIDDEN")
			r.Add(path+": what is no room", "GET", roomtest.At("room", path), "alice", nil, 400, "M_INVALID_PARAM")
		}
		get := func(name, token, path string, status int, errcode string) {
			r.Add(name, "GET", roomtest.At(room, path), token, nil, status, errcode)
		}
		get("an event, no token", "", "event/"+event, 401, "M_MISSING_TOKEN")
		get("an event, a stranger", "frank", "event/"+event, 404, "M_NOT_FOUND")
		get("an event, who is invited", "carol", "event/"+event, 404, "M_NOT_FOUND")
		get("an event of nobody's", "alice", "event/$none", 404, "M_NOT_FOUND")
		get("what is no event", "alice", "event/none", 400, "M_INVALID_PARAM")
		r.Add("an event of another room", "GET", roomtest.At(other, "event/{}", event), "alice", nil, 404, "M_NOT_FOUND")
		r.Add("an event of a room of nobody's", "GET", roomtest.At("!none", "event/{}", event), "alice", nil, 404, "M_NOT_FOUND")
		get("state that is not there", "alice", "state/m.room.topic/", 404, "M_NOT_FOUND")
		get("state under another key", "alice", "state/m.room.create/x", 404, "M_NOT_FOUND")
		get("another format", "alice", "state/m.room.create/?format=pdu", 400, "M_INVALID_PARAM")
		get("another membership", "alice", "members?membership=guest", 400, "M_INVALID_PARAM")
		get("another membership to leave out", "alice", "members?not_membership=guest", 400, "M_INVALID_PARAM")
		get("members at no token", "alice", "members?at=nonsense", 400, "M_INVALID_PARAM")
		get("a page in no direction", "alice", "messages", 400, "M_MISSING_PARAM")
		get("a page in another direction", "alice", "messages?dir=up", 400, "M_INVALID_PARAM")
		get("a page from no token", "alice", "messages?dir=b&from=nonsense", 400, "M_INVALID_PARAM")
		get("a page to no token", "alice", "messages?dir=b&to=nonsense", 400, "M_INVALID_PARAM")
		get("a page of letters", "alice", "messages?dir=b&limit=ten", 400, "M_INVALID_PARAM")
		get("a page below nothing", "alice", "messages?dir=b&limit=-1", 400, "M_INVALID_PARAM")
		get("a filter that is no JSON", "alice", "messages?dir=b&filter=x", 400, "M_INVALID_PARAM")
		get("a filter of another type", "alice", "messages?dir=b&filter=%7B%22types%22%3A7%7D", 400, "M_INVALID_PARAM")
		r.Add("rooms, no token", "GET", slicetest.Path("v3/joined_rooms"), "", nil, 401, "M_MISSING_TOKEN")
		slicetest.Table(t, h.Handler, r)
	})
}

func TestMembersAreFiltered(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob", "eve")
		h.Act("alice", room, "invite", roomtest.Target("carol"))
		h.Act("alice", room, "ban", roomtest.Target("dan"))
		h.Act("eve", room, "leave", slicetest.O{})
		for query, want := range map[string][]string{
			"":                                       {"alice join", "bob join", "carol invite", "dan ban", "eve leave"},
			"?membership=join":                       {"alice join", "bob join"},
			"?membership=knock":                      nil,
			"?not_membership=join":                   {"carol invite", "dan ban", "eve leave"},
			"?membership=ban&not_membership=join":    {"carol invite", "dan ban", "eve leave"},
			"?membership=join&not_membership=ban":    {"alice join", "bob join", "carol invite", "eve leave"},
			"?membership=leave&not_membership=leave": {"alice join", "bob join", "carol invite", "dan ban", "eve leave"},
		} {
			require.Equal(t, want, roomtest.Names(t, h.OK("GET", roomtest.At(room, "members"+query), "alice", nil).At("chunk")), query)
		}
		joined := h.OK("GET", roomtest.At(room, "joined_members"), "bob", nil)
		require.Equal(t, `{"@alice:hs1":{},"@bob:hs1":{}}`, joined.At("joined"))
		require.Equal(t, 403, h.Do("GET", roomtest.At(room, "joined_members"), "eve", nil).Status, "who has left is not in the room")
	})
}

// TestWhoHasLeft sees the room as it was then, whatever has happened since to
// the room or to them, and whatever token they name.
func TestWhoHasLeft(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob")
		h.Set("alice", room, "m.room.topic", "", slicetest.O{"topic": "then"})
		seen := h.Send("alice", room, "then")
		h.Act("bob", room, "leave", slicetest.O{})
		then := roomtest.Names(t, h.OK("GET", roomtest.At(room, "members"), "alice", nil).At("chunk"))
		h.Act("carol", room, "join", slicetest.O{})
		h.Set("alice", room, "m.room.topic", "", slicetest.O{"topic": "now"})
		unseen := h.Send("alice", room, "now")
		later := feed.Token{Epoch: h.Feed.Epoch(), Pos: h.Feed.Stamp()}.String()
		look := func(name string) {
			require.Equal(t, "then", h.State("bob", room, "m.room.topic", "").At("topic"), name)
			require.Equal(t, then, roomtest.Names(t, h.OK("GET", roomtest.At(room, "members"), "bob", nil).At("chunk")), name)
			require.Equal(t, then, roomtest.Names(t, h.OK("GET", roomtest.At(room, "members?at="+later), "bob", nil).At("chunk")), name)
			all := h.OK("GET", roomtest.At(room, "state"), "bob", nil).Body
			require.Contains(t, all, `"topic":"then"`, name)
			require.NotContains(t, all, "@carol:hs1", name)
			h.OK("GET", roomtest.At(room, "event/{}", seen), "bob", nil)
			require.Equal(t, 404, h.Do("GET", roomtest.At(room, "event/{}", unseen), "bob", nil).Status, name)
		}
		look("left")
		h.Act("alice", room, "ban", roomtest.Target("bob"))
		look("banned since")
		h.Act("alice", room, "unban", roomtest.Target("bob"))
		look("unbanned since")
		h.Act("alice", room, "invite", roomtest.Target("bob"))
		look("invited since")
		h.Act("bob", room, "join", slicetest.O{})
		require.Equal(t, "now", h.State("bob", room, "m.room.topic", "").At("topic"))
		require.Contains(t, roomtest.Names(t, h.OK("GET", roomtest.At(room, "members"), "bob", nil).At("chunk")), "carol join")
	})
}

// TestMembersAtAToken: a token of the past shows who was there then.
func TestMembersAtAToken(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob")
		token := feed.Token{Epoch: h.Feed.Epoch(), Pos: h.Feed.Stamp()}.String()
		h.Act("carol", room, "join", slicetest.O{})
		h.Act("bob", room, "leave", slicetest.O{})
		require.Equal(t, []string{"alice join", "bob join"}, roomtest.Names(t, h.OK("GET", roomtest.At(room, "members?at="+token), "alice", nil).At("chunk")))
		require.Equal(t, []string{"alice join", "bob leave", "carol join"}, roomtest.Names(t, h.OK("GET", roomtest.At(room, "members"), "alice", nil).At("chunk")))
	})
}

// TestMembersOfATimeOutOfSight: who was there is for those who may see what was
// said then.
func TestMembersOfATimeOutOfSight(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for visibility, seen := range map[string]bool{"world_readable": true, "shared": true, "invited": false, "joined": false} {
			room := h.Public("carol")
			h.Set("alice", room, "m.room.history_visibility", "", slicetest.O{"history_visibility": visibility})
			token := func() string { return feed.Token{Epoch: h.Feed.Epoch(), Pos: h.Feed.Stamp()}.String() }
			before := token()
			h.Act("carol", room, "leave", slicetest.O{})
			h.Act("bob", room, "join", slicetest.O{})
			inside := token()
			h.Act("bob", room, "leave", slicetest.O{})
			between := token()
			h.Act("bob", room, "join", slicetest.O{})
			ask := func(token string) slicetest.Answer {
				return h.Do("GET", roomtest.At(room, "members?at="+token), "bob", nil)
			}
			require.Equal(t, []string{"alice join", "bob join", "carol leave"}, roomtest.Names(t, ask(inside).At("chunk")), visibility)
			for _, hidden := range []string{before, between} {
				if seen {
					require.Equal(t, 200, ask(hidden).Status, visibility)
				} else {
					require.Equal(t, 403, ask(hidden).Status, visibility)
					require.Equal(t, "M_FORBIDDEN", ask(hidden).At("errcode"), visibility)
				}
			}
		}
	})
}

// bodies lists the messages of a page.
func bodies(events []roomtest.Event) (out []string) {
	for _, e := range events {
		if body, ok := e.Content["body"].(string); ok {
			out = append(out, body)
		}
	}
	return out
}

// TestPages walks a room in both directions, in pages of each size.
func TestPages(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob")
		var want []string
		for n := range 11 {
			want = append(want, fmt.Sprint("message ", n))
			h.Send([]string{"alice", "bob"}[n%2], room, want[n])
		}
		all := len(h.History("alice", room))
		for _, dir := range []string{"b", "f"} {
			for _, limit := range []int{1, 2, 3, all - 1, all, all + 1, 5000} {
				var got []roomtest.Event
				token := ""
				for page := 0; page == 0 || token != ""; page++ {
					query := fmt.Sprintf("messages?dir=%s&limit=%d", dir, limit)
					if token != "" {
						query += "&from=" + token
					}
					a := h.OK("GET", roomtest.At(room, query), "bob", nil)
					if token != "" {
						require.Equal(t, token, a.At("start"), "the value given in from")
					}
					events := roomtest.List(t, a.At("chunk"))
					require.LessOrEqual(t, len(events), limit)
					got = append(got, events...)
					token = a.At("end")
				}
				require.Len(t, got, all, "%s %d", dir, limit)
				if dir == "b" {
					slices.Reverse(got)
				}
				require.Equal(t, want, bodies(got), "%s %d", dir, limit)
				require.Equal(t, "m.room.create", got[0].Type)
			}
		}
		require.Len(t, roomtest.List(t, h.OK("GET", roomtest.At(room, "messages?dir=b"), "bob", nil).At("chunk")), 10, "a page of nobody's size")
	})
}

// TestPagesEndWhereAskedTo: between two tokens lies what lies between them, and
// a page's start leads back to where it began.
func TestPagesEndWhereAskedTo(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public()
		position := func() string { return feed.Token{Epoch: h.Feed.Epoch(), Pos: h.Feed.Stamp()}.String() }
		h.Send("alice", room, "a")
		first := position()
		h.Send("alice", room, "b")
		h.Send("alice", room, "c")
		second := position()
		h.Send("alice", room, "d")
		page := func(query string) []string {
			return bodies(roomtest.List(t, h.OK("GET", roomtest.At(room, "messages?"+query), "alice", nil).At("chunk")))
		}
		require.Equal(t, []string{"b", "c"}, page("dir=f&from="+first+"&to="+second))
		require.Equal(t, []string{"c", "b"}, page("dir=b&from="+second+"&to="+first))
		require.Equal(t, []string{"d"}, page("dir=f&from="+second))
		require.Equal(t, []string{"a"}, page("dir=b&from="+first))
		require.Empty(t, page("dir=f&from="+first+"&to="+first))
		require.Equal(t, first, h.OK("GET", roomtest.At(room, "messages?dir=f&from="+first), "alice", nil).At("start"), "the value given in from")
		a := h.OK("GET", roomtest.At(room, "messages?dir=b&limit=2"), "alice", nil)
		require.Equal(t, []string{"c", "d"}, page("dir=f&from="+a.At("end")))
		require.Equal(t, []string{"d", "c"}, page("dir=b&limit=2&from="+a.At("start")))
		empty := h.OK("GET", roomtest.At(room, "messages?dir=f&from="+position()), "alice", nil)
		require.Equal(t, `[]`, empty.At("chunk"))
		require.Empty(t, empty.At("end"), "nothing more")
		h.Send("alice", room, "e")
		require.Equal(t, []string{"e"}, page("dir=f&from="+a.At("start")))
	})
}

// TestTheLastPageHasNoEnd, whether nothing more is there, or nothing that the
// caller may see or has asked for. At the live end more may come: the page of who
// reads forwards is the last only when it is empty.
func TestTheLastPageHasNoEnd(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"preset": "public_chat"})
		h.Set("alice", room, "m.room.history_visibility", "", slicetest.O{"history_visibility": "joined"})
		for n := range 150 {
			h.Send("alice", room, fmt.Sprint("unseen ", n))
		}
		h.Act("bob", room, "join", slicetest.O{})
		h.Send("alice", room, "seen")
		page := func(query, filter string) (size int, end string) {
			a := h.OK("GET", roomtest.At(room, "messages?"+query)+slicetest.Query("filter", filter), "bob", nil)
			return len(roomtest.List(t, a.At("chunk"))), a.At("end")
		}
		for query, want := range map[string]int{"dir=b&limit=1": 1, "dir=b&limit=2": 1} {
			size, end := page(query, `{"types":["m.room.message"]}`)
			require.Equal(t, want, size, query)
			require.Empty(t, end, query)
		}
		size, end := page("dir=f&limit=1", `{"types":["m.room.message"]}`)
		require.Equal(t, 1, size)
		size, end = page("dir=f&limit=1&from="+end, `{"types":["m.room.message"]}`)
		require.Zero(t, size)
		require.Empty(t, end)
		size, end = page("dir=b&limit=2", `{"types":["m.room.message","m.room.member"]}`)
		require.Equal(t, 2, size)
		require.NotEmpty(t, end, "alice joined before the history was closed")
	})
}

// TestMembersOfAPageForWhoHasLeft are what they were at the leave.
func TestMembersOfAPageForWhoHasLeft(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob")
		h.Send("alice", room, "hello")
		h.Act("bob", room, "leave", slicetest.O{})
		h.Set("alice", room, "m.room.member", "@alice:hs1", slicetest.O{"membership": "join", "displayname": "without Bob"})
		a := h.OK("GET", roomtest.At(room, "messages?dir=b&limit=2")+slicetest.Query("filter", `{"lazy_load_members":true}`), "bob", nil)
		require.Equal(t, []string{"alice join", "bob leave"}, roomtest.Names(t, a.At("state")))
		require.NotContains(t, a.At("state"), "without")
	})
}

// TestPagesAreFiltered, and with members to go with them when asked for.
func TestPagesAreFiltered(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	room := h.Public("bob", "carol")
	h.Send("alice", room, "of alice")
	h.Send("bob", room, "of bob")
	page := func(filter string) slicetest.Answer {
		return h.OK("GET", roomtest.At(room, "messages?dir=b&limit=50")+slicetest.Query("filter", filter), "alice", nil)
	}
	require.Equal(t, []string{"of bob"}, bodies(roomtest.List(t, page(`{"senders":["@bob:hs1"]}`).At("chunk"))))
	require.Equal(t, []string{"of bob", "of alice"}, bodies(roomtest.List(t, page(`{"types":["m.room.message"]}`).At("chunk"))))
	a := page(`{"types":["m.room.message"],"not_senders":["@alice:hs1"],"lazy_load_members":true}`)
	require.Equal(t, []string{"bob join"}, roomtest.Names(t, a.At("state")))
	require.Empty(t, page(`{"types":["m.room.message"]}`).At("state"))
	require.Len(t, roomtest.List(t, h.OK("GET", roomtest.At(room, "messages?dir=b")+slicetest.Query("filter", `{"limit":1}`), "alice", nil).At("chunk")), 1)
}

// TestOneEvent is whole, for whoever was there.
func TestOneEvent(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public()
		before := h.Send("alice", room, "before")
		h.Act("bob", room, "join", slicetest.O{})
		e := h.OK("GET", roomtest.At(room, "event/{}", h.Send("alice", room, "after")), "bob", nil)
		require.Equal(t, room, e.At("room_id"))
		require.Equal(t, "@alice:hs1", e.At("sender"))
		require.Equal(t, "m.room.message", e.At("type"))
		require.Equal(t, "after", e.At("content", "body"))
		require.Equal(t, "join", e.At("unsigned", "membership"))
		require.Equal(t, "0", e.At("unsigned", "age"))
		require.Empty(t, e.At("unsigned", "transaction_id"))
		require.Equal(t, "leave", h.OK("GET", roomtest.At(room, "event/{}", before), "bob", nil).At("unsigned", "membership"))
		own := h.OK("GET", roomtest.At(room, "event/{}", before), "alice", nil)
		require.NotEmpty(t, own.At("unsigned", "transaction_id"))
		require.Empty(t, h.OK("GET", roomtest.At(room, "event/{}", before), "alice/PHONE", nil).At("unsigned", "transaction_id"), "of the device that sent it")
	})
}
