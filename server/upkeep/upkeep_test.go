// SPDX-License-Identifier: Apache-2.0

package upkeep_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/upkeep"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

func TestOldTransactionIDsAreDeleted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := slicetest.New(t, db)
		u := &upkeep.Upkeep{DB: db, Feed: s.Feed, Env: s.Env, Log: s.Log}
		key := func(n int) storage.TxnKey {
			return storage.TxnKey{UserID: "@a:t", DeviceID: "D", Operation: "op", TxnID: strconv.Itoa(n)}
		}
		const old = 2500 // more than one batch
		add := func(from, to int) {
			require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
				for n := from; n < to; n++ {
					if err := tx.ClaimTxn(t.Context(), key(n), storage.TxnResult{EventNID: 1}, s.Env.NowTS()); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		known := func(n int) error {
			return db.Read(t.Context(), func(tx *storage.Reader) error {
				_, err := tx.Txn(t.Context(), key(n))
				return err
			})
		}
		add(0, old)
		s.Clock.Advance(time.Millisecond)
		add(old, old+1)
		s.Clock.Advance(upkeep.TxnLife - time.Millisecond)
		require.NoError(t, u.Once(t.Context()))
		require.NoError(t, known(0), "as old as it may be")
		s.Clock.Advance(time.Millisecond)
		require.NoError(t, u.Once(t.Context()))
		for n := range old {
			require.ErrorIs(t, known(n), storage.ErrNotFound)
		}
		require.NoError(t, known(old))
	})
}

func TestNewAndUnreadChangesAreKept(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := slicetest.New(t, db)
		u := &upkeep.Upkeep{DB: db, Feed: s.Feed, Env: s.Env, Log: s.Log}
		write := func(fn func(tx *storage.Writer) error) {
			require.NoError(t, db.Write(t.Context(), fn))
		}
		var last int64
		grow := func(n int) {
			for ; n > 0; n -= 500 {
				write(func(tx *storage.Writer) error {
					positions, err := tx.ReservePositions(t.Context(), 500)
					if err != nil {
						return err
					}
					for _, last = range positions {
						if err := tx.InsertChange(t.Context(), storage.Change{Pos: last, Kind: "test", RoomNID: 1}); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(t, s.Feed.WaitFor(t.Context(), last))
		}
		oldest := func() (pos int64) {
			require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) error {
				changes, err := tx.Changes(t.Context(), 0, last, 1)
				pos = changes[0].Pos
				return err
			}))
			return pos
		}
		grow(50_000)
		first := oldest()
		grow(50_000)
		require.NoError(t, u.Once(t.Context()))
		require.Equal(t, first, oldest(), "no more than are kept")

		grow(2_500)
		write(func(tx *storage.Writer) error { return tx.PutCursor(t.Context(), "reader", first+99) })
		require.NoError(t, u.Once(t.Context()))
		require.Equal(t, first+100, oldest(), "what a reader has not come to")
		write(func(tx *storage.Writer) error { return tx.PutCursor(t.Context(), "reader", last) })
		require.NoError(t, u.Once(t.Context()))
		require.Equal(t, last-upkeep.KeptChanges+1, oldest())
	})
}

func TestExpiredSessionsAndFailuresAreDeleted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := slicetest.New(t, db)
		u := &upkeep.Upkeep{DB: db, Feed: s.Feed, Env: s.Env, Log: s.Log}
		now, hour := s.Env.NowTS(), upkeep.SessionLife.Milliseconds()
		require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
			for name, at := range map[string]int64{"new": now - hour, "old": now - hour - 1, "ahead": now + hour + 1} {
				session := &storage.UIAuthSession{ID: name, CreatedAt: at}
				if err := tx.InsertUIAuthSession(t.Context(), session); err != nil {
					return err
				}
			}
			for name, at := range map[string]int64{"new": now, "old": now - 2} {
				if _, err := tx.AddFailure(t.Context(), name, at, 1, at+10); err != nil {
					return err
				}
			}
			return nil
		}))
		require.NoError(t, u.Once(t.Context()))
		require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
			for name, kept := range map[string]bool{"new": true, "old": false, "ahead": false} {
				_, err := tx.UIAuthSession(t.Context(), name)
				require.Equal(t, kept, err == nil, name)
			}
			_, err := tx.Failures(t.Context(), "old")
			require.ErrorIs(t, err, storage.ErrNotFound)
			_, err = tx.Failures(t.Context(), "new")
			return err
		}))
	})
}
