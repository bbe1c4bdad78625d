// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestThreeServers runs three servers on one PostgreSQL: people write by each,
// readers wait on the two others, and one server is killed in the middle of a
// write. Every reader sees every message once, in one order.
func TestThreeServers(t *testing.T) {
	servers := harness.StartSeveral(t, 3)
	c := newCluster(t, servers)
	c.write(t, 40)
	victim := servers[2]
	c.killDuringWrites(t, victim)
	c.write(t, 20)
	c.finish(t)
}

type cluster struct {
	servers []*harness.Server
	room    string
	writers []*harness.User // one a server
	readers []*follower

	mu    sync.Mutex
	acked []string
	tried map[string]bool
}

// A follower long-polls one server and keeps what it sees.
type follower struct {
	on      *harness.User
	seen    []harness.Value
	reached chan struct{} // closed once it saw the last message
	err     error
}

const lastMessage = "the end"

func newCluster(t *testing.T, servers []*harness.Server) *cluster {
	c := &cluster{servers: servers, tried: map[string]bool{}}
	creator := servers[0].User(t, "creator")
	c.room = creator.PublicRoom(t)
	for i, s := range servers {
		w := s.Register(t, fmt.Sprintf("writer%d", i))
		w.Join(t, c.room)
		c.writers = append(c.writers, w)
	}
	for _, s := range servers[:2] {
		for range 2 {
			u := creator.On(s)
			c.follow(t, u, u.Since(t))
		}
	}
	return c
}

// follow polls until the last message.
func (c *cluster) follow(t *testing.T, u *harness.User, since string) {
	f := &follower{on: u, reached: make(chan struct{})}
	c.readers = append(c.readers, f)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.err = f.run(ctx, c.room, since)
		close(f.reached)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func (f *follower) run(ctx context.Context, room, since string) error {
	for {
		a, err := f.on.Try(ctx, http.MethodGet, harness.Path("v3/sync")+
			harness.Query("since", since, "timeout", 10000, "filter", limit(1000)), nil)
		if err != nil {
			return err
		}
		v := a.JSON()
		if joined(v, room).At("timeline", "limited").Bool() {
			return fmt.Errorf("a timeline of 1000 is limited: %.300s", a)
		}
		for _, ev := range harness.Timeline(v, room) {
			if ev.At("type").String() != "m.room.message" {
				continue // a join of before, on a server that had not heard of it
			}
			f.seen = append(f.seen, ev)
			if ev.At("content", "body").String() == lastMessage {
				return nil
			}
		}
		since = v.At("next_batch").String()
	}
}

// write sends by every server at the same time.
func (c *cluster) write(t *testing.T, each int) {
	var writing sync.WaitGroup
	for _, w := range c.writers {
		writing.Go(func() {
			for range each {
				if err := c.send(t.Context(), w); err != nil {
					t.Errorf("write by %s: %v", w.ID, err)
					return
				}
			}
		})
	}
	writing.Wait()
}

func (c *cluster) send(ctx context.Context, w *harness.User) error {
	txn := harness.Txn()
	c.mu.Lock()
	c.tried[w.ID+txn] = true
	c.mu.Unlock()
	id, err := w.TrySend(ctx, c.room, txn, w.ID+txn)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked = append(c.acked, id)
	return nil
}

// killDuringWrites kills a server under eight senders, while the others go on,
// and starts it again.
func (c *cluster) killDuringWrites(t *testing.T, victim *harness.Server) {
	other := c.writers[0]
	doomed := c.writers[len(c.writers)-1]
	acks := make(chan struct{}, 1000)
	cut := make(chan error, 8)
	var writing sync.WaitGroup
	for range 8 {
		writing.Go(func() {
			for {
				if err := c.send(t.Context(), doomed); err != nil {
					cut <- err
					return
				}
				select {
				case acks <- struct{}{}:
				default:
				}
			}
		})
	}
	awaitAcks(t, acks, 25)
	victim.Kill(t)
	writing.Wait()
	require.Len(t, cut, 8, "every sender was cut off in a write")
	for range 20 {
		require.NoError(t, c.send(t.Context(), other), "the others go on")
	}
	victim.Restart(t)
}

func (c *cluster) finish(t *testing.T) {
	last := c.writers[1].Send(t, c.room, lastMessage)
	c.acked = append(c.acked, last)
	var first []string
	for i, f := range c.readers {
		<-f.reached
		require.NoError(t, f.err, "reader %d", i)
		ids := harness.IDs(f.seen)
		requireOnce(t, slices.Compact(sorted(ids...)), ids)
		require.Subset(t, ids, c.acked, "reader %d saw all that was acknowledged", i)
		for _, ev := range f.seen {
			text := ev.At("content", "body").String()
			require.True(t, c.tried[text] || text == lastMessage, "%q was never sent", text)
		}
		if first == nil {
			first = ids
		}
		require.Equal(t, first, ids, "all readers see one order")
	}
	order := harness.IDs(c.writers[0].AllMessages(t, c.room, "f", 100))
	require.Subset(t, order, first, "/messages has them all")
	requireOnce(t, slices.Compact(sorted(order...)), order)
	t.Logf("%d messages acknowledged, %d tried", len(c.acked), len(c.tried)+1)
}
