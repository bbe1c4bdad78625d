// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
	"touchstone.example/tests/seedrand"
)

// load is what people send while TestRandomStops disturbs the servers.
type load struct {
	servers []*harness.Server
	rooms   []string
	users   []*harness.User
	hurry   atomic.Bool
	holding atomic.Pointer[hold]
	sending sync.WaitGroup
	end     context.CancelFunc

	mu                           sync.Mutex
	acked                        map[string]string // text to event id
	tried                        map[string]bool
	again, repeated, unavailable int
}

// A hold stops senders whose request got no response from repeating it.
type hold struct {
	server  *harness.Server
	release chan struct{}
	texts   []string // theirs; guarded by load.mu
}

// pace is how often each sender sends when nothing is about to happen.
const pace = 50 * time.Millisecond

func newLoad(s *stops, users []*harness.User) *load {
	return &load{servers: s.servers, rooms: s.rooms, users: users, acked: map[string]string{}, tried: map[string]bool{}}
}

func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d messages acknowledged, %d not; sent again %d times, repeated after the answer %d times, answered with 503 %d times",
		len(l.acked), len(l.tried)-len(l.acked), l.again, l.repeated, l.unavailable)
}

func (l *load) start(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l.end = cancel
	t.Cleanup(l.stop)
	for i, u := range l.users {
		l.sending.Go(func() { l.send(t, ctx, u, seedrand.Dice(*randomSeed*1000+i)) })
	}
}

func (l *load) stop() {
	l.end()
	l.sending.Wait()
}

// send sends until ctx ends. Most messages that were not answered are sent again
// under the same transaction ID, by whichever server; so are some that were.
func (l *load) send(t *testing.T, ctx context.Context, u *harness.User, d seedrand.Dice) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ; n++ {
		m := message{
			room: seedrand.Pick(&d, l.rooms...), txn: harness.Txn(),
			text: fmt.Sprintf("%s, message %d", u.ID, n),
		}
		id := l.untilAcknowledged(t, ctx, u, &d, m)
		if id != "" && d.OneIn(8) {
			other, _, err := l.try(t, ctx, u.On(seedrand.Pick(&d, l.servers...)), m)
			if err == nil && other != id {
				t.Errorf("transaction %s of %q is %s, and then %s", m.txn, m.text, id, other)
			}
			l.count(&l.repeated)
		}
		if !l.hurry.Load() {
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

type message struct{ room, txn, text string }

func (l *load) untilAcknowledged(t *testing.T, ctx context.Context, u *harness.User, d *seedrand.Dice, m message) string {
	l.mu.Lock()
	l.tried[m.text] = true
	l.mu.Unlock()
	giveUp := d.OneIn(4)
	for {
		server := seedrand.Pick(d, l.servers...)
		id, retry, err := l.try(t, ctx, u.On(server), m)
		if err == nil {
			l.mu.Lock()
			l.acked[m.text] = id
			l.mu.Unlock()
			return id
		}
		if !retry || giveUp || ctx.Err() != nil {
			return ""
		}
		l.held(server, m.text)
		pause := time.NewTimer(10 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		l.count(&l.again)
	}
}

// try sends once. A server that is there answers with 200, or with 503 when its
// database fails.
func (l *load) try(t *testing.T, ctx context.Context, u *harness.User, m message) (id string, retry bool, err error) {
	// A request that is running when the test ends is completed, and counts.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestBound)
	defer cancel()
	path := harness.Path("v3/rooms/{}/send/m.room.message/{}", m.room, m.txn)
	a, err := u.Try(ctx, http.MethodPut, path, harness.Text(m.text))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		t.Errorf("%q was not answered within %s", m.text, requestBound)
		return "", false, err
	case a == nil:
		return "", true, err
	case a.Status == http.StatusOK:
		return a.JSON().At("event_id").String(), false, err
	case a.Status == http.StatusServiceUnavailable:
		l.count(&l.unavailable)
		return "", true, errors.New("unavailable")
	}
	t.Errorf("%q was answered with %s", m.text, a)
	return "", false, fmt.Errorf("answer: %s", a)
}

func (l *load) count(n *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*n++
}

// hold makes senders that get no response from the server wait for release.
func (l *load) hold(server *harness.Server) (release func()) {
	h := &hold{server: server, release: make(chan struct{})}
	l.holding.Store(h)
	return sync.OnceFunc(func() {
		l.holding.Store(nil)
		close(h.release)
	})
}

// held waits while the server is on hold.
func (l *load) held(server *harness.Server, text string) {
	h := l.holding.Load()
	if h == nil || h.server != server {
		return
	}
	l.mu.Lock()
	h.texts = append(h.texts, text)
	l.mu.Unlock()
	<-h.release
}

// heldBack returns the texts of the waiting senders.
func (l *load) heldBack() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.holding.Load().texts...)
}

// acknowledges has the server take one message, within a while.
func (l *load) acknowledges(t *testing.T, server *harness.Server) bool {
	t.Helper()
	m := message{room: l.rooms[0], txn: harness.Txn()}
	m.text = "sign of life " + m.txn
	l.mu.Lock()
	l.tried[m.text] = true
	l.mu.Unlock()
	return assertEventually(t, func() bool {
		id, _, err := l.try(t, t.Context(), l.users[0].On(server), m)
		if err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.acked[m.text] = id
		}
		return err == nil
	})
}

func assertEventually(t *testing.T, ok func() bool) bool {
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			return false
		}
		wait(t, 10*time.Millisecond)
	}
	return true
}

// A reader follows all rooms on one server by /sync, with the token of its last
// answer, whatever happens to the server.
type reader struct {
	on    *harness.User
	rooms []string
	since string
	end   context.CancelFunc
	ended chan struct{}

	mu   sync.Mutex
	seen map[string][]harness.Value // room to messages
}

func newReader(t *testing.T, u *harness.User, rooms []string) *reader {
	r := &reader{on: u, rooms: rooms, since: u.Since(t), ended: make(chan struct{}), seen: map[string][]harness.Value{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r.end = cancel
	go func() {
		defer close(r.ended)
		for ctx.Err() == nil {
			r.read(ctx, t)
		}
	}()
	t.Cleanup(func() { cancel(); <-r.ended })
	return r
}

func (r *reader) read(ctx context.Context, t *testing.T) {
	query := harness.Query("since", r.since, "timeout", 5000, "filter", limit(1000))
	a, err := r.on.Try(ctx, http.MethodGet, harness.Path("v3/sync")+query, nil)
	switch {
	case a == nil || a.Status == http.StatusServiceUnavailable:
		wait(t, 10*time.Millisecond)
		return
	case err != nil || a.Status != http.StatusOK:
		if ctx.Err() == nil {
			t.Errorf("/sync: %v, %s", err, a)
		}
		r.end()
		return
	}
	v := a.JSON()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, room := range r.rooms {
		if joined(v, room).At("timeline", "limited").Bool() {
			t.Errorf("a timeline of 1000 is limited: %.300s", a)
		}
		for _, ev := range harness.Timeline(v, room) {
			if ev.At("type").String() == "m.room.message" {
				r.seen[room] = append(r.seen[room], ev)
			}
		}
	}
	r.since = v.At("next_batch").String()
}

// upTo waits until the last messages have been seen, and returns all.
func (r *reader) upTo(t *testing.T, last map[string]string) map[string][]harness.Value {
	t.Helper()
	require.True(t, assertEventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for room, id := range last {
			n := len(r.seen[room])
			if n == 0 || r.seen[room][n-1].At("event_id").String() != id {
				return false
			}
		}
		return true
	}), "a reader does not see the last messages")
	r.end()
	<-r.ended
	return r.seen
}
