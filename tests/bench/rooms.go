// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"touchstone.example/tests/harness"
)

// rooms measures createRoom.
func (b *bench) rooms() {
	s := b.server()
	alice := s.User(b.benchTB, "alice")
	alice.CreateRoom(b.benchTB, nil)
	b.times("createRoom", b.repeat(100, func() { alice.CreateRoom(b.benchTB, nil) }), "")
}

// repeat measures an operation many times, one after the other.
func (b *bench) repeat(n int, do func()) []time.Duration {
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		do()
		took[i] = time.Since(began)
	}
	return took
}

// sends measures messages per second, with one and with eight senders, in one
// and in eight rooms.
func (b *bench) sends() {
	s := b.server()
	for _, senders := range []int{1, 8} {
		for _, rooms := range []int{1, 8} {
			what := fmt.Sprintf("sends a second, %d senders in %d rooms", senders, rooms)
			b.add(what, b.throughput(s, senders, rooms), "1/s", "2000 and more")
		}
	}
}

// throughput lets all senders send for a while. It counts only after a warm-up.
func (b *bench) throughput(s *harness.Server, senders, rooms int) float64 {
	users := make([]*harness.User, senders)
	for i := range users {
		users[i] = s.User(b.benchTB, "sender")
	}
	ids := make([]string, rooms)
	for i := range ids {
		ids[i] = users[0].PublicRoom(b.benchTB, users[1:]...)
	}
	var sent atomic.Int64
	var working sync.WaitGroup
	stop := make(chan struct{})
	errs := make(chan error, senders)
	for i, u := range users {
		working.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := u.TrySend(b.ctx, ids[n%rooms], harness.Txn(), "a message of usual length, as people write them"); err != nil {
					errs <- err
					return
				}
				sent.Add(1)
			}
		})
	}
	<-time.After(*each / 4)
	before, began := sent.Load(), time.Now()
	<-time.After(*each)
	n, took := sent.Load()-before, time.Since(began)
	close(stop)
	working.Wait()
	close(errs)
	b.must(<-errs)
	return float64(n) / took.Seconds()
}
