// SPDX-License-Identifier: Apache-2.0

package roomcreate_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// BenchmarkSendBesideCreateRoom measures how long a message takes while another
// user makes rooms, one after the other, with as many events as one may have.
func BenchmarkSendBesideCreateRoom(b *testing.B) {
	for engine, url := range map[string]func(testing.TB) string{
		"sqlite":   func(b testing.TB) string { return "sqlite://" + b.TempDir() + "/test.db" },
		"postgres": storagetest.PostgresURL,
	} {
		for _, events := range []int{0, 250} {
			b.Run(engine+" "+strconv.Itoa(events), func(b *testing.B) {
				h := newFixture(b, storagetest.OpenURL(b, url(b)))
				room := h.Create("alice", slicetest.O{})
				var state []slicetest.O
				for n := range events {
					state = append(state, slicetest.O{"type": "m.test", "state_key": strconv.Itoa(n), "content": slicetest.O{"n": n}})
				}
				stop := make(chan struct{})
				var all sync.WaitGroup
				var made []time.Duration
				all.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						start := time.Now()
						h.Create("dora", slicetest.O{"initial_state": state})
						made = append(made, time.Since(start))
					}
				})
				var took []time.Duration
				for b.Loop() {
					start := time.Now()
					h.Send("alice", room, "hello")
					took = append(took, time.Since(start))
				}
				close(stop)
				all.Wait()
				slices.Sort(took)
				slices.Sort(made)
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
				b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-most")
				b.ReportMetric(float64(made[len(made)/2].Microseconds())/1000, "ms-createRoom")
			})
		}
	}
}
