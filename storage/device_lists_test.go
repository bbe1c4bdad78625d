// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func TestRoomsOfUsersAndNewMembersOfRooms(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		put := func(ctx context.Context, w *storage.Writer, room int64, user id.UserID, membership string, pos int64) *storage.Membership {
			m := &storage.Membership{RoomNID: room, UserID: user, Membership: membership, EventNID: 10 * pos, Sender: user, Pos: pos, Local: true}
			require.NoError(t, w.PutMembership(ctx, m))
			return m
		}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			put(ctx, w, 1, "@a:t", "invite", 1)
			late, early := put(ctx, w, 1, "@a:t", "join", 9), put(ctx, w, 1, "@b:t", "join", 5)
			second, third := put(ctx, w, 2, "@a:t", "join", 4), put(ctx, w, 3, "@c:t", "join", 6)
			left, invited := put(ctx, w, 2, "@b:t", "leave", 7), put(ctx, w, 3, "@b:t", "invite", 8)

			type row struct {
				user      id.UserID
				room, pos int64
			}
			var got []row
			each := func(user id.UserID, room, pos int64) { got = append(got, row{user, room, pos}) }
			require.NoError(t, w.RoomsOf(ctx, []id.UserID{"@b:t", "@nobody:t", "@a:t", "@a:t"}, each))
			require.Equal(t, []row{{"@a:t", 1, 9}, {"@a:t", 2, 4}, {"@b:t", 1, 5}}, got, "rooms that they are in, by user and room")

			for _, c := range []struct {
				rooms      []int64
				membership string
				after      int64
				want       []*storage.Membership
			}{
				{[]int64{3, 1, 2, 77}, "join", 3, []*storage.Membership{early, late, second, third}},
				{[]int64{1, 2}, "join", 4, []*storage.Membership{early, late}},
				{[]int64{1}, "join", 9, nil},
				{[]int64{1}, "invite", 0, nil}, // it is a join now
				{[]int64{1, 2, 3}, "leave", 6, []*storage.Membership{left}},
				{[]int64{1, 2, 3}, "invite", 7, []*storage.Membership{invited}},
			} {
				list, err := w.MembersSince(ctx, c.rooms, c.membership, c.after)
				require.NoError(t, err)
				require.Equal(t, c.want, list, "%+v", c)
			}
			return nil
		})
	})
}

func TestChangedDeviceListsAndSignedUsers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for pos, user := range []id.UserID{"@b:t", "@c:t", "@a:t", "@b:t"} {
				require.NoError(t, w.PutDeviceList(ctx, user, int64(pos)+1))
				require.NoError(t, w.PutSignedUser(ctx, "@x:t", user, int64(pos)+1))
			}
			require.NoError(t, w.PutSignedUser(ctx, "@y:t", "@z:t", 3))
			for _, c := range []struct {
				after, upTo int64
				want        []id.UserID
			}{{0, 4, []id.UserID{"@a:t", "@b:t", "@c:t"}}, {2, 3, []id.UserID{"@a:t"}}, {0, 1, nil}, {4, 9, nil}} {
				changed, err := w.DeviceListsChanged(ctx, c.after, c.upTo)
				require.NoError(t, err)
				require.Equal(t, c.want, changed, "the last change counts")
				signed, err := w.SignedUsers(ctx, "@x:t", c.after, c.upTo)
				require.NoError(t, err)
				require.Equal(t, c.want, signed)
			}
			return nil
		})
	})
}
