// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/seedrand"
	"touchstone.example/tests/slicetest"
)

// TestARoomWithMoreExtremitiesThanAnEventCanName goes on, and has fewer with
// each event of ours.
func TestARoomWithMoreExtremitiesThanAnEventCanName(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
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
			first := h.Send("alice", room, "first")
			h.learn()
			require.Len(t, m.tips, 31)
			h.agrees()
			path := roomtest.At(room, "send/m.room.message/again")
			said := h.OK("PUT", path, "alice", slicetest.O{"body": "once", "msgtype": "m.text"}).At("event_id")
			require.Equal(t, said, h.OK("PUT", path, "alice", slicetest.O{"body": "once", "msgtype": "m.text"}).At("event_id"))
			h.learn()
			require.Len(t, m.tips, 12)
			h.Set("alice", room, "m.room.topic", "", slicetest.O{"topic": "last"})
			h.learn()
			require.Len(t, m.tips, 1)
			h.agrees()
			require.Equal(t, "last", h.State("alice", room, "m.room.topic", "").At("topic"))
			require.Contains(t, h.timeline(), "first")
			require.NotEmpty(t, first)
		}
	})
}

// TestManySendIntoAWideRoom at once: the jobs that queue up find it less wide
// one after the other.
func TestManySendIntoAWideRoom(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob, carol)
		fork := m.tips
		for n := range 45 { // wide still when those come that queued up behind the first
			h.accepted(m.build(messageDraft(carol, strconv.Itoa(n)), fork...))
		}
		var all sync.WaitGroup
		for n := range 12 {
			all.Go(func() {
				a := h.Do("PUT", roomtest.At(string(m.id), "send/m.room.message/{}", n), "alice", slicetest.O{"body": "x", "msgtype": "m.text"})
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
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob, carol)
		h.Act("dora", string(m.id), "join", slicetest.O{})
		h.learn()
		h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
		fork := m.tips
		for n := range 30 {
			h.accepted(m.build(messageDraft(carol, strconv.Itoa(n)), fork...))
		}
		h.accepted(m.build(memberDraft(bob, slicetest.User("dora"), "ban"), fork...))
		a := h.Do("PUT", roomtest.At(string(m.id), "send/m.room.message/x"), "dora", slicetest.O{"body": "x", "msgtype": "m.text"})
		require.Equal(t, 403, a.Status, a)
		require.Equal(t, "M_FORBIDDEN", a.At("errcode"))
		h.Send("alice", string(m.id), "alice may")
		h.learn()
		h.agrees()
		require.Equal(t, "ban", m.events[m.current()[event.StateKey{Type: event.TypeMember, Key: string(slicetest.User("dora"))}]].Event.Membership())
	})
}

// TestActsInWideRoomsAgreeWithTheText has two of our users do this and that in
// rooms whose many extremities disagree. After each request, all that is kept of
// the room must be what the model says, by which whatever was let pass is allowed.
func TestActsInWideRoomsAgreeWithTheText(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		passed, refused := 0, 0
		for i := range max(3, *manyRooms/4) {
			d := seedrand.Dice(100 + i)
			m := h.shared(strconv.Itoa(12-i%12), bob, carol)
			room := string(m.id)
			h.Act("dora", room, "join", slicetest.O{})
			h.learn()
			h.accepted(m.build(levelsDraft(m, 60, 60), m.tips...))
			fork := m.tips
			for n := 0; len(m.tips) < 24+10*(i%3); n++ {
				e := m.build(fight(&d, m, n), fork...)
				if m.events[e.ID].Event == nil {
					require.Equal(t, m.receive(e), h.sends(e).Outcome)
					m.redact(e)
				}
			}
			h.agrees()
			for n := range 8 {
				who := seedrand.Pick(&d, "alice", "alice", "dora")
				method, path, body := act(&d, room, n)
				if a := h.Do(method, path, who, body); a.Status == 200 {
					passed++
				} else {
					refused++
					require.Equal(t, 403, a.Status, a)
				}
				h.learn()
				h.agrees()
			}
		}
		t.Log(passed, refused)
		require.Greater(t, passed, refused)
		require.Positive(t, refused)
	})
}

// act is something that one of our users tries.
func act(d *seedrand.Dice, room string, n int) (method, path string, body any) {
	someone := seedrand.Pick(d, bob, carol, dan, eve, slicetest.User("dora"))
	switch d.Roll(7) {
	case 0:
		return "POST", roomtest.At(room, seedrand.Pick(d, "ban", "kick", "invite", "unban")), slicetest.O{"user_id": someone}
	case 1:
		return "POST", roomtest.At(room, seedrand.Pick(d, "join", "join", "leave")), slicetest.O{}
	case 2:
		return "PUT", roomtest.At(room, "state/m.room.join_rules/"), slicetest.O{"join_rule": seedrand.Pick(d, "public", "invite")}
	case 3, 4:
		return "PUT", roomtest.At(room, "state/m.room.topic/"), slicetest.O{"topic": strconv.Itoa(n)}
	default:
		return "PUT", roomtest.At(room, "send/m.room.message/{}", n), slicetest.O{"body": "x", "msgtype": "m.text"}
	}
}
