// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

const (
	kills   = 30
	senders = 4
)

// TestKill ends the server thirty times with kill -9, at seeded moments, while
// four people send. What was acknowledged is there afterwards, once; what was
// not may be there, once. On PostgreSQL the server dies, not the database.
func TestKill(t *testing.T) {
	harness.EachEngine(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e, Process: true})
		k := newKillTest(t, s)
		moments := rand.New(rand.NewPCG(2, 19))
		for round := range kills {
			k.round(t, round, moments.IntN(40))
		}
		k.settle(t)
		t.Logf("%d messages acknowledged, %d cut off", len(k.acked), len(k.tried)-len(k.acked))
	})
}

type killTest struct {
	s      *harness.Server
	room   string
	people []*harness.User
	reader *harness.User
	first  string // the reader's position before everything
	since  string // and now
	synced []string

	mu    sync.Mutex
	acked map[string]string // text to event id
	tried map[string]bool
	retry []attempt // cut off, to be sent again under the same transaction
}

type attempt struct {
	sender    int
	txn, text string
}

func newKillTest(t *testing.T, s *harness.Server) *killTest {
	k := &killTest{s: s, acked: map[string]string{}, tried: map[string]bool{}}
	k.reader = s.User(t, "reader")
	for range senders {
		k.people = append(k.people, s.User(t, "sender"))
	}
	k.room = k.reader.PublicRoom(t, k.people...)
	k.first = k.reader.Since(t)
	k.since = k.first
	return k
}

// round lets everybody send until so many messages are acknowledged, kills the
// server there and then, and starts it again.
func (k *killTest) round(t *testing.T, round, moment int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	again := k.retry
	k.retry = nil
	acks := make(chan struct{}, 1000)
	var sending sync.WaitGroup
	for i := range k.people {
		sending.Go(func() {
			for _, a := range again {
				if a.sender == i && !k.send(ctx, a, acks) {
					return
				}
			}
			for n := 0; ; n++ {
				text := fmt.Sprintf("round %d sender %d message %d", round, i, n)
				if !k.send(ctx, attempt{i, harness.Txn(), text}, acks) {
					return
				}
			}
		})
	}
	awaitAcks(t, acks, moment)
	k.s.Kill(t)
	cancel()
	sending.Wait()
	k.s.Restart(t)
	k.read(t)
}

// awaitAcks waits until so many messages were acknowledged.
func awaitAcks(t *testing.T, acks <-chan struct{}, n int) {
	t.Helper()
	timeout := time.After(time.Minute)
	for range n {
		select {
		case <-acks:
		case <-timeout:
			require.Fail(t, "nothing is acknowledged any more")
		}
	}
}

// send sends one message and returns false when the server is gone. Every
// second message that was cut off is sent again in the next round.
func (k *killTest) send(ctx context.Context, a attempt, acks chan<- struct{}) bool {
	k.mu.Lock()
	k.tried[a.text] = true
	k.mu.Unlock()
	id, err := k.people[a.sender].TrySend(ctx, k.room, a.txn, a.text)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		if a.sender%2 == 0 {
			k.retry = append(k.retry, a)
		}
		return false
	}
	k.acked[a.text] = id
	select {
	case acks <- struct{}{}:
	default:
	}
	return true
}

// read follows the room with the token of before the kill, gaps included.
func (k *killTest) read(t *testing.T) {
	events, next := readSince(t, k.reader, k.room, k.since)
	k.synced = append(k.synced, harness.IDs(events)...)
	k.since = next
}

// readSince returns everything in a room since a position, in order, by /sync
// and, where its timeline is limited, /messages.
func readSince(t *testing.T, u *harness.User, room, since string) (events []harness.Value, next string) {
	t.Helper()
	v := u.Sync(t, "since", since, "filter", limit(50))
	part := joined(v, room)
	if part.At("timeline", "limited").Bool() {
		from := part.At("timeline", "prev_batch").String()
		for from != "" {
			page := u.Messages(t, room, "dir", "b", "from", from, "to", since, "limit", 100)
			events = append(events, page.At("chunk").List()...)
			from = ""
			if end := page.At("end"); end.Exists() {
				from = end.String()
			}
		}
		events = reversed(events)
	}
	return append(events, part.At("timeline", "events").List()...), v.At("next_batch").String()
}

// settle repeats what was not acknowledged, and compares four ways of reading.
func (k *killTest) settle(t *testing.T) {
	for _, a := range k.retry {
		require.True(t, k.send(t.Context(), a, make(chan struct{}, 1)))
	}
	k.read(t)
	require.NotEmpty(t, k.acked)

	whole, _ := readSince(t, k.reader, k.room, k.first)
	for name, events := range map[string][]harness.Value{
		"/sync from the beginning": whole,
		"/messages backwards":      k.reader.AllMessages(t, k.room, "b", 100),
		"/messages forwards":       k.reader.AllMessages(t, k.room, "f", 37),
	} {
		k.compare(t, name, events)
	}
	bodyOf := map[string]string{}
	for _, ev := range whole {
		bodyOf[ev.At("event_id").String()] = ev.At("content", "body").String()
	}
	requireOnce(t, harness.IDs(whole), k.synced)
	for _, id := range k.synced {
		require.True(t, k.tried[bodyOf[id]], "%s was never sent", bodyOf[id])
	}
}

// compare compares the events of one way of reading with what was acknowledged and
// what was sent.
func (k *killTest) compare(t *testing.T, name string, events []harness.Value) {
	t.Helper()
	found := map[string]string{}
	for _, ev := range events {
		if ev.At("type").String() != "m.room.message" {
			continue
		}
		text, id := ev.At("content", "body").String(), ev.At("event_id").String()
		require.Empty(t, found[text], "%s: %q is there twice", name, text)
		require.True(t, k.tried[text], "%s: %q was never sent", name, text)
		found[text] = id
	}
	for text, id := range k.acked {
		require.Equal(t, id, found[text], "%s: %q was acknowledged", name, text)
	}
}
