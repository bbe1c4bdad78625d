// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/server/run"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func newGroup(t testing.TB) *run.Group {
	g := run.NewGroup(context.Background(), nil)
	t.Cleanup(func() {
		g.Stop()
		require.NoError(t, g.Wait())
	})
	return g
}

func open(t testing.TB, db *storage.DB, opts feed.Options) *feed.Feed {
	t.Helper()
	f, err := feed.Open(context.Background(), db, newGroup(t), opts)
	require.NoError(t, err)
	return f
}

// A server is a database handle with its feed.
type server struct {
	*storage.DB
	*feed.Feed
}

// each runs a test on SQLite, on PostgreSQL alone, and on PostgreSQL with
// several servers.
func each(t *testing.T, fn func(t *testing.T, servers []server)) {
	serve := func(t *testing.T, url string, n int, opts feed.Options) (list []server) {
		for range n {
			db := storagetest.OpenURL(t, url)
			list = append(list, server{db, open(t, db, opts)})
		}
		return list
	}
	t.Run("sqlite", func(t *testing.T) { fn(t, serve(t, "sqlite::memory:", 1, feed.Options{})) })
	t.Run("postgres", func(t *testing.T) { fn(t, serve(t, storagetest.PostgresURL(t), 1, feed.Options{})) })
	t.Run("postgres-shared", func(t *testing.T) {
		fn(t, serve(t, storagetest.PostgresURL(t), 3, feed.Options{Shared: true, Poll: 50 * time.Millisecond}))
	})
}

// commit writes one change and returns its position.
func commit(t testing.TB, db *storage.DB, c storage.Change) (pos int64) {
	t.Helper()
	require.NoError(t, db.Write(context.Background(), func(w *storage.Writer) (err error) {
		pos, err = insert(w, c)
		return err
	}))
	return pos
}

func insert(w *storage.Writer, c storage.Change) (int64, error) {
	pos, err := w.ReservePosition(context.Background())
	if err != nil {
		return 0, err
	}
	c.Pos, c.Kind = pos, "test"
	return pos, w.InsertChange(context.Background(), c)
}

func TestReadYourWrites(t *testing.T) {
	each(t, func(t *testing.T, servers []server) {
		for i := range 20 {
			writer := servers[i%len(servers)]
			pos := commit(t, writer.DB, storage.Change{RoomNID: 1})
			if len(servers) == 1 {
				require.Equal(t, pos, writer.Stamp(), "at once")
				require.Zero(t, writer.SafeLag())
			}
			for _, s := range servers {
				require.NoError(t, s.WaitFor(t.Context(), pos))
				require.GreaterOrEqual(t, s.Stamp(), pos)
			}
		}
	})
}

// Thirty writers, a third of which give up, and readers that collect what is
// behind Safe: each change must be seen exactly once, and none too late.
func TestNothingIsLostAndNothingComesTwice(t *testing.T) {
	each(t, func(t *testing.T, servers []server) {
		const writers, rounds = 30, 20
		var mu sync.Mutex
		committed := map[int64]bool{}
		var wg sync.WaitGroup
		for n := range writers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(n)))
				db := servers[n%len(servers)].DB
				for range rounds {
					var pos int64
					err := db.Write(context.Background(), func(w *storage.Writer) (err error) {
						if pos, err = insert(w, storage.Change{RoomNID: int64(n + 1)}); err != nil {
							return err
						}
						for range random.IntN(20) {
							runtime.Gosched()
						}
						if random.IntN(3) == 0 {
							return errors.New("changed my mind")
						}
						return nil
					})
					if err == nil {
						mu.Lock()
						if committed[pos] {
							t.Errorf("position %d was committed twice", pos)
						}
						committed[pos] = true
						mu.Unlock()
					}
				}
			})
		}
		stop := make(chan struct{})
		seen := make([]map[int64]bool, len(servers))
		var readers sync.WaitGroup
		for i, s := range servers {
			seen[i] = map[int64]bool{}
			readers.Go(func() { collect(t, s, seen[i], stop) })
		}
		wg.Wait()
		last := commit(t, servers[0].DB, storage.Change{UserID: "@last:test"})
		committed[last] = true
		for _, s := range servers {
			require.NoError(t, s.WaitFor(t.Context(), last))
		}
		close(stop)
		readers.Wait()
		for i := range servers {
			require.Equal(t, committed, seen[i], "server %d", i)
		}
	})
}

// collect reads the stream as every reader does, to the end after stop.
func collect(t *testing.T, s server, seen map[int64]bool, stop <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-stop
		cancel()
	}()
	for since, stopping := int64(0), false; !stopping; {
		safe, err := s.Wait(ctx, since)
		stopping = err != nil
		err = s.Read(context.Background(), func(r *storage.Reader) error {
			list, err := r.Changes(context.Background(), since, safe, 100000)
			for _, c := range list {
				if seen[c.Pos] {
					t.Errorf("position %d came twice", c.Pos)
				}
				seen[c.Pos] = true
			}
			return err
		})
		if err != nil {
			t.Error(err)
			return
		}
		since = safe
	}
}

func TestChangeWakesOnlyItsTopics(t *testing.T) {
	each(t, func(t *testing.T, servers []server) {
		type result struct {
			who  string
			safe int64
			err  error
		}
		woken := make(chan result)
		var start []int64
		pos := commit(t, servers[0].DB, storage.Change{RoomNID: 9})
		for _, s := range servers {
			require.NoError(t, s.WaitFor(t.Context(), pos))
			start = append(start, s.Stamp())
		}
		ctx, cancel := context.WithCancel(t.Context())
		waiting := 0
		wait := func(i int, who string, keys ...feed.Key) {
			waiting++
			go func() {
				safe, err := servers[i].Wait(ctx, start[i], keys...)
				woken <- result{who, safe, err}
			}()
		}
		for i := range servers {
			wait(i, "room", feed.Room(7), feed.Room(1))
			wait(i, "user", feed.Memberships("@a:test"), feed.Room(3))
			wait(i, "anybody")
			wait(i, "other", feed.Room(2), feed.Memberships("@b:test"))
		}
		pos = commit(t, servers[0].DB, storage.Change{RoomNID: 1, UserID: "@a:test"})
		var got []string
		for range 3 * len(servers) {
			r := <-woken
			require.NoError(t, r.err)
			require.GreaterOrEqual(t, r.safe, pos)
			got = append(got, r.who)
		}
		require.NotContains(t, got, "other")
		cancel()
		for range len(servers) {
			r := <-woken
			require.Equal(t, "other", r.who)
			require.ErrorIs(t, r.err, context.Canceled)
			require.GreaterOrEqual(t, r.safe, pos, "its token may advance without a look at the database")
		}
	})
}

func TestWaitAfterChangeReturnsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, servers []server) {
		s := servers[0]
		start := s.Stamp()
		first := commit(t, s.DB, storage.Change{RoomNID: 1})
		second := commit(t, s.DB, storage.Change{RoomNID: 2})
		require.NoError(t, s.WaitFor(t.Context(), second))
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for since, changed := range map[int64]bool{start: true, first - 1: true, first: false, second: false} {
			_, err := s.Wait(over, since, feed.Room(1))
			require.Equal(t, changed, err == nil, "since %d", since)
		}
		_, err := s.Wait(over, first, feed.Room(2))
		require.NoError(t, err)
		_, err = s.Wait(over, second+1000, feed.Room(2))
		require.Error(t, err, "another server's position of the future")
	})
}

// After more keys than are remembered, a waiter may be woken for nothing but
// never kept from something.
func TestForgottenKeysCountAsChanged(t *testing.T) {
	db := storagetest.Open(t)
	f := open(t, db, feed.Options{})
	first := commit(t, db, storage.Change{RoomNID: 1})
	for i := range 200 {
		commitMany(t, db, int64(i*1000+10), 1000)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Wait(over, first-1, feed.Room(1))
	require.NoError(t, err)
	last := commit(t, db, storage.Change{RoomNID: 1})
	_, err = f.Wait(over, last-1, feed.Room(1))
	require.NoError(t, err)
	_, err = f.Wait(over, last, feed.Room(1))
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Wait(over, last-1, feed.Room(2))
	require.ErrorIs(t, err, context.Canceled, "recent positions are exact for all keys")
}

func commitMany(t testing.TB, db *storage.DB, from int64, n int) {
	require.NoError(t, db.Write(context.Background(), func(w *storage.Writer) error {
		positions, err := w.ReservePositions(context.Background(), n)
		for i, pos := range positions {
			if err == nil {
				err = w.InsertChange(context.Background(), storage.Change{Pos: pos, Kind: "k", RoomNID: from + int64(i)})
			}
		}
		return err
	}))
}

func TestPositionsGoOnAfterARestart(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		var last int64
		for range 3 {
			db, err := storage.Open(t.Context(), url, storage.Options{Checks: true})
			require.NoError(t, err)
			g := run.NewGroup(t.Context(), nil)
			f, err := feed.Open(t.Context(), db, g, feed.Options{})
			require.NoError(t, err)
			require.GreaterOrEqual(t, f.Stamp(), last)
			token := f.Stamp()
			pos := commit(t, db, storage.Change{RoomNID: 1})
			require.Greater(t, pos, token)
			require.Error(t, db.Write(t.Context(), func(w *storage.Writer) error {
				_, err := insert(w, storage.Change{RoomNID: 1})
				require.NoError(t, err)
				return errors.New("no")
			}))
			last = f.Stamp()
			g.Stop()
			require.NoError(t, g.Wait())
			require.NoError(t, db.Close())
		}
	})
}

func TestChangedAsksWithoutWaiting(t *testing.T) {
	db := storagetest.Open(t)
	f := open(t, db, feed.Options{})
	since := f.Stamp()
	require.False(t, f.Changed(since, feed.Room(1)))
	pos := commit(t, db, storage.Change{RoomNID: 1})
	require.True(t, f.Changed(since, feed.Room(1)))
	require.False(t, f.Changed(since, feed.Room(2)))
	require.False(t, f.Changed(pos, feed.Room(1)))
}
