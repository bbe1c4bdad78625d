// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func TestWhoIsTyping(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		a, b := &storage.Typing{RoomNID: 1, UserID: "@a:t", Until: 300, Pos: 11}, &storage.Typing{RoomNID: 1, UserID: "@b:t", Until: 200, Pos: 12}
		other := &storage.Typing{RoomNID: 2, UserID: "@a:t", Until: 250, Pos: 10}
		stopped := &storage.Typing{RoomNID: 1, UserID: "@c:t", Pos: 13}
		left := &storage.Typing{RoomNID: 1, UserID: "@left:t", Until: 300, Pos: 14}
		never := &storage.Typing{RoomNID: 2, UserID: "@never:t", Until: 300, Pos: 15}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, m := range []storage.Membership{
				{RoomNID: 1, UserID: "@a:t"}, {RoomNID: 1, UserID: "@b:t"}, {RoomNID: 1, UserID: "@c:t"}, {RoomNID: 2, UserID: "@a:t"},
				{RoomNID: 3, UserID: "@a:t"}, {RoomNID: 1, UserID: "@left:t", Membership: "leave"}, {RoomNID: 1, UserID: "@never:t"},
			} {
				if m.Membership == "" {
					m.Membership = "join"
				}
				require.NoError(t, w.PutMembership(ctx, &m))
			}
			require.NoError(t, w.PutTyping(ctx, &storage.Typing{RoomNID: 1, UserID: "@a:t", Until: 900, Pos: 9}))
			for _, c := range []*storage.Typing{a, b, other, stopped, left, never, {RoomNID: 3, UserID: "@a:t", Until: 260, Pos: 12}} {
				require.NoError(t, w.PutTyping(ctx, c))
			}
			return nil
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			list, err := r.TypingIn(ctx, []int64{2, 1, 9}, 199)
			require.NoError(t, err)
			require.Equal(t, []*storage.Typing{b, a, other}, list, "members of these rooms")
			list, err = r.TypingIn(ctx, []int64{1}, 200)
			require.NoError(t, err)
			require.Equal(t, []*storage.Typing{a}, list, "whose time is not over")
			list, err = r.TypingIn(ctx, []int64{1, 2}, 300)
			require.NoError(t, err)
			require.Empty(t, list)

			list, err = r.TypingSince(ctx, []int64{2, 1, 9}, 9, 14)
			require.NoError(t, err)
			require.Equal(t, []*storage.Typing{a, b, stopped, left, other}, list)
			list, err = r.TypingSince(ctx, []int64{1}, 11, 13)
			require.NoError(t, err)
			require.Equal(t, []*storage.Typing{b, stopped}, list)
			list, err = r.TypingSince(ctx, []int64{1}, 8, 9)
			require.NoError(t, err)
			require.Empty(t, list, "a user who began again is told of once")

			got, err := r.Typing(ctx, 1, "@c:t")
			require.NoError(t, err)
			require.Equal(t, stopped, got)
			_, err = r.Typing(ctx, 2, "@c:t")
			require.ErrorIs(t, err, storage.ErrNotFound)
			return nil
		})
	})
}

func TestTypingEndsInTime(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			next, err := w.NextTyping(ctx)
			require.NoError(t, err)
			require.Zero(t, next)
			late, early := &storage.Typing{RoomNID: 1, UserID: "@a:t", Until: 300, Pos: 1}, &storage.Typing{RoomNID: 2, UserID: "@a:t", Until: 200, Pos: 2}
			for _, c := range []*storage.Typing{late, early, {RoomNID: 1, UserID: "@b:t", Until: 400, Pos: 3}, {RoomNID: 1, UserID: "@c:t", Pos: 4}} {
				require.NoError(t, w.PutTyping(ctx, c))
			}
			next, err = w.NextTyping(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 200, next)
			list, err := w.TypingUntil(ctx, 300, 9)
			require.NoError(t, err)
			require.Equal(t, []*storage.Typing{early, late}, list)
			list, err = w.TypingUntil(ctx, 300, 1)
			require.NoError(t, err)
			require.Equal(t, []*storage.Typing{early}, list)

			require.ErrorIs(t, w.ExtendTyping(ctx, 2, "@a:t", 500, 200), storage.ErrNotFound, "time is over")
			require.ErrorIs(t, w.ExtendTyping(ctx, 1, "@c:t", 500, 0), storage.ErrNotFound, "has stopped")
			require.NoError(t, w.ExtendTyping(ctx, 1, "@a:t", 350, 200))
			require.ErrorIs(t, w.EndTyping(ctx, 1, "@a:t", 300), storage.ErrNotFound, "goes on")
			require.NoError(t, w.EndTyping(ctx, 2, "@a:t", 200))
			require.ErrorIs(t, w.EndTyping(ctx, 2, "@a:t", 200), storage.ErrNotFound, "somebody else tells")
			late.Until, early.Until = 350, 0
			for _, want := range []*storage.Typing{late, early, {RoomNID: 1, UserID: "@b:t", Until: 400, Pos: 3}} {
				got, err := w.Typing(ctx, want.RoomNID, want.UserID)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
			return nil
		})
	})
}
