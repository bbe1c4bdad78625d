// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func TestAccountData(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		global := &storage.AccountData{UserID: "@a:t", Type: "one\x00", Content: []byte(`{"a":1}`), Pos: 3}
		second := &storage.AccountData{UserID: "@a:t", Type: "two", Content: []byte(`{}`), Pos: 2}
		gone := &storage.AccountData{UserID: "@a:t", Type: "gone", Pos: 4}
		inRoom := &storage.AccountData{UserID: "@a:t", RoomNID: 7, Type: "two", Content: []byte(`{"room":7}`), Pos: 1}
		ofB := &storage.AccountData{UserID: "@b:t", Type: "two", Content: []byte(`{"b":1}`), Pos: 2}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.PutAccountData(ctx, &storage.AccountData{UserID: "@a:t", Type: "gone", Content: []byte(`{}`), Pos: 1}))
			for _, d := range []*storage.AccountData{inRoom, second, global, gone, ofB} {
				require.NoError(t, w.PutAccountData(ctx, d))
			}
			return nil
		})
		gone.Content = []byte{}
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			list, err := r.AccountDataOf(ctx, "@a:t", "two", "none", "one\x00", "gone", "two")
			require.NoError(t, err)
			require.Len(t, list, 3)
			for _, d := range list { // in no order
				if d.Type == "gone" {
					require.Empty(t, d.Content)
					d.Content = gone.Content // nil or empty
				}
			}
			require.ElementsMatch(t, []*storage.AccountData{global, second, gone}, list, "the user's own and global, deleted ones too")
			list, err = r.AccountDataOf(ctx, "@b:t", "one\x00", "two")
			require.NoError(t, err)
			require.Equal(t, []*storage.AccountData{ofB}, list)
			list, err = r.AccountDataOf(ctx, "@a:t")
			require.NoError(t, err)
			require.Empty(t, list)

			list, err = r.AccountDataSince(ctx, "@a:t", 0, 3)
			require.NoError(t, err)
			require.Equal(t, []*storage.AccountData{global, second, inRoom}, list, "by room and type")
			list, err = r.AccountDataSince(ctx, "@a:t", 2, 3)
			require.NoError(t, err)
			require.Equal(t, []*storage.AccountData{global}, list)
			_, err = r.AccountData(ctx, "@a:t", 7, "one\x00")
			require.ErrorIs(t, err, storage.ErrNotFound)
			return nil
		})
	})
}

func TestLockedAccountDataKeepsWhatIsThere(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		d := &storage.AccountData{UserID: "@a:t", RoomNID: 7, Type: "m.tag", Content: []byte(`{"tags":{}}`), Pos: 4}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.PutAccountData(ctx, d))
			locked, err := w.LockAccountData(ctx, "@a:t", 7, "m.tag")
			require.NoError(t, err)
			require.Equal(t, d, locked)
			locked, err = w.LockAccountData(ctx, "@a:t", 8, "m.tag")
			require.NoError(t, err)
			require.Empty(t, locked.Content)
			list, err := w.AccountDataSince(ctx, "@a:t", 0, 9)
			require.Equal(t, []*storage.AccountData{d}, list, "no client is told of a lock")
			return err
		})
	})
}
