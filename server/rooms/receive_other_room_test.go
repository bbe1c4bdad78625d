// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/server/stateres"
)

// foreign builds an event of the model's room that refers to whatever it is
// told to; the model hears of it, but judges nothing.
func (h *fixture) foreign(d event.Draft, prevs ...id.EventID) *event.Event {
	h.T.Helper()
	m := h.world.model
	d.RoomID, d.PrevEvents, d.Depth, d.OriginServerTS = m.id, prevs, 100, 1_767_323_045_000
	if m.rules.ReferencesCarryHashes {
		d.ReferenceHashes = map[id.EventID][sha256.Size]byte{}
		for _, ref := range append(append([]id.EventID{}, d.AuthEvents...), prevs...) {
			d.ReferenceHashes[ref] = [sha256.Size]byte{}
		}
	}
	e, err := event.Build(m.rules, d, signerOf(d.Sender.Server()))
	require.NoError(h.T, err)
	m.events[e.ID] = stateres.Entry{Event: e}
	return e
}

// An event may name anything as what it follows: an event of another room, in
// which bob is whatever he likes, is none of this one's.
//
// Spec: server-server "PDUs": prev_events link events "within the room".
func TestAnEventOfAnotherRoomIsNoPreviousEvent(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, versions := range [][2]string{{"12", "12"}, {"1", "1"}, {"1", "12"}} {
			own := h.shared(versions[0], bob)
			h.accepted(own.build(levelsDraft(own, 100, 0), own.tips...))
			m := h.shared(versions[1], bob)
			h.world.hidden[own.tips[0]] = true
			draft := messageDraft(bob, "from elsewhere")
			draft.AuthEvents = m.build(draft, m.tips...).AuthEvents
			h.refused(rooms.Dropped, 0, "", h.foreign(draft, own.tips[0]).PDU())
			draft = messageDraft(bob, "from here and elsewhere")
			draft.AuthEvents = m.build(draft, m.tips...).AuthEvents
			h.refused(rooms.Dropped, 0, "", h.foreign(draft, m.tips[0], own.tips[0]).PDU())
			require.Empty(t, h.timeline())
			h.agrees()
		}
	})
}

// Spec: room version 1, rule 2.5; room version 12, rule 3.4.
func TestAnEventOfAnotherRoomAuthorisesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, versions := range [][3]string{{"12", "12", "3.4"}, {"11", "10", "2.5"}, {"1", "12", "3.4"}, {"1", "1", "2.5"}} {
			own := h.shared(versions[0], bob)
			levels := own.current()[event.StateKey{Type: event.TypePowerLevels}]
			m := h.shared(versions[1], bob)
			draft := messageDraft(bob, "by another's levels")
			for _, auth := range m.build(draft, m.tips...).AuthEvents {
				if m.events[auth].Event.Type != event.TypePowerLevels {
					draft.AuthEvents = append(draft.AuthEvents, auth)
				}
			}
			draft.AuthEvents = append(draft.AuthEvents, levels)
			h.refused(rooms.Rejected, 4, versions[2], h.foreign(draft, m.tips...).PDU())
		}
	})
}

// Spec: room version 1, rule 2.1; room version 12, rule 3.1.
func TestTheSameAuthEventTwiceIsADuplicate(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for version, rule := range map[string]string{"1": "2.1", "11": "2.1", "12": "3.1"} {
			m := h.shared(version, bob)
			draft := messageDraft(bob, "twice")
			draft.AuthEvents = m.build(draft, m.tips...).AuthEvents
			draft.AuthEvents = append(draft.AuthEvents, draft.AuthEvents[0])
			e := m.build(draft, m.tips...)
			h.refused(rooms.Rejected, 4, rule, e.PDU())
			m.receive(e)
			h.agrees()
		}
	})
}

// Spec: server-server "Checks performed on receipt of a PDU", 4, comes before 5.
func TestWhatAuthEventsRejectIsRejectedWhateverItFollows(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		gap := m.build(messageDraft(bob, "never to be had"), m.tips...)
		m.know(gap)
		h.world.hidden[gap.ID] = true
		levels := levelsDraft(m, 100, 0)
		levels.Sender = bob
		e := m.build(levels, gap.ID)
		m.know(e)
		for range 2 {
			h.refused(rooms.Rejected, 4, "8", e.PDU())
			require.True(t, h.row(e.ID).Rejected && h.row(e.ID).Outlier)
		}
		// When the gap is closed, the event gets its place.
		delete(h.world.hidden, gap.ID)
		h.refused(rooms.Rejected, 4, "8", e.PDU())
		require.False(t, h.row(e.ID).Outlier)
		require.Equal(t, rooms.ReceiveResult{EventID: e.ID, Outcome: rooms.Rejected, Known: true}, h.sends(e))
	})
}

// Spec: room version 1, "Event format", depth: "If the room's depth is already at
// the limit, the depth must be set to the limit."
func TestDepthStopsAtItsLimit(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, version := range []string{"1", "5", "6", "12"} {
			m := h.shared(version, bob)
			first := m.build(messageDraft(bob, "never sent"), m.tips...)
			m.know(first)
			deep := messageDraft(bob, "deep")
			deep.Depth = m.rules.MaxDepth
			e := m.build(deep, first.ID)
			m.know(e)
			// Only the state behind the gap is to be had, so that what e says counts.
			h.world.silent = true
			require.Equal(t, rooms.Accepted, h.sends(e).Outcome)
			h.world.silent = false
			require.Equal(t, m.rules.MaxDepth, h.row(e.ID).Depth)
			own := h.row(id.EventID(h.Send("alice", string(m.id), "ours")))
			require.Equal(t, m.rules.MaxDepth, own.Depth)
			pdu, err := event.Trusted(m.rules, own.ID, own.PDU)
			require.NoError(t, err)
			require.Equal(t, m.rules.MaxDepth, pdu.Depth)
			next := messageDraft(bob, "next")
			next.Depth = m.rules.MaxDepth
			m.know(pdu)
			theirs := m.build(next, own.ID)
			require.Equal(t, rooms.Accepted, h.sends(theirs).Outcome)
			require.Equal(t, m.rules.MaxDepth, h.row(theirs.ID).Depth)
			require.Equal(t, []string{"next", "ours", "deep"}, h.timeline())
		}
	})
}
