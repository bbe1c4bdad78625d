// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func TestSafeStopsBeforeTheFirstUndecidedPosition(t *testing.T) {
	url := storagetest.PostgresURL(t)
	db := storagetest.OpenURL(t, url)
	f := open(t, db, feed.Options{})
	reserved, finish, done := make(chan int64), make(chan error), make(chan error)
	for _, outcome := range []error{nil, errors.New("no")} {
		go func() {
			done <- db.Write(t.Context(), func(w *storage.Writer) error {
				pos, err := insert(w, storage.Change{RoomNID: 1})
				if err != nil {
					return err
				}
				reserved <- pos
				return <-finish
			})
		}()
		first := <-reserved
		second := commit(t, db, storage.Change{RoomNID: 2})
		require.Greater(t, second, first)
		require.Equal(t, first-1, f.Stamp())
		require.EqualValues(t, 2, f.SafeLag())
		finish <- outcome
		require.ErrorIs(t, <-done, outcome)
		require.Equal(t, second, f.Stamp(), "decided, either way")
	}
}

// A writer that has drawn a position and written nothing yet is the hardest to
// see: nothing of it is in any table.
func TestTheFenceSeesAWriterBetweenReserveAndItsFirstWrite(t *testing.T) {
	url := storagetest.PostgresURL(t)
	a, b := storagetest.OpenURL(t, url), storagetest.OpenURL(t, url)
	opts := feed.Options{Shared: true, TxTimeout: time.Millisecond, Poll: 10 * time.Millisecond}
	feedA, feedB := open(t, a, opts), open(t, b, opts)
	reserved, finish, done := make(chan int64), make(chan struct{}), make(chan error)
	go func() {
		done <- a.Write(t.Context(), func(w *storage.Writer) error {
			pos, err := w.ReservePosition(t.Context())
			if err != nil {
				return err
			}
			reserved <- pos
			<-finish
			return w.InsertChange(t.Context(), storage.Change{Pos: pos, Kind: "test", RoomNID: 1})
		})
	}()
	first := <-reserved
	second := commit(t, b, storage.Change{RoomNID: 2})
	fence, err := b.TakeFence(t.Context(), 0, 10, 0)
	require.NoError(t, err)
	require.Equal(t, second, fence.Position)
	require.False(t, fence.IncludesAll)
	require.Empty(t, fence.Changes)
	for _, patient := range []bool{true, false} {
		passed, err := b.FencePassed(t.Context(), &fence, patient)
		require.NoError(t, err)
		require.False(t, passed, "patient: %v", patient)
	}
	require.Less(t, feedA.Stamp(), first)
	require.Less(t, feedB.Stamp(), first)
	close(finish)
	require.NoError(t, <-done)
	for _, f := range []*feed.Feed{feedA, feedB} {
		require.NoError(t, f.WaitFor(t.Context(), second))
	}
	for _, patient := range []bool{true, false} {
		require.Eventually(t, func() bool { // transactions of other tests hold the patient fence up
			passed, err := b.FencePassed(t.Context(), &fence, patient)
			return err == nil && passed
		}, 30*time.Second, 10*time.Millisecond)
	}
}

func TestForeignTransactionDoesNotStallFeed(t *testing.T) {
	url := storagetest.PostgresURL(t)
	db := storagetest.OpenURL(t, url)
	stranger, err := pgx.Connect(t.Context(), storagetest.ForeignURL(t))
	require.NoError(t, err)
	defer stranger.Close(context.Background())
	tx, err := stranger.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT pg_current_xact_id()`)
	require.NoError(t, err)

	f := open(t, db, feed.Options{Shared: true, TxTimeout: 5 * time.Millisecond})
	pos := commit(t, db, storage.Change{RoomNID: 1})
	fence, err := db.TakeFence(t.Context(), 0, 10, 0)
	require.NoError(t, err)
	passed, err := db.FencePassed(t.Context(), &fence, true)
	require.NoError(t, err)
	require.False(t, passed, "the stranger does hold the plain fence up")
	require.NoError(t, f.WaitFor(t.Context(), pos))
	require.NoError(t, tx.Rollback(t.Context()))
}

func TestExclusiveFeedRefusesSecondServer(t *testing.T) {
	url := storagetest.PostgresURL(t)
	first := storagetest.OpenURL(t, url)
	open(t, first, feed.Options{})
	for _, shared := range []bool{true, false} {
		second := storagetest.OpenURL(t, url)
		// Whoever has no time to try learns nothing: a busy machine gets more.
		for patience := time.Second; ; patience *= 2 {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := feed.Open(ctx, second, newGroup(t), feed.Options{Shared: shared})
			cancel()
			if errors.Is(err, storage.ErrBusy) {
				break
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Less(t, patience, time.Minute)
		}
	}
	_, err := feed.Open(t.Context(), storagetest.Open(t), newGroup(t), feed.Options{Shared: true})
	require.ErrorContains(t, err, "SQLite")
}

// A commit that PostgreSQL does not answer may have happened. Its positions
// hold the stream up until the next fence tells, and no longer.
func TestUnknownCommitOutcomeIsResolved(t *testing.T) {
	url := storagetest.PostgresURL(t)
	db := storagetest.OpenURL(t, url)
	f := open(t, db, feed.Options{})
	admin, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer admin.Close(context.Background())
	outcome := storage.Committed
	err = db.Write(t.Context(), func(w *storage.Writer) error {
		w.OnEnd(func(o storage.Outcome) { outcome = o })
		pos, err := insert(w, storage.Change{RoomNID: 1})
		require.NoError(t, err)
		_, err = w.Changes(t.Context(), pos, pos, 1) // sends what waits
		require.NoError(t, err)
		_, err = admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND state = 'idle in transaction'`)
		return err
	})
	require.Error(t, err)
	require.Equal(t, storage.Unknown, outcome)
	pos := commit(t, db, storage.Change{RoomNID: 2})
	require.NoError(t, f.WaitFor(t.Context(), pos))
}

func TestLostDoorbellIsReplaced(t *testing.T) {
	url := storagetest.PostgresURL(t)
	a, b := storagetest.OpenURL(t, url), storagetest.OpenURL(t, url)
	opts := feed.Options{Shared: true, Poll: 10 * time.Millisecond}
	open(t, a, opts)
	f := open(t, b, opts)
	admin, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer admin.Close(context.Background())
	_, err = admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'`)
	require.NoError(t, err)
	for range 3 {
		pos := commit(t, a, storage.Change{RoomNID: 1})
		require.NoError(t, f.WaitFor(t.Context(), pos))
	}
}

// A foreign transaction is waited for once. Until it ends, what is committed is read as
// soon as if it were not there.
func TestForeignTransactionIsWaitedForOnce(t *testing.T) {
	url := storagetest.PostgresURL(t)
	db := storagetest.OpenURL(t, url)
	f := open(t, db, feed.Options{Shared: true, TxTimeout: time.Second})
	foreign, err := pgx.Connect(t.Context(), storagetest.ForeignURL(t))
	require.NoError(t, err)
	defer foreign.Close(context.Background())
	tx, err := foreign.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT pg_current_xact_id()`)
	require.NoError(t, err)
	require.NoError(t, f.WaitFor(t.Context(), commit(t, db, storage.Change{RoomNID: 1})))
	soon, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	begun := time.Now()
	const rounds = 20
	for range rounds {
		require.NoError(t, f.WaitFor(soon, commit(t, db, storage.Change{RoomNID: 1})), "each as if the first had not waited")
	}
	t.Logf("a commit is read after %v", time.Since(begun)/rounds)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, f.WaitFor(t.Context(), commit(t, db, storage.Change{RoomNID: 1})))
}

// Sixteen slow readers use up what a process has for readers. Who writes, and
// waits until everybody can read it, does not wait for them.
func TestSlowReadersDoNotHoldWritersUp(t *testing.T) {
	url := storagetest.PostgresURL(t)
	db := storagetest.OpenURL(t, url)
	f := open(t, db, feed.Options{Shared: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const readers = 16
	inside, leave := make(chan error, readers), make(chan struct{})
	var reading sync.WaitGroup
	defer reading.Wait()
	defer close(leave)
	for range readers {
		reading.Go(func() {
			err := db.Read(ctx, func(r *storage.Reader) error {
				_, err := r.Epoch(ctx)
				inside <- err
				<-leave
				return err
			})
			if err != nil {
				inside <- err
			}
		})
	}
	for range readers {
		require.NoError(t, <-inside)
	}
	begun := time.Now()
	const rounds = 20
	for range rounds {
		var pos int64
		err := db.Write(ctx, func(w *storage.Writer) (err error) {
			pos, err = insert(w, storage.Change{RoomNID: 1})
			return err
		})
		require.NoError(t, err, "a connection to write with")
		require.NoError(t, f.WaitFor(ctx, pos))
		upTo, err := f.Reach(ctx, nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, upTo, pos)
	}
	t.Logf("a commit is read after %v beside %d readers", time.Since(begun)/rounds, readers)
}
