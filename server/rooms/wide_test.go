// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/tests/stage"
)

// TestARoomWithMoreExtremitiesThanAnEventCanName goes on, and has fewer with
// each event of ours.
func TestARoomWithMoreExtremitiesThanAnEventCanName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, version := range []string{"1", "12"} {
			m := h.shared(version, bob, carol)
			h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
			fork := m.tips
			for n := range 50 {
				d := topicDraft(bob, strconv.Itoa(n))
				if n%3 == 0 {
					d = messageDraft(carol, strconv.Itoa(n))
				}
				h.accepted(m.build(d, fork...))
			}
			require.Len(t, m.tips, 50)
			room := string(m.id)
			first := h.send("alice", room, "first")
			h.learn()
			require.Len(t, m.tips, 31)
			h.agrees()
			path := at(room, "send/m.room.message/again")
			said := h.ok("PUT", path, "alice", stage.O{"body": "once", "msgtype": "m.text"}).At("event_id")
			require.Equal(t, said, h.ok("PUT", path, "alice", stage.O{"body": "once", "msgtype": "m.text"}).At("event_id"))
			h.learn()
			require.Len(t, m.tips, 12)
			h.set("alice", room, "m.room.topic", "", stage.O{"topic": "last"})
			h.learn()
			require.Len(t, m.tips, 1)
			h.agrees()
			require.Equal(t, "last", h.state("alice", room, "m.room.topic", "").At("topic"))
			require.Contains(t, h.timeline(), "first")
			require.NotEmpty(t, first)
		}
	})
}

// TestManySendIntoAWideRoom at once: the jobs that queue up find it less wide
// one after the other.
func TestManySendIntoAWideRoom(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := h.shared("12", bob, carol)
		fork := m.tips
		for n := range 45 { // wide still when those come that queued up behind the first
			h.accepted(m.build(messageDraft(carol, strconv.Itoa(n)), fork...))
		}
		var all sync.WaitGroup
		for n := range 12 {
			all.Go(func() {
				a := h.do("PUT", at(string(m.id), "send/m.room.message/{}", n), "alice", stage.O{"body": "x", "msgtype": "m.text"})
				if a.Status != 200 {
					t.Error(a)
				}
			})
		}
		all.Wait()
		h.learn()
		require.Len(t, m.tips, 1)
		h.agrees()
	})
}

// TestAWideRoomRefuses what one of its branches, or all together, do not allow.
func TestAWideRoomRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := h.shared("12", bob, carol)
		h.act("dora", string(m.id), "join", stage.O{})
		h.learn()
		h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
		fork := m.tips
		for n := range 30 {
			h.accepted(m.build(messageDraft(carol, strconv.Itoa(n)), fork...))
		}
		h.accepted(m.build(memberDraft(bob, stage.User("dora"), "ban"), fork...))
		a := h.do("PUT", at(string(m.id), "send/m.room.message/x"), "dora", stage.O{"body": "x", "msgtype": "m.text"})
		require.Equal(t, 403, a.Status, a)
		require.Equal(t, "M_FORBIDDEN", a.At("errcode"))
		h.send("alice", string(m.id), "alice may")
		h.learn()
		h.agrees()
		require.Equal(t, "ban", m.events[m.current()[event.StateKey{Type: event.TypeMember, Key: string(stage.User("dora"))}]].Event.Membership())
	})
}
