// SPDX-License-Identifier: Apache-2.0

package messages_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomver"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

func TestSendingRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob", "eve")
		h.Act("eve", room, "leave", slicetest.O{})
		other := h.Public()
		elsewhere := h.Send("alice", other, "elsewhere")
		hers := h.Send("alice", room, "hers")
		h.Set("alice", room, "com.example.mine", "@alice:hs1", slicetest.O{})
		long := strings.Repeat("x", 256)
		redact := func(event string) string { return roomtest.At(room, "redact/{}/1", event) }
		var r roomtest.Rows
		for op, path := range map[string]string{
			"send": roomtest.At(room, "send/m.room.message/1"), "state": roomtest.At(room, "state/com.example.s/"), "redact": redact(hers),
		} {
			put := func(name, token string, body any, status int, errcode string) {
				r.Add(op+": "+name, "PUT", path, token, body, status, errcode)
			}
			put("no token", "", slicetest.O{}, 401, "M_MISSING_TOKEN")
			put("no body", "bob", nil, 400, "M_NOT_JSON")
			put("what is not JSON", "bob", `{"a"}`, 400, "M_NOT_JSON")
			put("a list", "bob", `[]`, 400, "M_BAD_JSON")
			put("a stranger", "frank", slicetest.O{}, 403, "M_FORBIDDEN")
			put("who has left", "eve", slicetest.O{}, 403, "M_FORBIDDEN")
			r.Add(op+": a room of nobody's", "PUT", strings.Replace(path, slicetest.Path("v3/rooms/{}/", room), slicetest.Path("v3/rooms/{}/", "!none"), 1), "bob", slicetest.O{}, 403, "M_FORBIDDEN")
			r.Add(op+": an alias", "PUT", strings.Replace(path, slicetest.Path("v3/rooms/{}/", room), slicetest.Path("v3/rooms/{}/", "#a:hs1"), 1), "bob", slicetest.O{}, 400, "M_INVALID_PARAM")
		}
		put := func(name, rest, token string, body any, status int, errcode string) {
			r.Add(name, "PUT", roomtest.At(room, rest), token, body, status, errcode)
		}
		put("a float", "send/m.room.message/2", "bob", `{"n":0.5}`, 400, "M_BAD_JSON")
		put("a number past 2^53", "send/m.room.message/2", "bob", `{"n":9007199254740992}`, 400, "M_BAD_JSON")
		put("a message past its bound", "send/m.room.message/2", "bob", slicetest.O{"body": strings.Repeat("x", 65536)}, 413, "M_TOO_LARGE")
		put("a type past its bound", "send/"+long+"/2", "bob", slicetest.O{}, 413, "M_TOO_LARGE")
		put("a redaction of nothing", "send/m.room.redaction/2", "bob", slicetest.O{}, 400, "M_BAD_JSON")
		put("a redaction of what is no event", "send/m.room.redaction/2", "bob", slicetest.O{"redacts": "event"}, 400, "M_BAD_JSON")
		put("a redaction of what is no string", "send/m.room.redaction/2", "bob", slicetest.O{"redacts": slicetest.O{}}, 400, "M_BAD_JSON")
		put("a redaction of another's event", "send/m.room.redaction/2", "bob", slicetest.O{"redacts": hers}, 403, "M_FORBIDDEN")

		put("state without the power", "state/m.room.name/", "bob", slicetest.O{"name": "x"}, 403, "M_FORBIDDEN")
		put("state under another's name", "state/com.example.mine/@alice:hs1", "bob", slicetest.O{}, 403, "M_FORBIDDEN")
		put("a second beginning", "state/m.room.create/", "alice", slicetest.O{}, 400, "M_BAD_JSON")
		put("a key past its bound", "state/com.example.s/"+long, "alice", slicetest.O{}, 413, "M_TOO_LARGE")
		put("a state type past its bound", "state/"+long+"/", "alice", slicetest.O{}, 413, "M_TOO_LARGE")
		put("power that is no number", "state/m.room.power_levels/", "alice", slicetest.O{"ban": "x"}, 400, "M_BAD_JSON")
		put("power of who has all", "state/m.room.power_levels/", "alice", slicetest.O{"users": slicetest.O{"@alice:hs1": 100}}, 400, "M_BAD_JSON")
		put("power that is no number, without the power", "state/m.room.power_levels/", "bob", slicetest.O{"ban": "x"}, 403, "M_FORBIDDEN")
		put("another's joining", "state/m.room.member/@frank:hs1", "alice", slicetest.O{"membership": "join"}, 403, "M_FORBIDDEN")
		put("a membership of nobody's", "state/m.room.member/@frank:hs1", "alice", slicetest.O{"membership": "guest"}, 400, "M_BAD_JSON")
		put("no membership", "state/m.room.member/@frank:hs1", "alice", slicetest.O{}, 400, "M_BAD_JSON")
		put("a membership without a key", "send/m.room.member/2", "alice", slicetest.O{"membership": "join"}, 400, "M_BAD_JSON")
		put("an invitation to elsewhere", "state/m.room.member/@frank:elsewhere", "alice", ` { "membership": "invite" }`, 403, "M_FORBIDDEN")
		put("an alias that leads elsewhere", "state/m.room.canonical_alias/", "alice", slicetest.O{"alias": "#none:hs1"}, 400, "M_BAD_ALIAS")
		put("the same with white space", "state/m.room.canonical_alias/", "alice", ` { "alias" : "#none:hs1" }`, 400, "M_BAD_ALIAS")
		put("the same behind another member", "state/m.room.canonical_alias/", "alice", `{"zz":1,"alias":"#none:hs1"}`, 400, "M_BAD_ALIAS")
		put("the same in a list with white space", "state/m.room.canonical_alias/", "alice", `{"alt_aliases": [ "#none:hs1" ]}`, 400, "M_BAD_ALIAS")
		put("what is no alias", "state/m.room.canonical_alias/", "alice", slicetest.O{"alias": "none"}, 400, "M_INVALID_PARAM")
		put("an alias that is no string", "state/m.room.canonical_alias/", "alice", slicetest.O{"alt_aliases": slicetest.L{7}}, 400, "M_BAD_JSON")

		put("a list that is an alias", "state/m.room.canonical_alias/", "alice", slicetest.O{"alt_aliases": "#none:hs1"}, 400, "M_BAD_JSON")

		r.Add("a redaction of an event of another room", "PUT", redact(elsewhere), "alice", slicetest.O{}, 404, "M_NOT_FOUND")
		r.Add("a redaction of an event of nobody's", "PUT", redact("$none"), "alice", slicetest.O{}, 404, "M_NOT_FOUND")
		r.Add("a redaction of what is no event ID", "PUT", redact("none"), "alice", slicetest.O{}, 400, "M_INVALID_PARAM")
		r.Add("a redaction of another's event without the power", "PUT", redact(hers), "bob", slicetest.O{}, 403, "M_FORBIDDEN")
		r.Add("a number for a reason", "PUT", redact(hers), "alice", slicetest.O{"reason": 7}, 400, "M_BAD_JSON")
		before := h.History("alice", room)
		slicetest.Table(t, h.Handler, r)
		require.Equal(t, roomtest.Types(before), roomtest.Types(h.History("alice", room)))
	})
}

// TestErrorsSpeakOfJSON, and not of how this program reads it.
func TestErrorsSpeakOfJSON(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := roomtest.At(h.Create("alice", nil), "state/m.room.canonical_alias/")
		for _, aliases := range []any{"#x:hs1", 7, slicetest.O{}, slicetest.L{slicetest.O{}}} {
			a := h.Do("PUT", room, "alice", slicetest.O{"alt_aliases": aliases})
			require.Equal(t, "M_BAD_JSON", a.At("errcode"))
			require.NotRegexp(t, `json|Go |unmarshal|api\.`, a.At("error"))
		}
	})
}

// TestSendIsRepeated: a request that comes again is answered as before and does
// nothing, for its device, its path and its transaction ID.
func TestSendIsRepeated(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room, other := h.Public("bob"), h.Public("bob")
		send := func(token, room, typ, txn, body string) string {
			return h.OK("PUT", roomtest.At(room, "send/{}/{}", typ, txn), token, slicetest.O{"body": body}).At("event_id")
		}
		first := send("bob", room, "m.room.message", "1", "hello")
		require.Equal(t, first, send("bob", room, "m.room.message", "1", "hello"))
		require.Equal(t, first, send("bob", room, "m.room.message", "1", "something else"))
		seen := map[string]bool{first: true}
		for name, event := range map[string]string{
			"another transaction ID": send("bob", room, "m.room.message", "2", "hello"),
			"another room":           send("bob", other, "m.room.message", "1", "hello"),
			"another type":           send("bob", room, "com.example", "1", "hello"),
			"another device":         send("bob/PHONE", room, "m.room.message", "1", "hello"),
			"another user":           send("alice", room, "m.room.message", "1", "hello"),
		} {
			require.False(t, seen[event], name)
			seen[event] = true
		}
		redact := func() string {
			return h.OK("PUT", roomtest.At(room, "redact/{}/1", first), "bob", slicetest.O{"reason": "typo"}).At("event_id")
		}
		redaction := redact()
		require.Equal(t, redaction, redact())
		h.Act("alice", room, "ban", roomtest.Target("bob"))
		require.Equal(t, first, send("bob", room, "m.room.message", "1", "hello"), "what may no longer be sent has been")
		require.Equal(t, redaction, redact())
		require.Equal(t, 403, h.Do("PUT", roomtest.At(room, "send/m.room.message/3"), "bob", slicetest.O{}).Status)
	})
}

// TestSendIsRepeatedAtOnce: of the same request many times at once, one counts.
func TestSendIsRepeatedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public()
		events := make([]string, 12)
		var all sync.WaitGroup
		for i := range events {
			all.Go(func() {
				path := roomtest.At(room, "send/m.room.message/{}", i%3)
				events[i] = h.Do("PUT", path, "alice", slicetest.O{"body": fmt.Sprint(i)}).At("event_id")
			})
		}
		all.Wait()
		for i := range events {
			require.NotEmpty(t, events[i])
			require.Equal(t, events[i%3], events[i])
		}
		require.Len(t, h.History("alice", room), 6+3)
	})
}

// TestRedactions: by either operation, in every version, what is left is what
// the version protects, and the redaction says in its version's way what it
// redacts.
func TestRedactions(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, rules := range roomver.All() {
			t.Run(rules.Version, func(t *testing.T) { h.in(t).redactions(rules) })
		}
	})
}

func (h *fixture) redactions(rules *roomver.Rules) {
	t := h.T
	room := h.Create("alice", slicetest.O{"preset": "public_chat", "room_version": rules.Version})
	h.Act("bob", room, "join", slicetest.O{})
	one, two := h.Send("bob", room, "one"), h.Send("bob", room, "two")
	byHand := h.OK("PUT", roomtest.At(room, "redact/{}/r1", one), "bob", slicetest.O{"reason": "typo"}).At("event_id")
	bySend := h.OK("PUT", roomtest.At(room, "send/m.room.redaction/r1"), "alice", ` { "redacts" : "`+two+`", "reason" : "spam", "more": 1 } `).At("event_id")
	require.NotEqual(t, byHand, bySend)
	for i, c := range []struct{ redacted, redaction, reason, sender string }{
		{one, byHand, "typo", "@bob:hs1"}, {two, bySend, "spam", "@alice:hs1"},
	} {
		e := h.OK("GET", roomtest.At(room, "event/{}", c.redacted), "alice", nil)
		require.Equal(t, `{}`, e.At("content"))
		because := e.At("unsigned", "redacted_because")
		require.Contains(t, because, c.redaction)
		r := h.OK("GET", roomtest.At(room, "event/{}", c.redaction), "bob", nil)
		require.Equal(t, c.reason, r.At("content", "reason"))
		require.Equal(t, c.sender, r.At("sender"))
		require.Equal(t, c.redacted, r.At("redacts"), "clients of old look here")
		require.Equal(t, c.redacted, r.At("content", "redacts"), "clients of today look here")
		require.Equal(t, []string{"", "1"}[i], r.At("content", "more"))
	}
	again := h.OK("PUT", roomtest.At(room, "redact/{}/r2", one), "alice", slicetest.O{}).At("event_id")
	require.NotEqual(t, byHand, again)
}

// TestStateIsSet: an empty state key with and without the slash before it,
// content as it was sent, and one event for each request.
func TestStateIsSet(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	room := h.Public("bob")
	path := roomtest.At(room, "state/com.example.s")
	first := h.OK("PUT", path, "alice", ` { "z" : 1, "a" : [ true , null ] } `).At("event_id")
	second := h.OK("PUT", path+"/", "alice", slicetest.O{"z": 1, "a": slicetest.L{true, nil}}).At("event_id")
	require.NotEqual(t, first, second, "what changes nothing is an event too")
	for _, p := range []string{path, path + "/"} {
		require.Equal(t, `{"a":[true,null],"z":1}`, h.OK("GET", p, "bob", nil).Body)
	}
	e := h.OK("GET", path+"?format=event", "bob", nil)
	require.Equal(t, second, e.At("event_id"))
	require.Equal(t, room, e.At("room_id"))
	require.Equal(t, first, e.At("unsigned", "replaces_state"))
	h.Set("alice", room, "com.example.s", "a/b#c", slicetest.O{"key": "odd"})
	require.Equal(t, "odd", h.State("bob", room, "com.example.s", "a/b#c").At("key"))
	h.Set("bob", room, "m.room.member", "@bob:hs1", slicetest.O{"membership": "join", "displayname": "Bob here"})
	require.Equal(t, "Bob here", h.State("alice", room, "m.room.member", "@bob:hs1").At("displayname"))
	h.Set("alice", room, "m.room.member", "@carol:hs1", slicetest.O{"membership": "invite"})
	require.Equal(t, "invite", h.Membership(room, "carol"))
}

// TestTheSameRequestAtTheSameTime sends a message several times at once, as a
// client does that has lost patience, while others talk: all answers name the
// one event.
//
// Spec: client-server "Transaction identifiers".
func TestTheSameRequestAtTheSameTime(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob")
		body := slicetest.O{"msgtype": "m.text", "body": "hello"}
		said := map[string]bool{}
		for n := range 20 {
			var all sync.WaitGroup
			answers := make([]slicetest.Answer, 8)
			for i := range answers {
				all.Go(func() {
					h.Clock.Advance(time.Millisecond)
					answers[i] = h.Do("PUT", roomtest.At(room, "send/m.room.message/{}", n), "alice", body)
				})
				all.Go(func() { h.Do("PUT", roomtest.At(room, "send/com.example.other/{}-{}", n, i), "bob", slicetest.O{}) })
			}
			all.Wait()
			for _, a := range answers {
				require.Equal(t, 200, a.Status, a)
				require.Equal(t, answers[0].At("event_id"), a.At("event_id"))
			}
			said[answers[0].At("event_id")] = true
		}
		require.Len(t, said, 20)
		for _, e := range roomtest.List(t, h.OK("GET", roomtest.At(room, "messages")+"?dir=b&limit=1000", "alice", nil).At("chunk")) {
			if e.Type == "m.room.message" {
				require.True(t, said[string(e.ID)], "%s was not answered", e.ID)
				delete(said, string(e.ID))
			}
		}
		require.Empty(t, said)
	})
}
