// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

// restricted makes a room whose members come from another one, in which bob may
// let them in; dan's join is signed by bob's server, eve's says so only.
func (h *fixture) restricted() (m *model, join *event.Event) {
	m = h.shared("12", bob, carol)
	h.accepted(m.build(levelsDraft(m, 50, 0), m.tips...))
	rule := event.Draft{
		Type: event.TypeJoinRules, Sender: slicetest.User("alice"), StateKey: text(""),
		Content: []byte(`{"allow":[{"room_id":"!other:hs2","type":"m.room_membership"}],"join_rule":"restricted"}`),
	}
	h.accepted(m.build(rule, m.tips...))
	draft := memberDraft(eve, eve, "join")
	draft.Content = []byte(`{"join_authorised_via_users_server":"` + string(bob) + `","membership":"join"}`)
	join, err := m.build(draft, m.tips...).Sign(signerOf("hs2"))
	require.NoError(h.T, err)
	return m, join
}

// TestARejectionIsTakenBack has the key of the server that let eve in turn up
// late: what was rejected because of it is in the room after all.
func TestARejectionIsTakenBack(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m, join := h.restricted()
		tips := m.tips
		h.world.keys["hs2"] = rooms.VerifyKey{Key: signerOf("hs2").Key.Public().(ed25519.PublicKey), ExpiredTS: 1}
		h.refused(rooms.Rejected, 4, "5.2.1", join.PDU())
		m.know(join)
		said := m.build(messageDraft(eve, "I am in"), join.ID)
		h.refused(rooms.Rejected, 4, "3.3", said.PDU())
		m.know(said)
		topic := m.build(messageDraft(carol, "never mind"), said.ID)
		require.Equal(t, rooms.Accepted, h.sends(topic).Outcome)
		require.True(t, h.sends(join).Known)
		require.Equal(t, "", h.membershipOf(eve))

		delete(h.world.keys, "hs2")
		client := h.syncing("&use_state_after=true", "state_after")
		client.next()
		receipt := h.sends(join)
		require.Equal(t, rooms.ReceiveResult{EventID: join.ID, Outcome: rooms.Accepted, Known: true}, receipt)
		require.Equal(t, "join", h.membershipOf(eve))
		require.ElementsMatch(t, []string{"I am in", "never mind"}, h.timeline())
		client.next()
		require.Contains(t, client.state, join.Key())
		require.Len(t, client.line, 2)

		// All is as if the key had been there from the start.
		m.tips = tips
		for _, e := range []*event.Event{join, said, topic} {
			require.Equal(t, rooms.Accepted, m.receive(e))
		}
		h.agrees()
		h.Send("alice", string(m.id), "on it goes")
		h.learn()
		h.agrees()
	})
}

// TestARejectedOutlierComesIn has the same happen to an event of an auth chain.
func TestARejectedOutlierComesIn(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m, join := h.restricted()
		tips := m.tips
		m.know(join)
		h.world.keys["hs2"] = rooms.VerifyKey{Key: signerOf("hs2").Key.Public().(ed25519.PublicKey), ExpiredTS: 1}
		draft := messageDraft(eve, "I am in")
		draft.AuthEvents = []id.EventID{m.current()[event.StateKey{Type: event.TypePowerLevels}], join.ID}
		said := m.build(draft, tips...)
		m.know(said)
		h.refused(rooms.Rejected, 4, "3.3", said.PDU())
		require.True(t, h.row(join.ID).Outlier && h.row(join.ID).Rejected)

		delete(h.world.keys, "hs2")
		h.accepted(join)
		require.Equal(t, "join", h.membershipOf(eve))
		row := h.row(said.ID)
		require.True(t, row.Rejected, "by the state before it, in which eve is not")
		require.Equal(t, []string(nil), h.timeline())
		require.Zero(t, h.room().ReevaluateFrom)
		h.agrees()
	})
}

func (h *fixture) room() (room *storage.Room) {
	h.read(func(ctx context.Context, tx *storage.Reader) (err error) {
		room, err = tx.Room(ctx, h.world.model.id)
		return err
	})
	return room
}

// membershipOf is what a user is to the model's room, "" if nothing.
func (h *fixture) membershipOf(user id.UserID) (membership string) {
	room := h.room()
	h.read(func(ctx context.Context, tx *storage.Reader) error {
		members, err := tx.Members(ctx, room.NID, "join", "invite", "knock", "leave", "ban")
		for _, m := range members {
			if m.UserID == user {
				membership = m.Membership
			}
		}
		return err
	})
	return membership
}

// TestAPartialStateIsCompleted has a room whose state lacked who was banned.
func TestAPartialStateIsCompleted(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob, carol, dan)
		h.accepted(m.build(levelsDraft(m, 50, 0), m.tips...))
		joined := m.current()[event.StateKey{Type: event.TypeMember, Key: string(carol)}]
		h.accepted(m.build(memberDraft(bob, carol, "ban"), m.tips...))
		last := h.accepted(m.build(messageDraft(bob, "we join here"), m.tips...))
		var state, auth [][]byte
		for _, eventID := range m.after[last.ID] {
			state = append(state, m.events[eventID].Event.PDU())
		}
		h.forgetMembers(last, slicetest.User("alice"), bob)

		// Carol is not known to be banned; bob's messages pass.
		draft := messageDraft(carol, "I am back")
		draft.AuthEvents = []id.EventID{m.current()[event.StateKey{Type: event.TypePowerLevels}], joined}
		evading := m.build(draft, m.tips...)
		m.know(evading)
		require.Equal(t, rooms.Accepted, h.sends(evading).Outcome)
		honest := m.build(messageDraft(bob, "welcome"), evading.ID, last.ID)
		require.Equal(t, rooms.Accepted, h.sends(honest).Outcome)
		require.Equal(t, []string{"welcome", "I am back"}, h.timeline()[:2])
		require.True(t, h.row(evading.ID).Partial && h.row(honest.ID).Partial)

		require.NoError(t, h.Rooms.CompleteState(t.Context(), "hs2", m.id, last.ID, state, auth))
		require.Equal(t, "welcome", h.timeline()[0])
		require.NotContains(t, h.timeline(), "I am back")
		require.False(t, h.room().Partial)
		m.receive(evading)
		m.receive(honest)
		for _, e := range []*event.Event{last, evading, honest} {
			require.False(t, h.row(e.ID).Partial)
		}
		require.True(t, h.row(evading.ID).Rejected)
		require.Equal(t, "ban", h.membershipOf(carol))
		require.Equal(t, "join", h.membershipOf(dan))
		root := h.room().StateRoot
		h.read(func(ctx context.Context, tx *storage.Reader) error {
			require.Equal(t, m.current(), h.stateOf(ctx, tx, root))
			return nil
		})
	})
}

// forgetMembers makes the room one that was joined at an event without the
// members but some.
func (h *fixture) forgetMembers(joinedAt *event.Event, but ...id.UserID) {
	h.T.Helper()
	require.NoError(h.T, h.DB.Write(h.T.Context(), func(tx *storage.Writer) error {
		ctx := h.T.Context()
		room, err := tx.Room(ctx, h.world.model.id)
		require.NoError(h.T, err)
		var gone []storage.StateSet
		for key := range h.world.model.current() {
			known := key.Type != event.TypeMember
			for _, user := range but {
				known = known || key.Key == string(user)
			}
			if !known {
				gone = append(gone, storage.StateSet{StateKey: storage.StateKey{Type: key.Type, Key: key.Key}})
			}
		}
		room.Partial = true
		room.StateRoot, err = tx.StateApply(ctx, room.StateRoot, gone...)
		require.NoError(h.T, err)
		row, err := tx.Event(ctx, joinedAt.ID)
		require.NoError(h.T, err)
		row.Partial, row.StateBefore, row.StateAfter = true, room.StateRoot, room.StateRoot
		require.NoError(h.T, tx.PutVerdict(ctx, row))
		return tx.CommitRoom(ctx, room)
	}))
}
