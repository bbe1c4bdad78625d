// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/storage"
	"touchstone.example/tests/stage"
)

// withGuests is a room shared with another server, open to guests, which is in
// there by its user bob.
func (h *house) withGuests(names ...string) (m *model, access func(content string) event.Draft) {
	m = h.shared("12", bob)
	h.accepted(m.build(levelsDraft(m, 100, 0), m.tips...))
	access = func(content string) event.Draft {
		return event.Draft{Type: "m.room.guest_access", Sender: bob, StateKey: text(""), Content: []byte(content)}
	}
	h.accepted(m.build(access(`{"guest_access":"can_join"}`), m.tips...))
	for _, name := range names {
		h.guest(name)
		h.act(name, string(m.id), "join", stage.O{})
	}
	h.learn()
	return m, access
}

func (h *house) guest(name string) {
	h.t.Helper()
	require.NoError(h.t, h.DB.Write(h.t.Context(), func(tx *storage.Writer) error {
		return tx.InsertUser(h.t.Context(), &storage.User{ID: stage.User(name), Kind: "guest"})
	}))
}

func TestGuestsLeaveARoomThatAnotherServerShuts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m, access := h.withGuests("guest1")
		h.accepted(m.build(access(`{"guest_access":"can_join","x":1}`), m.tips...))
		h.Settle(t)
		require.Equal(t, "join", h.membershipOf(stage.User("guest1")))
		h.accepted(m.build(access(`{"guest_access":"forbidden"}`), m.tips...))
		h.Settle(t)
		h.learn()
		require.Equal(t, "leave", h.membershipOf(stage.User("guest1")))
		h.agrees()
	})
}

func TestGuestsLeaveARoomWhoseGuestAccessAnotherServerRedacts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m, access := h.withGuests("guest1")
		open := m.build(access(`{"guest_access":"can_join","x":1}`), m.tips...)
		h.accepted(open)
		h.accepted(m.build(event.Draft{Type: event.TypeRedaction, Sender: bob, Redacts: open.ID, Content: []byte(`{}`)}, m.tips...))
		h.Settle(t)
		require.Equal(t, "leave", h.membershipOf(stage.User("guest1")))
	})
}

// TestGuestsLeaveThoughTheProcessDied that received the event which shuts the room.
func TestGuestsLeaveThoughTheProcessDied(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m, access := h.withGuests("guest1")
		h.stopJobs()
		h.accepted(m.build(access(`{"guest_access":"forbidden"}`), m.tips...))
		require.Equal(t, "join", h.membershipOf(stage.User("guest1")))
		h.RunJobs(t) // those of the next process
		h.Settle(t)
		require.Equal(t, "leave", h.membershipOf(stage.User("guest1")))
	})
}

// TestManyGuestsLeaveInSeveralTransactions: the answer waits for the first ones.
func TestManyGuestsLeaveInSeveralTransactions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		room := h.create("alice", stage.O{"preset": "public_chat", "initial_state": stage.L{
			stage.O{"type": "m.room.guest_access", "content": stage.O{"guest_access": "can_join"}}}})
		for i := range 50 {
			name := fmt.Sprint("guest", i)
			h.guest(name)
			h.act(name, room, "join", stage.O{})
		}
		h.stopJobs()
		h.set("alice", room, "m.room.guest_access", "", stage.O{"guest_access": "forbidden"})
		in := func() (in []id.UserID) {
			require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) error {
				r, err := tx.Room(t.Context(), id.RoomID(room))
				if err != nil {
					return err
				}
				in, err = tx.LocalMembers(t.Context(), r.NID, "join")
				return err
			}))
			return in
		}
		require.Len(t, in(), 31, "alice, and 30 guests")
		h.RunJobs(t)
		h.Settle(t)
		require.Equal(t, []id.UserID{"@alice:hs1"}, in())
	})
}
