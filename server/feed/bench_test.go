// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{50, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db := storagetest.Open(b)
			f := open(b, db, feed.Options{})
			keys := make([]feed.Key, 20)
			for i := range keys {
				keys[i] = feed.Room(int64(i + 1))
			}
			var ready, done sync.WaitGroup
			stop := make(chan struct{})
			rounds := make([]chan int64, n)
			for i := range rounds {
				rounds[i] = make(chan int64)
				own := append(slices.Clone(keys), feed.Memberships(id.UserID(fmt.Sprintf("@u%d:test", i))))
				go func() {
					for {
						select {
						case since := <-rounds[i]:
							ready.Done()
							f.Wait(context.Background(), since, own...)
							done.Done()
						case <-stop:
							return
						}
					}
				}()
			}
			for b.Loop() {
				b.StopTimer()
				ready.Add(n)
				done.Add(n)
				since := f.Stamp()
				for _, c := range rounds {
					c <- since
				}
				ready.Wait()
				b.StartTimer()
				commit(b, db, storage.Change{RoomNID: 1})
				done.Wait()
			}
			close(stop)
		})
	}
}

func BenchmarkIdleWaiter(b *testing.B) {
	f := open(b, storagetest.Open(b), feed.Options{})
	keys := make([]feed.Key, 21)
	for i := range keys {
		keys[i] = feed.Room(int64(i + 1))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		wg.Go(func() { f.Wait(ctx, 0, keys...) })
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/float64(b.N), "B/waiter")
	cancel()
	wg.Wait()
}
