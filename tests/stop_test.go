// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// quick is far longer than a stop takes when no client hangs, and shorter than the
// time that requests are given.
const quick = 4 * time.Second

// TestStopUnderWrites stops a server by SIGTERM while eight users send. The stop is
// quick, and a request without a response has written nothing.
func TestStopUnderWrites(t *testing.T) {
	for _, e := range harness.Engines() {
		t.Run(string(e), func(t *testing.T) {
			s := harness.Start(t, harness.Options{Engine: e, Process: true})
			alice := s.User(t, "alice")
			rooms := []string{alice.PublicRoom(t), alice.PublicRoom(t)}
			w := &writers{user: alice, rooms: rooms, acks: make(chan struct{}, 1000)}
			for i := range 8 {
				w.sending.Go(func() { w.send(t.Context(), i) })
			}
			awaitAcks(t, w.acks, 40)
			begin := time.Now()
			s.Stop(t)
			took := time.Since(begin)
			require.Less(t, took, quick)
			w.sending.Wait()
			s.Restart(t)

			var there []string
			for _, room := range rooms {
				there = append(there, texts(alice.AllMessages(t, room, "b", 100))...)
			}
			requireOnce(t, w.acked, there)
			t.Logf("%d messages acknowledged, %d not; the stop took %s", len(w.acked), len(w.cut), took.Round(time.Millisecond))
		})
	}
}

// writers send until the server is gone.
type writers struct {
	user    *harness.User
	rooms   []string
	acks    chan struct{}
	sending sync.WaitGroup

	mu         sync.Mutex
	acked, cut []string
}

func (w *writers) send(ctx context.Context, i int) {
	for n := 0; ; n++ {
		text := fmt.Sprintf("sender %d message %d", i, n)
		_, err := w.user.TrySend(ctx, w.rooms[i%len(w.rooms)], harness.Txn(), text)
		w.mu.Lock()
		if err != nil {
			w.cut = append(w.cut, text)
			w.mu.Unlock()
			return
		}
		w.acked = append(w.acked, text)
		w.mu.Unlock()
		select {
		case w.acks <- struct{}{}:
		default:
		}
	}
}

// TestStopAnswersLongPolls: long polls are answered when the server stops, and idle
// connections do not delay it.
func TestStopAnswersLongPolls(t *testing.T) {
	for _, e := range harness.Engines() {
		t.Run(string(e), func(t *testing.T) {
			s := harness.Start(t, harness.Options{Engine: e, Process: true})
			alice := s.User(t, "alice")
			since := alice.Since(t)
			var polls []<-chan harness.Value
			for range 20 {
				polls = append(polls, poll(t, alice, since, time.Minute))
			}
			unused, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
			require.NoError(t, err)
			defer unused.Close()
			alice.Sync(t, "since", since) // the server has had time to meet them all

			begin := time.Now()
			s.Stop(t)
			require.Less(t, time.Since(begin), quick)
			for _, answer := range polls {
				require.NotEmpty(t, await(t, answer).At("next_batch").String())
			}
		})
	}
}
