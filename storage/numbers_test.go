// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func TestRowNumbersAreUniqueAcrossServers(t *testing.T) {
	db := storagetest.OpenURL(t, storagetest.PostgresURL(t))
	uniqueNumbers(t, db, db)
	url := storagetest.PostgresURL(t)
	uniqueNumbers(t, storagetest.OpenURL(t, url), storagetest.OpenURL(t, url), storagetest.OpenURL(t, url))
}

func TestRowNumbersAreUniqueInOneServer(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { uniqueNumbers(t, db, db, db) })
}

func uniqueNumbers(t *testing.T, servers ...*storage.DB) {
	var mu sync.Mutex
	seen := map[string]map[int64]bool{"a": {}, "b": {}}
	var wg sync.WaitGroup
	for _, db := range servers {
		wg.Go(func() {
			for range 40 {
				var got []int64
				err := db.Write(t.Context(), func(w *storage.Writer) error {
					got = nil
					for i := range 20 {
						n, err := w.NextID(t.Context(), []string{"a", "b"}[i%2])
						if err != nil {
							return err
						}
						got = append(got, n)
					}
					return nil
				})
				mu.Lock()
				if err != nil {
					t.Error(err)
				}
				for i, n := range got {
					if seen[[]string{"a", "b"}[i%2]][n] {
						t.Errorf("number %d was given out twice", n)
					}
					seen[[]string{"a", "b"}[i%2]][n] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, seen["a"], len(servers)*400)
}

func TestNumbersAreRepeatedAfterARollbackAndNeverAfterARestart(t *testing.T) {
	url := "sqlite://" + t.TempDir() + "/a.db"
	draw := func(db *storage.DB, fail error) (nid, pos int64) {
		err := db.Write(t.Context(), func(w *storage.Writer) (err error) {
			nid, err = w.NextID(t.Context(), "events")
			require.NoError(t, err)
			pos, err = w.ReservePosition(t.Context())
			require.NoError(t, err)
			require.NoError(t, w.InsertChange(t.Context(), storage.Change{Pos: pos, Kind: "k"}))
			return fail
		})
		require.ErrorIs(t, err, fail)
		return nid, pos
	}
	db, err := storage.Open(t.Context(), url, storage.Options{})
	require.NoError(t, err)
	nid, pos := draw(db, errors.New("no"))
	nid2, pos2 := draw(db, nil)
	require.Equal(t, []int64{nid, pos}, []int64{nid2, pos2})
	require.NoError(t, db.Close())
	require.ErrorIs(t, db.Close(), storage.ErrClosed)

	db = storagetest.OpenURL(t, url)
	nid3, pos3 := draw(db, nil)
	require.Greater(t, nid3, nid2)
	require.Equal(t, pos2+1, pos3)
}

func TestAReservedPositionNeedsAChange(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		err := db.Write(t.Context(), func(w *storage.Writer) error {
			_, err := w.ReservePosition(t.Context())
			return err
		})
		require.ErrorContains(t, err, "no change was inserted")
	})
}

func TestTheLogOfChanges(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		var want []storage.Change
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			want = nil
			positions, err := w.ReservePositions(ctx, 3)
			require.NoError(t, err)
			for i, pos := range []int64{positions[0], positions[1], positions[1], positions[2]} {
				c := storage.Change{Pos: pos, Kind: "k", RoomNID: int64(i), UserID: "@u:t", Ref: 7}
				require.NoError(t, w.InsertChange(ctx, c))
				want = append(want, c)
			}
			return nil
		})
		last := want[3].Pos
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			got, err := w.Changes(ctx, 0, last, 10)
			require.NoError(t, err)
			require.Equal(t, want, got)
			got, err = w.Changes(ctx, want[0].Pos, last-1, 1)
			require.NoError(t, err)
			require.Equal(t, want[1:3], got, "a position is read whole")
			n, err := w.CompactChanges(ctx, last+100, 1000)
			require.NoError(t, err)
			require.EqualValues(t, 3, n, "the newest row stays")
			got, err = w.Changes(ctx, 0, last, 10)
			require.Equal(t, want[3:], got)
			return err
		})
	})
}

func TestOneServerAFile(t *testing.T) {
	url := "sqlite://" + t.TempDir() + "/a.db"
	storagetest.OpenURL(t, url)
	_, err := storage.Open(t.Context(), url, storage.Options{})
	require.ErrorIs(t, err, storage.ErrBusy)
}

func TestAClosedDatabaseSaysSo(t *testing.T) {
	db, err := storage.Open(t.Context(), "sqlite::memory:", storage.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.ErrorIs(t, db.Read(t.Context(), func(*storage.Reader) error { return nil }), storage.ErrClosed)
	require.ErrorIs(t, db.Write(t.Context(), func(*storage.Writer) error { return nil }), storage.ErrClosed)
}

func TestOpenRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for _, url := range []string{"mysql://x", "sqlite:x.db", "sqlite://", "postgres://%zz"} {
		_, err := storage.Open(t.Context(), url, storage.Options{})
		require.Error(t, err, url)
	}
	_, err := storage.Open(t.Context(), "postgres://me:secret@127.0.0.1:1/db?connect_timeout=1&sslpassword=hidden", storage.Options{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
	require.NotContains(t, err.Error(), "hidden")
}
