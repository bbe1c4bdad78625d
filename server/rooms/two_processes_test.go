// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/seedrand"
	"touchstone.example/tests/slicetest"
)

// TestProcessesReceiveTheSame has two processes on one database receive the
// same events at the same time, while alice sends on one of them: each event is
// in the room once, and both see one room.
func TestProcessesReceiveTheSame(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob, carol)
		h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
		d := seedrand.Dice(7)
		var events []*event.Event
		for n := range 40 {
			draft := topicDraft(seedrand.Pick(&d, bob, carol), strconv.Itoa(n))
			if n%2 == 0 {
				draft = messageDraft(seedrand.Pick(&d, bob, carol), strconv.Itoa(n))
			}
			if n%5 == 4 {
				draft = messageDraft(dan, strconv.Itoa(n)) // who is not in the room
			}
			prevs := []id.EventID{m.list[len(m.list)-1-d.Roll(min(3, n+1))].ID}
			e := m.build(draft, prevs...)
			m.know(e)
			events = append(events, e)
		}
		other := rooms.New(h.Deps.Rooms)
		var all sync.WaitGroup
		for _, r := range []*rooms.Rooms{h.Rooms, other} {
			all.Go(func() {
				for _, e := range events {
					receipt, err := r.Receive(t.Context(), "hs2", m.id, e.PDU())
					want := rooms.Accepted
					if e.Sender == dan {
						want = rooms.Rejected
					}
					if err != nil || receipt.Outcome != want {
						t.Errorf("%+v %v", receipt, err)
					}
				}
			})
		}
		all.Go(func() {
			for n := range 10 {
				a := h.Do("PUT", roomtest.At(string(m.id), "send/m.room.message/{}", n), "alice", slicetest.O{"body": "alice " + strconv.Itoa(n), "msgtype": "m.text"})
				if a.Status != 200 {
					t.Error(a)
				}
			}
		})
		all.Wait()

		// Alice's events came at moments of their own: the model takes all in the
		// order in which they came.
		shown := map[id.EventID]int64{}
		m.tips = nil
		for _, row := range h.byArrival() {
			e, err := event.Trusted(m.rules, row.ID, row.PDU)
			require.NoError(t, err)
			require.Equal(t, rooms.Accepted, m.receive(e))
			require.Zero(t, shown[row.ID])
			shown[row.ID] = row.Pos
		}
		require.Len(t, h.timeline(), 16+10)
		h.agrees()
	})
}
