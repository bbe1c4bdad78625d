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

func TestPresence(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		a := &storage.Presence{
			UserID: "@a:t", State: "online", StatusMsg: "n\x00", CurrentlyActive: true, LastActiveAt: 1, OnlineAt: 2, IdleAt: 3, DueAt: 40, Pos: 5,
		}
		b, c := &storage.Presence{UserID: "@b:t", State: "unavailable", DueAt: 30, Pos: 4}, &storage.Presence{UserID: "@c:t", State: "offline", Pos: 6}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			next, err := w.NextPresence(ctx)
			require.NoError(t, err)
			require.Zero(t, next)
			for _, p := range []*storage.Presence{{UserID: "@a:t", State: "offline", DueAt: 7, Pos: 1}, c, b, a} { // the last replaces the first
				require.NoError(t, w.PutPresence(ctx, p))
			}
			return nil
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			list, err := r.PresenceOf(ctx, "@c:t", "@nobody:t", "@a:t", "@a:t")
			require.NoError(t, err)
			require.Equal(t, []*storage.Presence{a, c}, list, "by their ids, each once")
			list, err = r.PresenceOf(ctx)
			require.NoError(t, err)
			require.Empty(t, list)
			next, err := r.NextPresence(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 30, next)
			for _, due := range []struct {
				now   int64
				limit int
				want  []*storage.Presence
			}{{29, 9, nil}, {30, 9, []*storage.Presence{b}}, {40, 9, []*storage.Presence{b, a}}, {40, 1, []*storage.Presence{b}}} {
				list, err = r.PresenceDue(ctx, due.now, due.limit)
				require.NoError(t, err)
				require.Equal(t, due.want, list)
			}
			return nil
		})
	})
}

func TestPresenceIsToldToThoseWhoShareARoom(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for pos, user := range []id.UserID{"@me:t", "@far:t", "@both:t", "@offline:t", "@left:t", "@invited:t"} {
				p := &storage.Presence{UserID: user, State: "online", Pos: int64(pos) + 1}
				if user == "@offline:t" {
					p.State = "offline"
				}
				require.NoError(t, w.PutPresence(ctx, p))
			}
			for _, m := range []storage.Membership{
				{RoomNID: 1, UserID: "@me:t", Membership: "join"}, {RoomNID: 2, UserID: "@me:t", Membership: "join"},
				{RoomNID: 3, UserID: "@me:t", Membership: "leave"}, {RoomNID: 3, UserID: "@far:t", Membership: "join"},
				{RoomNID: 1, UserID: "@both:t", Membership: "join"}, {RoomNID: 2, UserID: "@both:t", Membership: "join"},
				{RoomNID: 2, UserID: "@offline:t", Membership: "join"}, {RoomNID: 1, UserID: "@left:t", Membership: "leave"},
				{RoomNID: 1, UserID: "@invited:t", Membership: "invite"},
			} {
				require.NoError(t, w.PutMembership(ctx, &m))
			}
			return nil
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			for _, c := range []struct {
				user        id.UserID
				after, upTo int64
				want        []id.UserID
			}{
				{"@me:t", 0, 6, []id.UserID{"@both:t", "@me:t"}},
				{"@me:t", 1, 6, []id.UserID{"@both:t", "@offline:t"}},
				{"@me:t", 3, 4, []id.UserID{"@offline:t"}},
				{"@me:t", 4, 6, nil},
				{"@far:t", 0, 6, []id.UserID{"@far:t"}},
				{"@nobody:t", 0, 6, nil},
			} {
				list, err := r.PresenceSince(ctx, c.user, c.after, c.upTo)
				require.NoError(t, err)
				var got []id.UserID
				for _, p := range list {
					got = append(got, p.UserID)
				}
				require.Equal(t, c.want, got, "%+v", c)
			}
			for other, want := range map[id.UserID]bool{"@both:t": true, "@far:t": false, "@left:t": false, "@invited:t": false, "@nobody:t": false} {
				for _, pair := range [][2]id.UserID{{"@me:t", other}, {other, "@me:t"}} {
					shares, err := r.SharesRoom(ctx, pair[0], pair[1])
					require.NoError(t, err)
					require.Equal(t, want, shares, "%v", pair)
				}
			}
			return nil
		})
	})
}
