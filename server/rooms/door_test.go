// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// TestChangeBuildsOnTheHead: what a plan adds, the next event of it finds.
func TestChangeBuildsOnTheHead(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := id.RoomID(h.Public("bob"))
		topic := func(user string) rooms.Draft {
			return rooms.Draft{Sender: slicetest.User(user), Type: "m.room.topic", StateKey: text(""), Content: []byte(`{"topic":"` + user + `"}`)}
		}
		plan := func(sender string) func(context.Context, *rooms.Head) (*rooms.Plan, error) {
			return func(ctx context.Context, head *rooms.Head) (*rooms.Plan, error) {
				first, err := head.Build(ctx, topic("alice"))
				if err != nil {
					return nil, err
				}
				next := head.After(first)
				now, err := next.Event(ctx, "m.room.topic", "")
				require.NoError(t, err)
				require.Equal(t, first.ID, now.ID)
				second, err := next.Build(ctx, topic(sender))
				return &rooms.Plan{Events: []*rooms.Planned{first, second}}, err
			}
		}
		_, err := h.Rooms.Change(t.Context(), room, plan("bob"))
		var refused *rooms.Refusal
		require.ErrorAs(t, err, &refused, "bob's level is too low, and so neither event is added")
		require.Equal(t, 404, h.Do("GET", roomtest.At(string(room), "state/m.room.topic"), "bob", nil).Status)

		ids, err := h.Rooms.Change(t.Context(), room, plan("alice"))
		require.NoError(t, err)
		require.Len(t, ids, 2)
		require.Equal(t, "alice", h.State("bob", string(room), "m.room.topic", "").At("topic"))

		_, err = h.Rooms.Change(t.Context(), "!nowhere:hs1", plan("alice"))
		require.ErrorIs(t, err, rooms.ErrUnknownRoom)
	})
}
