// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/seedrand"
	"touchstone.example/tests/slicetest"
)

// authorisedAt are the auth events that an event would have after another one.
func (m *model) authorisedAt(d event.Draft, other id.EventID) (ids []id.EventID) {
	for _, key := range eventauth.AuthKeys(m.rules, d.Type, d.Sender, d.StateKey, d.Content) {
		if eventID, ok := m.after[other][key]; ok {
			ids = append(ids, eventID)
		}
	}
	return ids
}

// TestCompletingAStateAgreesWithTheText has servers fight over rooms of whose
// members only two are known at first. When all are, the verdicts and the states
// around each event must be those of a model that has known them from the start.
func TestCompletingAStateAgreesWithTheText(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		wrong := 0
		for i := range *manyRooms / 2 {
			d := seedrand.Dice(9000 + i)
			m := h.shared(strconv.Itoa(1+i%12), bob, carol, dan)
			h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
			fights := func(n int, prevs func() []id.EventID) *event.Event {
				draft := fight(&d, m, n)
				if draft.Type == event.TypeRedaction {
					return nil
				}
				if n >= 100 && d.OneIn(2) {
					draft.AuthEvents = m.authorisedAt(draft, m.list[4+d.Roll(len(m.list)-4)].ID)
				}
				e := m.build(draft, prevs()...)
				if m.events[e.ID].Event != nil {
					return nil
				}
				m.receive(e)
				if (h.sends(e).Outcome == rooms.Rejected) != m.events[e.ID].Rejected {
					wrong++
				}
				return e
			}
			for n := range 15 {
				fights(n, func() []id.EventID { return m.tips[:min(len(m.tips), 10)] })
			}
			h.Send("alice", string(m.id), "we join here")
			h.learn()
			last := m.events[m.tips[0]].Event
			require.Len(t, m.tips, 1)
			var state, auth [][]byte
			for _, eventID := range m.after[last.ID] {
				state = append(state, m.events[eventID].Event.PDU())
			}
			for _, eventID := range m.chain(values(m.after[last.ID])) {
				auth = append(auth, m.events[eventID].Event.PDU())
			}
			h.forgetMembers(last, slicetest.User("alice"), bob)
			before := len(m.list)
			var sent []*event.Event
			for n := range 30 {
				e := fights(100+n, func() (prevs []id.EventID) {
					later := m.list[before-1:]
					for range seedrand.Pick(&d, 1, 1, 2) {
						prevs = append(prevs, later[len(later)-1-d.Roll(min(len(later), 6))].ID)
					}
					if len(prevs) == 2 && prevs[0] == prevs[1] {
						prevs = prevs[:1]
					}
					return prevs
				})
				if e != nil {
					sent = append(sent, e)
				}
			}
			require.NoError(t, h.Rooms.CompleteState(t.Context(), "hs2", m.id, last.ID, state, auth))
			h.agreesAround(sent)
		}
		require.NotZero(t, wrong, "verdicts that had to change")
	})
}
