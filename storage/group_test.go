// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// Writes that queue up on SQLite share a transaction; each must still live or
// die by itself.
func TestWritesThatShareACommitStandAlone(t *testing.T) {
	db := storagetest.Open(t)
	ctx := t.Context()
	no := errors.New("no")
	var mu sync.Mutex
	outcomes, results := map[int]storage.Outcome{}, map[int]error{}
	positions := map[int]int64{}
	write := func(n int, body func(w *storage.Writer) error) {
		defer func() {
			if p := recover(); p != nil {
				mu.Lock()
				results[n] = fmt.Errorf("panic: %v", p)
				mu.Unlock()
			}
		}()
		err := db.Write(ctx, func(w *storage.Writer) error {
			w.OnEnd(func(o storage.Outcome) {
				mu.Lock()
				outcomes[n] = o
				mu.Unlock()
			})
			pos, err := w.ReservePosition(ctx)
			if err != nil {
				return err
			}
			positions[n] = pos // one writer at a time
			if err := w.InsertChange(ctx, storage.Change{Pos: pos, Kind: fmt.Sprint(n)}); err != nil {
				return err
			}
			return body(w)
		})
		mu.Lock()
		results[n] = err
		mu.Unlock()
	}
	inside, queued := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		write(0, func(*storage.Writer) error {
			close(inside)
			<-queued
			return nil
		})
	})
	<-inside
	bodies := []func(w *storage.Writer) error{
		1: func(*storage.Writer) error { return nil },
		2: func(*storage.Writer) error { return no },
		3: func(*storage.Writer) error { panic("bug") },
		4: func(w *storage.Writer) error {
			_, err := w.Exec(ctx, insertInfo, "twice", "")
			require.NoError(t, err)
			_, err = w.Exec(ctx, insertInfo, "twice", "")
			return err
		},
		5: func(w *storage.Writer) error {
			list, err := w.Changes(ctx, 0, 100, 100)
			require.Len(t, list, int(positions[5]), "what came before is there, what failed is not")
			return err
		},
	}
	for n := 1; n < len(bodies); n++ {
		wg.Go(func() { write(n, bodies[n]) })
		for db.Queued() < n {
			runtime.Gosched()
		}
	}
	close(queued)
	wg.Wait()

	require.NoError(t, results[0])
	require.NoError(t, results[1])
	require.ErrorIs(t, results[2], no)
	require.EqualError(t, results[3], "panic: bug")
	require.ErrorIs(t, results[4], storage.ErrExists)
	require.NoError(t, results[5])
	require.Equal(t, map[int]storage.Outcome{
		0: storage.Committed, 1: storage.Committed, 2: storage.RolledBack,
		3: storage.RolledBack, 4: storage.RolledBack, 5: storage.Committed,
	}, outcomes)
	// In whatever order they had their turn, a failed one's position is drawn again.
	require.EqualValues(t, 1, positions[0])
	require.ElementsMatch(t, []int64{2, 3}, []int64{positions[1], positions[5]})
	for _, failed := range []int{2, 3, 4} {
		require.Contains(t, []int64{2, 3, 4}, positions[failed])
	}
	require.Equal(t, 0, countInfo(t, db))
	read(t, db, func(ctx context.Context, r *storage.Reader) error {
		list, err := r.Changes(ctx, 0, 100, 100)
		require.Len(t, list, 3)
		return err
	})
}

// TestAFailedWriteHasSeenOnlyWhatIsKept: one that fails over what another of
// its group has written fails after that is there for all.
func TestAFailedWriteHasSeenOnlyWhatIsKept(t *testing.T) {
	db := storagetest.Open(t)
	ctx := t.Context()
	inside, queued := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.Write(ctx, func(w *storage.Writer) error {
			close(inside)
			<-queued
			return w.InsertUser(ctx, &storage.User{ID: "@a:t"})
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	results := make([]error, 8)
	for n := range results {
		wg.Go(func() {
			err := db.Write(ctx, func(w *storage.Writer) error { return w.InsertUser(ctx, &storage.User{ID: "@a:t"}) })
			if !errors.Is(err, storage.ErrExists) {
				t.Error(err)
			}
			results[n] = db.Read(ctx, func(r *storage.Reader) error {
				_, err := r.User(ctx, "@a:t")
				return err
			})
		})
	}
	for db.Queued() < len(results) {
		runtime.Gosched()
	}
	close(queued)
	wg.Wait()
	for _, err := range results {
		require.NoError(t, err)
	}
}

func TestAWriteThatGivesUpWaitingLeavesNothing(t *testing.T) {
	db := storagetest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	inside, queued := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.Write(t.Context(), func(w *storage.Writer) error {
			close(inside)
			<-queued
			return w.PutServerInfo(t.Context(), "a", "")
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	wg.Go(func() {
		err := db.Write(ctx, func(*storage.Writer) error { return errors.New("ran") })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for db.Queued() < 1 {
		runtime.Gosched()
	}
	cancel()
	for db.Queued() > 0 {
		runtime.Gosched()
	}
	close(queued)
	wg.Wait()
	require.Equal(t, 1, countInfo(t, db))
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		db, err := storage.Open(context.Background(), "sqlite::memory:", storage.Options{})
		require.NoError(b, err)
		require.NoError(b, db.Close())
	}
}
