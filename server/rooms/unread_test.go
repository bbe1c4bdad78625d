// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// unreadThreads asks for counts by thread.
const unreadThreads = `{"room":{"timeline":{"unread_thread_notifications":true}}}`

// counts are what a user has not read of a room, as an answer to an initial
// sync tells it.
func (h *fixture) counts(name, room, filter string) func(path ...string) string {
	h.T.Helper()
	a := h.OK("GET", "/_matrix/client/v3/sync?timeout=0"+slicetest.Query("filter", filter), name, nil)
	return func(path ...string) string {
		return a.At(append([]string{"rooms", "join", room}, path...)...)
	}
}

func (h *fixture) notified(name, room string) string {
	h.T.Helper()
	return h.counts(name, room, "{}")("unread_notifications", "notification_count")
}

// TestUnreadCounts has members talk and counts with them.
//
// Spec: client-server "Receiving notifications".
func TestUnreadCounts(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob", "carol")
		root := h.Send("alice", room, "one")
		h.Send("alice", room, "two")
		require.Equal(t, "0", h.notified("alice", room), "one's own messages are read")
		require.Equal(t, "2", h.notified("bob", room))

		h.Send("bob", room, "three")
		require.Equal(t, "0", h.notified("bob", room), "who sends has read what came before")
		require.Equal(t, "1", h.notified("alice", room))
		require.Equal(t, "3", h.notified("carol", room))

		h.Txns++
		h.OK("PUT", roomtest.At(room, "send/m.room.message/{}", h.Txns), "alice", slicetest.O{
			"msgtype": "m.text", "body": "Carol?", "m.mentions": slicetest.O{"user_ids": slicetest.L{slicetest.User("carol")}},
		})
		for range 2 {
			h.Txns++
			h.OK("PUT", roomtest.At(room, "send/m.room.message/{}", h.Txns), "bob", slicetest.O{
				"msgtype": "m.text", "body": "aside", "m.relates_to": slicetest.O{"rel_type": "m.thread", "event_id": root},
			})
		}
		whole := h.counts("carol", room, "{}")
		require.Equal(t, `{"highlight_count":1,"notification_count":6}`, whole("unread_notifications"))
		require.Empty(t, whole("unread_thread_notifications"))
		apart := h.counts("carol", room, unreadThreads)
		require.Equal(t, `{"highlight_count":1,"notification_count":4}`, apart("unread_notifications"))
		require.Equal(t, fmt.Sprintf(`{%q:{"highlight_count":0,"notification_count":2}}`, root), apart("unread_thread_notifications"))

		h.Act("dora", room, "join", slicetest.O{})
		require.Equal(t, "0", h.notified("dora", room), "what was before one joined is not unread")
		h.Set("alice", room, "m.room.topic", "", slicetest.O{"topic": "quiet"})
		require.Equal(t, "0", h.notified("dora", room), "the default rules do not notify of a topic")
		h.Send("alice", room, "four")
		require.Equal(t, "1", h.notified("dora", room))
	})
}

// TestWhatIsRedactedIsNotUnread: nor is it a highlight, in the main timeline and
// in a thread. What was read before counts for nobody twice.
//
// Spec: client-server "Receiving notifications"; decision 0042.
func TestWhatIsRedactedIsNotUnread(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob", "carol")
		say := func(more slicetest.O) string {
			h.Txns++
			body := slicetest.O{"msgtype": "m.text", "body": "hello"}
			maps.Copy(body, more)
			return h.OK("PUT", roomtest.At(room, "send/m.room.message/{}", h.Txns), "alice", body).At("event_id")
		}
		redact := func(eventID string) {
			h.Txns++
			h.OK("PUT", roomtest.At(room, "redact/{}/{}", eventID, h.Txns), "alice", slicetest.O{})
		}
		root := say(nil)
		h.Send("carol", room, "carol has read so far")
		plain := say(nil)
		mention := say(slicetest.O{"m.mentions": slicetest.O{"user_ids": slicetest.L{slicetest.User("bob")}}})
		everybody := say(slicetest.O{"m.mentions": slicetest.O{"room": true}})
		reply := say(slicetest.O{"m.relates_to": slicetest.O{"rel_type": "m.thread", "event_id": root}})
		for _, step := range []struct{ redacted, bob, carol, thread string }{
			{"", `{"highlight_count":2,"notification_count":6}`, `{"highlight_count":1,"notification_count":4}`, "1"},
			{root, `{"highlight_count":2,"notification_count":5}`, `{"highlight_count":1,"notification_count":4}`, "1"},
			{plain, `{"highlight_count":2,"notification_count":4}`, `{"highlight_count":1,"notification_count":3}`, "1"},
			{plain, `{"highlight_count":2,"notification_count":4}`, `{"highlight_count":1,"notification_count":3}`, "1"},
			{mention, `{"highlight_count":1,"notification_count":3}`, `{"highlight_count":1,"notification_count":2}`, "1"},
			{everybody, `{"highlight_count":0,"notification_count":2}`, `{"highlight_count":0,"notification_count":1}`, "1"},
			{reply, `{"highlight_count":0,"notification_count":1}`, `{"highlight_count":0,"notification_count":0}`, ""},
		} {
			if step.redacted != "" {
				redact(step.redacted)
			}
			require.Equal(t, step.bob, h.counts("bob", room, "{}")("unread_notifications"), step)
			require.Equal(t, step.carol, h.counts("carol", room, "{}")("unread_notifications"), step)
			require.Equal(t, step.thread, h.counts("carol", room, unreadThreads)("unread_thread_notifications", root, "notification_count"), step)
		}
		require.Equal(t, "0", h.notified("alice", room))
	})
}

// TestThreadsOfUnread: what belongs to a thread is counted with it, however it is
// related to it.
//
// Spec: client-server "Threaded read receipts", "Threading".
func TestThreadsOfUnread(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room, other := h.Public("bob"), h.Public("bob")
		say := func(kind, to string) string {
			h.Txns++
			body := slicetest.O{"msgtype": "m.text", "body": "hello"}
			if kind != "" {
				body["m.relates_to"] = slicetest.O{"rel_type": kind, "event_id": to}
			}
			return h.OK("PUT", roomtest.At(room, "send/m.room.message/{}", h.Txns), "alice", body).At("event_id")
		}
		want := map[string]int{}
		main := 0
		count := func(n int, thread string) {
			t.Helper()
			main += n
			if thread != "" {
				want[thread]++
			}
			got := h.counts("bob", room, unreadThreads)
			require.Equal(t, fmt.Sprint(main), got("unread_notifications", "notification_count"))
			for root, n := range want {
				require.Equal(t, fmt.Sprint(n), got("unread_thread_notifications", root, "notification_count"))
			}
			if len(want) == 0 {
				require.Empty(t, got("unread_thread_notifications"))
			}
		}
		root := say("", "")
		count(1, "")
		say("m.reference", root)
		count(1, "") // related to the root, and not by a thread
		say("m.thread", h.Send("alice", other, "elsewhere"))
		count(1, "")
		say("m.thread", "$nowhere")
		count(1, "")

		reply := say("m.thread", root)
		count(0, root)
		one := say("m.reference", reply)
		count(0, root)
		two := say("m.reference", one)
		count(0, root)
		three := say("m.reference", two)
		count(0, root)
		say("m.reference", three)
		count(1, "") // too far away
		say("m.thread", reply)
		count(0, root) // no thread begins in a thread
	})
}
