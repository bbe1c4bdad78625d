// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/slicetest"
)

func TestRedactionsWaitForWhatTheyAreAbout(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, version := range []string{"1", "2", "3", "10", "11", "12"} {
			m := h.shared(version, bob, carol)
			fork := m.tips
			target := m.build(messageDraft(bob, "regretted"), fork...)
			redact := func(sender id.UserID) *event.Event {
				return m.build(event.Draft{Type: event.TypeRedaction, Sender: sender, Content: []byte(`{}`), Redacts: target.ID}, fork...)
			}
			byBob := redact(bob)
			require.Equal(t, rooms.Accepted, h.sends(byBob).Outcome)
			visible := h.row(byBob.ID).Pos != 0
			require.Equal(t, m.rules.RedactionNeedsAuth, visible, "version %s", version)
			m.receive(byBob)
			h.accepted(target)
			require.Empty(t, h.timeline(), "version %s", version)
			require.Equal(t, h.row(byBob.ID).NID, h.row(target.ID).RedactedBy)
			require.NotZero(t, h.row(byBob.ID).Pos)
			require.False(t, h.row(byBob.ID).SoftFailed)
		}
	})
}

func TestWhoMayNotRedactIsNotShown(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("11", bob, carol)
		target := h.accepted(m.build(messageDraft(bob, "kept"), m.tips...))
		by := m.build(event.Draft{Type: event.TypeRedaction, Sender: carol, Content: []byte(`{}`), Redacts: target.ID}, m.tips...)
		require.Equal(t, rooms.Accepted, h.sends(by).Outcome)
		m.receive(by)
		require.Equal(t, []string{"kept"}, h.timeline())
		require.True(t, h.row(by.ID).SoftFailed)
		// The room goes on behind it.
		h.Send("alice", string(m.id), "next")
		h.learn()
		require.Equal(t, []string{"next", "kept"}, h.timeline())
		require.Len(t, m.tips, 1)
	})
}

// late has eve, whose join is rejected as long as the key is not known that let
// her in, say something; what is said with it is the test's.
func (h *fixture) late() (m *model, join, said *event.Event, mended func()) {
	m, join = h.restricted()
	h.world.keys["hs2"] = rooms.VerifyKey{Key: signerOf("hs2").Key.Public().(ed25519.PublicKey), ExpiredTS: 1}
	h.refused(rooms.Rejected, 4, "5.2.1", join.PDU())
	m.know(join)
	said = m.build(messageDraft(eve, "regretted"), join.ID)
	h.refused(rooms.Rejected, 4, "3.3", said.PDU())
	m.know(said)
	return m, join, said, func() {
		delete(h.world.keys, "hs2")
		require.Equal(h.T, rooms.ReceiveResult{EventID: join.ID, Outcome: rooms.Accepted, Known: true}, h.sends(join))
		require.Equal(h.T, "join", h.membershipOf(eve))
	}
}

// Spec: room version 3 "Handling redactions": "until both the redaction event and
// the event the redaction affects have been received, and can be validated".
func TestARedactionWaitsForAnEventThatWasRejected(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m, _, said, mended := h.late()
		levels := m.build(event.Draft{Type: event.TypePowerLevels, Sender: slicetest.User("alice"), StateKey: text(""), Content: []byte(
			`{"users":{"` + string(bob) + `":50,"` + string(carol) + `":50}}`)}, m.tips...)
		h.accepted(levels)
		by := m.build(event.Draft{Type: event.TypeRedaction, Sender: carol, Content: []byte(`{}`), Redacts: said.ID}, levels.ID)
		require.Equal(t, rooms.Accepted, h.sends(by).Outcome)
		require.Zero(t, h.row(by.ID).Pos, "nobody sees what is about nothing")
		mended()
		require.Equal(t, h.row(by.ID).NID, h.row(said.ID).RedactedBy)
		require.Empty(t, h.timeline())
		require.NotZero(t, h.row(by.ID).Pos)
		require.False(t, h.row(by.ID).SoftFailed)
	})
}

func TestARedactionThatWasRejectedTakesEffect(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m, _, said, mended := h.late()
		kept := h.accepted(m.build(messageDraft(carol, "kept"), m.tips...))
		redact := func(target id.EventID) *event.Event {
			by := m.build(event.Draft{Type: event.TypeRedaction, Sender: eve, Content: []byte(`{}`), Redacts: target}, said.ID)
			h.refused(rooms.Rejected, 4, "3.3", by.PDU())
			m.know(by)
			return by
		}
		own, others, nothing := redact(said.ID), redact(kept.ID), redact("$nowhere")
		mended()
		require.Equal(t, h.row(own.ID).NID, h.row(said.ID).RedactedBy)
		require.Equal(t, []string{"kept"}, h.timeline())
		require.NotZero(t, h.row(own.ID).Pos)
		require.Zero(t, h.row(others.ID).Pos, "eve may not redact what others said")
		require.Zero(t, h.row(nothing.ID).Pos)
	})
}
