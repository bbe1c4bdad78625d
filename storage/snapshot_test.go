// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func noteInfo(t *testing.T, db *storage.DB, name, value string) {
	t.Helper()
	require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error { return tx.PutServerInfo(t.Context(), name, value) }))
}

func info(t *testing.T, db *storage.DB, name string) (value string) {
	t.Helper()
	require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) (err error) {
		value, err = tx.ServerInfo(t.Context(), name)
		return err
	}))
	return value
}

// TestSnapshot: a database that is made from a snapshot is what that one was, and
// begins a history of its own with each restore.
func TestSnapshot(t *testing.T) {
	for name, url := range map[string]string{
		"temporary": "sqlite::memory:", "file": "sqlite://" + filepath.Join(t.TempDir(), "a.db"),
	} {
		t.Run(name, func(t *testing.T) {
			db, err := storage.Open(t.Context(), url, storage.Options{Checks: true})
			require.NoError(t, err)
			_, _, err = db.OpenHistory(t.Context())
			require.NoError(t, err)
			noteInfo(t, db, "x", "saved")
			s, err := db.Snapshot(t.Context())
			require.NoError(t, err)
			for epoch := int64(1); epoch <= 3; epoch++ {
				noteInfo(t, db, "x", "after the snapshot")
				require.NoError(t, db.Close())
				db, err = storage.Open(t.Context(), url, storage.Options{Checks: true, Snapshot: s, LastEpoch: epoch})
				require.NoError(t, err)
				require.Equal(t, "saved", info(t, db, "x"))
				epochs, cut, err := db.OpenHistory(t.Context())
				require.NoError(t, err)
				require.True(t, cut)
				require.Equal(t, epoch+1, epochs[len(epochs)-1].Number, "an epoch that no client has a token of")
			}
			require.NoError(t, db.Close())
			require.NoError(t, s.Delete())
		})
	}
}

// TestSnapshotBesideReaders: a reader that has begun before holds part of the log
// back, which is then copied as well.
func TestSnapshotBesideReaders(t *testing.T) {
	db, err := storage.Open(t.Context(), "sqlite::memory:", storage.Options{})
	require.NoError(t, err)
	defer db.Close()
	noteInfo(t, db, "x", "before the reader")
	var s *storage.Snapshot
	require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) error {
		if _, err := tx.ServerInfo(t.Context(), "x"); err != nil {
			return err
		}
		for i := range 50 {
			noteInfo(t, db, fmt.Sprint(i), "beside the reader")
		}
		s, err = db.Snapshot(t.Context())
		return err
	}))
	copied, err := storage.Open(t.Context(), "sqlite::memory:", storage.Options{Snapshot: s})
	require.NoError(t, err)
	defer copied.Close()
	require.Equal(t, "before the reader", info(t, copied, "x"))
	require.Equal(t, "beside the reader", info(t, copied, "49"))
	require.NoError(t, s.Delete())
}

// TestErase: an erased database is made anew.
func TestErase(t *testing.T) {
	urls := map[string]string{"file": "sqlite://" + filepath.Join(t.TempDir(), "a.db")}
	for _, engine := range storagetest.Engines() {
		if engine == "postgres" {
			urls[engine] = storagetest.PostgresURL(t)
		}
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				db, err := storage.Open(t.Context(), url, storage.Options{})
				require.NoError(t, err)
				epochs, cut, err := db.OpenHistory(t.Context())
				require.NoError(t, err)
				require.False(t, cut)
				require.Len(t, epochs, 1)
				require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) error {
					_, err := tx.ServerInfo(t.Context(), "x")
					require.ErrorIs(t, err, storage.ErrNotFound)
					return nil
				}))
				noteInfo(t, db, "x", "y")
				require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
					_, err := tx.NextID(t.Context(), "n")
					return err
				}))
				require.NoError(t, db.Close())
				require.NoError(t, storage.Erase(t.Context(), url))
			}
		})
	}
}

// TestSnapshotNeedsSQLite: PostgreSQL says so.
func TestSnapshotNeedsSQLite(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, err := db.Snapshot(t.Context())
		if db.Engine() == "postgres" {
			require.ErrorIs(t, err, storage.ErrUnsupported)
			return
		}
		require.NoError(t, err)
		require.NoError(t, s.Delete())
	})
}
