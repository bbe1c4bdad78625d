// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"flag"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/seedrand"
	"touchstone.example/tests/slicetest"
)

var manyRooms = flag.Int("rooms", 12, "how many rooms other servers fight over")

// TestReceivingAgreesWithTheText lets servers fight over rooms, on forks of
// forks, while alice goes on here. After every room all that is kept of it must
// be what a model says that follows the text without a thought of cost. Clients
// with filters know the room's state after every answer.
func TestReceivingAgreesWithTheText(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		outcomes := map[rooms.Outcome]int{}
		for i := range *manyRooms {
			version := strconv.Itoa(1 + i%12)
			d := seedrand.Dice(i + 1)
			m := h.shared(version, bob, carol)
			h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
			clients, turn := h.filtering(m.id), seedrand.Dice(1000+i)
			for n := range 50 {
				if turn.OneIn(3) {
					seedrand.Pick(&turn, clients...).knows(m)
				}
				if d.OneIn(8) {
					h.Send("alice", string(m.id), strconv.Itoa(n))
					h.learn()
				}
				e := m.build(fight(&d, m, n), recent(&d, m)...)
				if m.events[e.ID].Event != nil {
					continue
				}
				want := m.receive(e)
				got := h.sends(e)
				require.Equal(t, want, got.Outcome, "version %s, event %d: %v", version, n, got.Reason)
				require.False(t, got.Known)
				m.redact(e)
				outcomes[got.Outcome]++
			}
			h.agrees()
			for _, c := range append(clients, h.filtering(m.id)...) {
				c.knows(m)
			}
		}
		t.Log(outcomes)
		require.Greater(t, outcomes[rooms.Accepted], 10**manyRooms)
		require.Greater(t, outcomes[rooms.Rejected], *manyRooms)
		require.GreaterOrEqual(t, outcomes[rooms.SoftFailed], *manyRooms)
	})
}

// filtering are clients that follow one room, each with a filter of its own.
func (h *fixture) filtering(room id.RoomID) (clients []*syncing) {
	for _, timeline := range []string{`{}`, `{"limit":2}`, `{"types":["m.room.message"]}`, `{"not_types":["m.room.topic","m.room.member"]}`,
		`{"senders":["@alice:hs1","` + string(bob) + `"]}`, `{"not_senders":["` + string(carol) + `"],"limit":5}`} {
		f := slicetest.Query("filter", `{"room":{"rooms":["`+string(room)+`"],"timeline":`+timeline+`}}`)
		clients = append(clients, h.syncing(f, "state"), h.syncing(f+"&use_state_after=true", "state_after"))
	}
	return clients
}

// knows has the client take an answer, and compares its state with the room's.
// What resolution takes out of the state no answer can tell.
func (s *syncing) knows(m *model) {
	s.h.T.Helper()
	s.next()
	for key, want := range m.current() {
		require.Equal(s.h.T, want, s.state[key], "%v for %s of %s", key, s.query, s.member)
	}
}

// recent picks one to three events to follow.
func recent(d *seedrand.Dice, m *model) (prevs []id.EventID) {
	if d.OneIn(3) {
		return m.tips[:min(len(m.tips), 10)]
	}
	picked := map[id.EventID]bool{}
	for range seedrand.Pick(d, 1, 1, 2, 3) {
		e := m.list[len(m.list)-1-d.Roll(min(len(m.list)-4, 8))]
		if !picked[e.ID] {
			picked[e.ID] = true
			prevs = append(prevs, e.ID)
		}
	}
	return prevs
}

// fight makes any event of any foreign user.
func fight(d *seedrand.Dice, m *model, n int) event.Draft {
	users := []id.UserID{bob, bob, bob, carol, carol, carol, dan, eve}
	sender := seedrand.Pick(d, users...)
	target := seedrand.Pick(d, users...)
	switch d.Roll(11) {
	case 0, 1:
		return memberDraft(sender, sender, seedrand.Pick(d, "join", "join", "leave"))
	case 2, 3:
		return memberDraft(sender, target, seedrand.Pick(d, "ban", "ban", "leave", "invite"))
	case 4:
		out := levelsDraft(m, seedrand.Pick(d, 0, 50, 60, 100), seedrand.Pick(d, 0, 50, 100))
		out.Sender = seedrand.Pick(d, bob, carol)
		return out
	case 5:
		return event.Draft{
			Type: event.TypeJoinRules, Sender: sender, StateKey: text(""), Content: []byte(`{"join_rule":"` + seedrand.Pick(d, "public", "invite") + `"}`),
		}
	case 6:
		return messageDraft(sender, strconv.Itoa(n))
	case 7:
		out := levelsDraft(m, 50, 50)
		out.Content = append(out.Content[:len(out.Content)-1], `,"invite":60}`...)
		return out
	case 8:
		redacted := m.list[3+d.Roll(len(m.list)-3)]
		return event.Draft{Type: event.TypeRedaction, Sender: sender, Content: []byte(`{}`), Redacts: redacted.ID}
	default:
		return topicDraft(sender, strconv.Itoa(n))
	}
}

func levelsDraft(m *model, ofBob, ofCarol int) event.Draft {
	alice := `"` + string(slicetest.User("alice")) + `":100,`
	if m.rules.CreatorsPrivileged {
		alice = ""
	}
	return event.Draft{
		Type: event.TypePowerLevels, Sender: slicetest.User("alice"), StateKey: text(""),
		Content: fmt.Appendf(nil, `{"users":{%s"%s":%d,"%s":%d}}`, alice, bob, ofBob, carol, ofCarol),
	}
}
