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

func joinOf(user id.UserID) rooms.Draft {
	key := string(user)
	return rooms.Draft{Sender: user, Type: event.TypeMember, StateKey: &key, Content: []byte(`{"membership":"join"}`)}
}

// TestTemplateIsAcceptedWhenSigned: a user of another server joins by the event that
// this server has proposed.
func TestTemplateIsAcceptedWhenSigned(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("11", bob)
		before := len(h.rows())
		template, err := h.Rooms.Template(t.Context(), m.id, joinOf(carol))
		require.NoError(t, err)
		require.Len(t, h.rows(), before, "a template is not in the room")

		key := string(carol)
		signed, err := event.Build(m.rules, event.Draft{
			RoomID: m.id, Sender: carol, Type: event.TypeMember, StateKey: &key, Content: template.Content,
			PrevEvents: template.PrevEvents, AuthEvents: template.AuthEvents, Depth: template.Depth,
			OriginServerTS: template.OriginServerTS,
		}, signerOf(carol.Server()))
		require.NoError(t, err)
		h.accepted(signed)
		h.agrees()
	})
}

// TestTemplateOfAJoinThatIsNotAllowed is refused as the join would be.
func TestTemplateOfAJoinThatIsNotAllowed(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := id.RoomID(h.Create("alice", slicetest.O{"preset": "private_chat"}))
		var refused *rooms.Refusal
		_, err := h.Rooms.Template(t.Context(), room, joinOf(carol))
		require.ErrorAs(t, err, &refused)
		_, err = h.Rooms.Template(t.Context(), "!nowhere:hs1", joinOf(carol))
		require.ErrorIs(t, err, rooms.ErrUnknownRoom)
	})
}

// TestTemplateNamesTheAuthorisingUser: of a join to a restricted room.
func TestTemplateNamesTheAuthorisingUser(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("11", carol)
		room := h.Create("alice", slicetest.O{"preset": "private_chat", "room_version": "11"})
		h.Set("alice", room, "m.room.join_rules", "", slicetest.O{
			"join_rule": "restricted", "allow": slicetest.L{slicetest.O{"type": "m.room_membership", "room_id": m.id}},
		})
		template, err := h.Rooms.Template(t.Context(), id.RoomID(room), joinOf(carol))
		require.NoError(t, err)
		by, _ := template.ContentText("join_authorised_via_users_server")
		require.EqualValues(t, slicetest.User("alice"), by)
		require.Equal(t, 404, h.Do("GET", roomtest.At(room, "state/m.room.member/{}", carol), "alice", nil).Status)
	})
}
