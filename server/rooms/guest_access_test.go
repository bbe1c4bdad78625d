// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

// withGuests is a room shared with another server, open to guests, which is in
// there by its user bob.
func (h *fixture) withGuests(names ...string) (m *model, access func(content string) event.Draft) {
	m = h.shared("12", bob)
	h.accepted(m.build(levelsDraft(m, 100, 0), m.tips...))
	access = func(content string) event.Draft {
		return event.Draft{Type: "m.room.guest_access", Sender: bob, StateKey: text(""), Content: []byte(content)}
	}
	h.accepted(m.build(access(`{"guest_access":"can_join"}`), m.tips...))
	for _, name := range names {
		h.guest(name)
		h.Act(name, string(m.id), "join", slicetest.O{})
	}
	h.learn()
	return m, access
}

func (h *fixture) guest(name string) {
	h.T.Helper()
	require.NoError(h.T, h.DB.Write(h.T.Context(), func(tx *storage.Writer) error {
		return tx.InsertUser(h.T.Context(), &storage.User{ID: slicetest.User(name), Kind: "guest"})
	}))
}

func TestGuestsLeaveARoomThatAnotherServerShuts(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m, access := h.withGuests("guest1")
		h.accepted(m.build(access(`{"guest_access":"can_join","x":1}`), m.tips...))
		h.WaitForJobs(t)
		require.Equal(t, "join", h.membershipOf(slicetest.User("guest1")))
		h.accepted(m.build(access(`{"guest_access":"forbidden"}`), m.tips...))
		h.WaitForJobs(t)
		h.learn()
		require.Equal(t, "leave", h.membershipOf(slicetest.User("guest1")))
		h.agrees()
	})
}

func TestGuestsLeaveARoomWhoseGuestAccessAnotherServerRedacts(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m, access := h.withGuests("guest1")
		open := m.build(access(`{"guest_access":"can_join","x":1}`), m.tips...)
		h.accepted(open)
		h.accepted(m.build(event.Draft{Type: event.TypeRedaction, Sender: bob, Redacts: open.ID, Content: []byte(`{}`)}, m.tips...))
		h.WaitForJobs(t)
		require.Equal(t, "leave", h.membershipOf(slicetest.User("guest1")))
	})
}

// TestGuestsLeaveARoomThatAnEventShutsThatWasRejected, once it is not any more.
func TestGuestsLeaveARoomThatAnEventShutsThatWasRejected(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m, join := h.restricted()
		access := func(by id.UserID, content string) event.Draft {
			return event.Draft{Type: "m.room.guest_access", Sender: by, StateKey: text(""), Content: []byte(content)}
		}
		open := event.Draft{
			Type: event.TypeJoinRules, Sender: slicetest.User("alice"), StateKey: text(""), Content: []byte(`{"join_rule":"public"}`),
		}
		h.accepted(m.build(access(bob, `{"guest_access":"can_join"}`), m.tips...))
		levels := levelsDraft(m, 50, 0)
		levels.Content = bytes.Replace(levels.Content, []byte(`"users":{`), []byte(`"users":{"`+string(eve)+`":50,`), 1)
		h.accepted(m.build(levels, m.tips...))
		before := m.tips
		h.accepted(m.build(open, m.tips...))
		h.guest("guest1")
		h.Act("guest1", string(m.id), "join", slicetest.O{})

		// A branch of before, on which eve joins by a signature that nobody can check yet.
		h.world.keys["hs2"] = rooms.VerifyKey{Key: signerOf("hs2").Key.Public().(ed25519.PublicKey), ExpiredTS: 1}
		h.refused(rooms.Rejected, 4, "5.2.1", join.PDU())
		m.know(join)
		shut := m.build(access(eve, `{"guest_access":"forbidden"}`), append(before, join.ID)...)
		h.refused(rooms.Rejected, 4, "3.3", shut.PDU())
		h.WaitForJobs(t)
		require.Equal(t, "join", h.membershipOf(slicetest.User("guest1")))
		delete(h.world.keys, "hs2")
		require.True(t, h.sends(join).Known)
		h.WaitForJobs(t)
		require.Equal(t, "forbidden", h.State("alice", string(m.id), "m.room.guest_access", "").At("guest_access"))
		require.Equal(t, "leave", h.membershipOf(slicetest.User("guest1")))
	})
}

// TestGuestsLeaveThoughTheProcessDied that received the event which shuts the room.
func TestGuestsLeaveThoughTheProcessDied(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m, access := h.withGuests("guest1")
		h.StopJobs()
		h.accepted(m.build(access(`{"guest_access":"forbidden"}`), m.tips...))
		require.Equal(t, "join", h.membershipOf(slicetest.User("guest1")))
		h.RunJobs(t) // those of the next process
		h.WaitForJobs(t)
		require.Equal(t, "leave", h.membershipOf(slicetest.User("guest1")))
	})
}

// TestManyGuestsLeaveInSeveralTransactions: the answer waits for the first ones.
func TestManyGuestsLeaveInSeveralTransactions(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
			slicetest.O{"type": "m.room.guest_access", "content": slicetest.O{"guest_access": "can_join"}}}})
		for i := range 50 {
			name := fmt.Sprint("guest", i)
			h.guest(name)
			h.Act(name, room, "join", slicetest.O{})
		}
		h.StopJobs()
		h.Set("alice", room, "m.room.guest_access", "", slicetest.O{"guest_access": "forbidden"})
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
		h.WaitForJobs(t)
		require.Equal(t, []id.UserID{"@alice:hs1"}, in())
	})
}
