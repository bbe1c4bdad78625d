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

func TestVersionsOfAKeyBackup(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			_, err := w.CurrentKeyBackup(ctx, "@a:t")
			require.ErrorIs(t, err, storage.ErrNotFound)
			for want := int64(1); want <= 3; want++ {
				version, err := w.InsertKeyBackup(ctx, "@a:t", "alg\x00", []byte(`{}`))
				require.NoError(t, err)
				require.Equal(t, want, version)
			}
			version, err := w.InsertKeyBackup(ctx, "@b:t", "alg", []byte(`{}`))
			require.NoError(t, err)
			require.EqualValues(t, 1, version, "each user's are numbered by themselves")

			require.NoError(t, w.PutKeyBackupAuthData(ctx, "@a:t", 2, []byte(`{"a":1}`)))
			require.NoError(t, w.PutKeyBackupKeys(ctx, "@a:t", 2, 5))
			require.NoError(t, w.PutKeyBackupKeys(ctx, "@a:t", 2, -2))
			require.NoError(t, w.PutBackedUpKey(ctx, "@a:t", 3, &storage.BackedUpKey{RoomID: "!r:t", SessionID: "s", SessionData: []byte(`{}`)}))
			require.NoError(t, w.DeleteKeyBackup(ctx, "@a:t", 3))
			keys, err := w.BackedUpKeys(ctx, "@a:t", 3)
			require.NoError(t, err)
			require.Empty(t, keys, "deleted with their version")
			second := &storage.KeyBackup{UserID: "@a:t", Version: 2, Algorithm: "alg\x00", AuthData: []byte(`{"a":1}`), Etag: 2, Keys: 3}
			current, err := w.CurrentKeyBackup(ctx, "@a:t")
			require.NoError(t, err)
			require.Equal(t, second, current, "the newest that is not deleted")
			locked, err := w.LockKeyBackup(ctx, "@a:t", 2)
			require.NoError(t, err)
			require.Equal(t, second, locked)
			deleted, err := w.KeyBackup(ctx, "@a:t", 3)
			require.NoError(t, err)
			require.True(t, deleted.Deleted)
			require.Empty(t, deleted.AuthData)
			version, err = w.InsertKeyBackup(ctx, "@a:t", "alg", []byte(`{}`))
			require.NoError(t, err)
			require.EqualValues(t, 4, version, "the number of a deleted version is not used again")
			other, err := w.CurrentKeyBackup(ctx, "@b:t")
			require.Equal(t, &storage.KeyBackup{UserID: "@b:t", Version: 1, Algorithm: "alg", AuthData: []byte(`{}`)}, other)
			return err
		})
	})
}

func TestBackedUpKeys(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		key := func(room id.RoomID, session string, index int64) *storage.BackedUpKey {
			return &storage.BackedUpKey{
				RoomID: room, SessionID: session, FirstMessageIndex: index, ForwardedCount: 2, Verified: true, SessionData: []byte(`{"d":1}`),
			}
		}
		a, b, other := key("!1:t", "a\x00", 1), key("!1:t", "b", 2), key("!2\x00:t", "a\x00", 3)
		older, ofB := key("!1:t", "a\x00", 4), key("!1:t", "b", 5)
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, k := range []*storage.BackedUpKey{other, b, key("!1:t", "a\x00", 9), a} { // the last replaces the third
				require.NoError(t, w.PutBackedUpKey(ctx, "@a:t", 2, k))
			}
			require.NoError(t, w.PutBackedUpKey(ctx, "@a:t", 1, older))
			return w.PutBackedUpKey(ctx, "@b:t", 2, ofB)
		})
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require := require.New(t)
			list, err := w.BackedUpKeys(ctx, "@a:t", 2)
			require.NoError(err)
			require.Equal([]*storage.BackedUpKey{a, b, other}, list)
			list, err = w.BackedUpKeysOfRoom(ctx, "@a:t", 2, "!1:t")
			require.NoError(err)
			require.Equal([]*storage.BackedUpKey{a, b}, list)
			list, err = w.BackedUpKeysIn(ctx, "@a:t", 2, "!1:t", []string{"none", "b", "a\x00", "b"})
			require.NoError(err)
			require.ElementsMatch([]*storage.BackedUpKey{a, b}, list)
			list, err = w.BackedUpKeysIn(ctx, "@a:t", 2, "!2\x00:t", []string{"b", "a\x00"})
			require.NoError(err)
			require.Equal([]*storage.BackedUpKey{other}, list, "of this room alone")
			list, err = w.BackedUpKeysIn(ctx, "@a:t", 1, "!1:t", []string{"b", "a\x00"})
			require.NoError(err)
			require.Equal([]*storage.BackedUpKey{older}, list, "of this version alone")
			list, err = w.BackedUpKeysIn(ctx, "@b:t", 2, "!1:t", []string{"b", "a\x00"})
			require.Equal([]*storage.BackedUpKey{ofB}, list, "of this user alone")
			return err
		})
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require := require.New(t)
			for want := int64(1); want >= 0; want-- {
				n, err := w.DeleteBackedUpKey(ctx, "@a:t", 2, "!1:t", "b")
				require.NoError(err)
				require.Equal(want, n)
				n, err = w.DeleteBackedUpKeysOfRoom(ctx, "@a:t", 2, "!1:t")
				require.NoError(err)
				require.Equal(want, n)
				n, err = w.DeleteBackedUpKeys(ctx, "@a:t", 2)
				require.NoError(err)
				require.Equal(want, n)
			}
			list, err := w.BackedUpKeys(ctx, "@a:t", 1)
			require.NoError(err)
			require.Equal([]*storage.BackedUpKey{older}, list)
			list, err = w.BackedUpKeys(ctx, "@b:t", 2)
			require.Equal([]*storage.BackedUpKey{ofB}, list)
			return err
		})
	})
}
