// SPDX-License-Identifier: Apache-2.0

//go:build unix

package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// lateLog has PostgreSQL write what it need not write yet as late as it may, so
// that a crash loses as much as ever it can.
var lateLog = []string{"wal_writer_delay=10s", "autovacuum=off"}

// PostgreSQL is killed while three servers write, and once more when the last
// positions that it gave out were drawn in vain, so that it gives them out
// again. A client that asks another server each time, always from its last
// token, hears of every change once.
func TestPostgresCrashLosesNoAcknowledgedChange(t *testing.T) {
	cluster := storagetest.NewCluster(t, lateLog...)
	var servers []server
	for range 3 {
		db := storagetest.OpenURL(t, cluster.URL())
		servers = append(servers, server{db, open(t, db, feed.Options{Shared: true, Poll: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})})
	}
	client := &roamingClient{servers: servers, seen: map[int64]int{}}
	acked := writeUntilKilled(t, servers, cluster, client)
	cluster.Start(t)
	for _, s := range servers {
		acked = append(acked, commitSoon(t, s.DB))
	}
	client.catchUp(t)

	last := drawInVain(t, servers)
	client.catchUp(t)
	cluster.Kill(t)
	cluster.Start(t)
	again := 0
	for i := range 60 {
		pos := commitSoon(t, servers[i%3].DB)
		if pos <= last {
			again++
		}
		acked = append(acked, pos)
	}
	require.NotZero(t, again, "positions were drawn again, or this test shows nothing")
	client.catchUp(t)
	for _, pos := range acked {
		require.Equal(t, 1, client.seen[pos], "how often the client heard of position %d", pos)
	}
	require.Zero(t, client.anew)
	var all []storage.Change
	require.NoError(t, servers[0].Read(t.Context(), func(r *storage.Reader) (err error) {
		all, err = r.Changes(t.Context(), 0, 1<<40, 1<<20)
		return err
	}))
	require.Len(t, client.seen, len(all))
	t.Logf("%d changes acknowledged, %d positions drawn again", len(acked), again)
}

// A server that has seen nothing of a crash yet does not take positions for
// settled that are drawn again.
func TestACrashIsNoticedByReaders(t *testing.T) {
	cluster := storagetest.NewCluster(t, lateLog...)
	var servers []server
	for _, poll := range []time.Duration{10 * time.Millisecond, time.Hour} {
		db := storagetest.OpenURL(t, cluster.URL())
		servers = append(servers, server{db, open(t, db, feed.Options{Shared: true, Poll: poll, Log: slog.New(slog.DiscardHandler)})})
	}
	commitSoon(t, servers[0].DB)
	reader := servers[1]
	last := drawInVain(t, servers[:1])
	_, err := reader.Reach(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, reader.WaitFor(t.Context(), last), "it takes all of them for settled")
	cluster.Kill(t)
	cluster.Start(t)
	pos := commitSoon(t, servers[0].DB)
	require.LessOrEqual(t, pos, last)
	upTo, err := reader.Reach(t.Context(), at(reader.Feed, pos))
	require.NoError(t, err)
	require.GreaterOrEqual(t, upTo, pos)
	pos = commitSoon(t, servers[0].DB)
	upTo, err = reader.Reach(t.Context(), nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, upTo, pos)
}

// A roamingClient is a client that asks another server with every request.
type roamingClient struct {
	servers []server
	asked   int
	since   int64
	seen    map[int64]int
	anew    int // how often it was told to start anew
}

func (h *roamingClient) ask(ctx context.Context) error {
	s := h.servers[h.asked%len(h.servers)]
	h.asked++
	upTo, err := s.Reach(ctx, at(s.Feed, h.since))
	if errors.Is(err, feed.ErrFuture) {
		h.anew++
	}
	if err != nil {
		return err
	}
	var list []storage.Change
	err = s.Read(ctx, func(r *storage.Reader) (err error) {
		list, err = r.Changes(ctx, h.since, upTo, 1<<20)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range list {
		h.seen[c.Pos]++
	}
	h.since = upTo
	return nil
}

// catchUp asks until there is nothing new, by each of the servers.
func (h *roamingClient) catchUp(t *testing.T) {
	t.Helper()
	for _, s := range h.servers {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			upTo, err := s.Reach(t.Context(), nil)
			require.NoError(c, err)
			require.NoError(c, h.ask(t.Context()))
			require.GreaterOrEqual(c, h.since, upTo)
		}, time.Minute, 10*time.Millisecond)
	}
}

// writeUntilKilled writes by all servers, a third of it in vain, kills
// PostgreSQL in the middle, and returns the positions that were acknowledged.
func writeUntilKilled(t *testing.T, servers []server, cluster *storagetest.Cluster, client *roamingClient) (acked []int64) {
	var mu sync.Mutex
	enough := make(chan struct{})
	var writing sync.WaitGroup
	for n := range 9 {
		writing.Go(func() {
			for i := 0; ; i++ {
				var pos int64
				vain := errors.New("in vain")
				err := servers[n%3].Write(context.Background(), func(w *storage.Writer) (err error) {
					if pos, err = insert(w, storage.Change{RoomNID: 1}); err == nil && i%3 == 2 {
						err = vain
					}
					return err
				})
				if err != nil && !errors.Is(err, vain) {
					return // killed
				}
				if err == nil {
					mu.Lock()
					if acked = append(acked, pos); len(acked) == 200 {
						close(enough)
					}
					mu.Unlock()
				}
			}
		})
	}
	for waiting := true; waiting; {
		require.NoError(t, client.ask(t.Context()))
		select {
		case <-enough:
			waiting = false
		default:
		}
	}
	cluster.Kill(t)
	writing.Wait()
	return acked
}

// commitSoon commits as soon as the database answers again.
func commitSoon(t *testing.T, db *storage.DB) (pos int64) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, db.Write(t.Context(), func(w *storage.Writer) (err error) {
			pos, err = insert(w, storage.Change{RoomNID: 2})
			return err
		}))
	}, time.Minute, 10*time.Millisecond)
	return pos
}

// drawInVain draws positions for nothing, lets every server see that they are
// decided, and returns the last.
func drawInVain(t *testing.T, servers []server) (last int64) {
	t.Helper()
	err := servers[0].Write(t.Context(), func(w *storage.Writer) error {
		positions, err := w.ReservePositions(t.Context(), 40)
		if err != nil {
			return err
		}
		last = positions[len(positions)-1]
		return fmt.Errorf("changed my mind")
	})
	require.ErrorContains(t, err, "changed my mind")
	for _, s := range servers {
		require.NoError(t, s.WaitFor(t.Context(), last))
	}
	return last
}
