// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
	"touchstone.example/tests/seedrand"
)

// redactsRightly looks at the target of a redaction that clients see.
func (h *fixture) redactsRightly(by *event.Event) {
	h.T.Helper()
	m := h.world.model
	target, levels := m.events[by.Redacts()], eventauth.PowerLevelsOf(m.rules, m.authState(values(m.before[by.ID])))
	row := h.row(by.Redacts())
	require.Equal(h.T, levels.MayRedact(by, target.Event) && !target.Rejected, row.RedactedBy != 0, "%s by %s", row.ID, by.ID)
}

// TestTheOrderOfArrivalChangesNoVerdict has events of a fight arrive in any order,
// so that gaps are closed, or the state behind them is asked for.
func TestTheOrderOfArrivalChangesNoVerdict(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for i := range *manyRooms / 2 {
			d := seedrand.Dice(5000 + i)
			m := h.shared(strconv.Itoa(1+i%12), bob, carol)
			h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
			var sent []*event.Event
			for n := range 60 {
				draft := fight(&d, m, n)
				if draft.Type == event.TypeRedaction && m.events[draft.Redacts].Event.IsState() {
					continue // whether it came before others makes a difference
				}
				if e := m.build(draft, recent(&d, m)...); m.events[e.ID].Event == nil {
					m.receive(e)
					sent = append(sent, e)
				}
			}
			var last rooms.ReceiveResult
			for range 2 {
				for j := range sent {
					k := j + d.Roll(len(sent)-j)
					sent[j], sent[k] = sent[k], sent[j]
					last = h.sends(sent[j])
				}
			}
			require.True(t, last.Known)
			for _, e := range sent {
				if e.Redacts() != "" && h.row(e.ID).Pos != 0 {
					h.redactsRightly(e)
				}
			}
			h.agreesAround(sent)
		}
	})
}

// TestAForkMayComeBeforeWhatIsHere: of two events at one depth the one that
// arrived last may have the lower row, and so the place before the other's.
func TestAForkMayComeBeforeWhatIsHere(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		outOfOrder := func() (is bool) {
			h.read(func(ctx context.Context, tx *storage.Reader) error {
				room, err := tx.Room(ctx, m.id)
				is = err == nil && room.OutOfOrder
				return err
			})
			return is
		}
		fork := m.tips
		one := h.accepted(m.build(messageDraft(bob, "one"), fork...))
		h.accepted(m.build(messageDraft(bob, "follows it"), one.ID))
		require.False(t, outOfOrder())
		follows := m.tips
		h.accepted(m.build(messageDraft(bob, "one side"), follows...))
		require.False(t, outOfOrder())
		h.accepted(m.build(messageDraft(bob, "other side"), follows...))
		require.True(t, outOfOrder())
	})
}
