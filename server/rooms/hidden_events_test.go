// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// What is rejected or soft-failed is not relayed to clients, though they may know
// its ID; but what of it came to be current state is.
//
// Spec: server-server "Rejection" and "Soft failure".
func TestEventsThatAreNotRelayedCannotBeAskedFor(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("1", bob, carol)
		h.accepted(m.build(levelsDraft(m, 60, 50), m.tips...))
		fork := m.tips
		seen := func(eventID id.EventID) int {
			return h.Do("GET", roomtest.At(string(m.id), "event/{}", eventID), "alice", nil).Status
		}
		redact := func(eventID id.EventID) int {
			return h.Do("PUT", roomtest.At(string(m.id), "redact/{}/{}", eventID, eventID), "alice", slicetest.O{}).Status
		}
		ban := h.accepted(m.build(memberDraft(bob, carol, "ban"), fork...))
		message, topic := m.build(messageDraft(carol, "evaded"), fork...), m.build(topicDraft(carol, "evaded"), fork...)
		for _, e := range []*event.Event{message, topic} {
			require.Equal(t, rooms.SoftFailed, h.sends(e).Outcome)
			m.receive(e)
			require.Equal(t, 404, seen(e.ID))
		}
		rejected := m.build(memberDraft(carol, bob, "ban"), fork...)
		require.Equal(t, rooms.Rejected, h.sends(rejected).Outcome)
		m.know(rejected)
		require.Equal(t, 404, seen(rejected.ID))
		require.Equal(t, 404, redact(rejected.ID))
		// In the original algorithm the topic comes to be in the state.
		h.accepted(m.build(messageDraft(bob, "D"), ban.ID, topic.ID))
		require.Equal(t, topic.ID, m.current()[topic.Key()])
		require.Equal(t, 200, seen(topic.ID))
		require.Equal(t, 404, seen(message.ID))
	})
}
