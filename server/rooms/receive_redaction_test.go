// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
)

func TestRedactionsWaitForWhatTheyAreAbout(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
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
	each(t, func(t *testing.T, h *house) {
		m := h.shared("11", bob, carol)
		target := h.accepted(m.build(messageDraft(bob, "kept"), m.tips...))
		by := m.build(event.Draft{Type: event.TypeRedaction, Sender: carol, Content: []byte(`{}`), Redacts: target.ID}, m.tips...)
		require.Equal(t, rooms.Accepted, h.sends(by).Outcome)
		m.receive(by)
		require.Equal(t, []string{"kept"}, h.timeline())
		require.True(t, h.row(by.ID).SoftFailed)
		// The room goes on behind it.
		h.send("alice", string(m.id), "next")
		h.learn()
		require.Equal(t, []string{"next", "kept"}, h.timeline())
		require.Len(t, m.tips, 1)
	})
}
