// SPDX-License-Identifier: Apache-2.0

package jobs_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/env"
	"touchstone.example/server/jobs"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// TestAnotherProcessTakesOver a job whose holder stands still. When that one goes
// on, it can write nothing.
func TestAnotherProcessTakesOver(t *testing.T) {
	url := storagetest.PostgresURL(t)
	begun, wake := make(chan struct{}), make(chan struct{})
	late := make(chan error, 1)
	var p *process
	p = start(t, url, func(ctx context.Context, j *jobs.Job) (bool, error) {
		if err := p.save(ctx, j, "half"); err != nil {
			return false, err
		}
		close(begun)
		<-wake // the machine is paused
		err := p.save(ctx, j, "late")
		late <- err
		return false, err
	})
	from := make(chan string, 1)
	p.put(t, "a")
	<-begun
	q := start(t, url, func(_ context.Context, j *jobs.Job) (bool, error) {
		from <- string(j.Progress())
		return true, nil
	})
	require.Equal(t, "half", <-from)
	require.NoError(t, q.Idle(t.Context()))
	close(wake)
	require.ErrorIs(t, <-late, storage.ErrLeaseLost)
	require.Nil(t, p.job(t, "a"))
}

// TestNobodyTakesOverAJobThatGoesOn, even if it takes several leases.
func TestNobodyTakesOverAJobThatGoesOn(t *testing.T) {
	url := storagetest.PostgresURL(t)
	var p *process
	begun, others := make(chan struct{}), make(chan struct{})
	var spent func() time.Duration
	p = start(t, url, func(ctx context.Context, j *jobs.Job) (bool, error) {
		if spent == nil {
			close(begun)
			<-others
			spent = env.Stopwatch()
		}
		return spent() > 5*lease, p.save(ctx, j, "")
	})
	p.put(t, "a")
	<-begun
	for range 2 {
		start(t, url, func(context.Context, *jobs.Job) (bool, error) {
			t.Error("taken over")
			return true, nil
		})
	}
	close(others)
	require.NoError(t, p.Idle(t.Context()))
}

// TestSeveralProcessesShareTheJobs: of each key one at a time, and all are done.
func TestSeveralProcessesShareTheJobs(t *testing.T) {
	url := storagetest.PostgresURL(t)
	var mu sync.Mutex
	at := map[string]bool{}
	var done atomic.Int64
	var all []*process
	for i := range 3 {
		all = append(all, start(t, url, func(ctx context.Context, j *jobs.Job) (bool, error) {
			mu.Lock()
			if at[j.Key()] {
				t.Errorf("two processes do %s", j.Key())
			}
			at[j.Key()] = true
			mu.Unlock()
			err := all[i].save(ctx, j, "x")
			mu.Lock()
			at[j.Key()] = false
			mu.Unlock()
			done.Add(1)
			return true, err
		}))
	}
	var putting sync.WaitGroup
	for i := range 3 {
		putting.Go(func() {
			for n := range 20 {
				all[i].put(t, fmt.Sprint("key ", n))
			}
		})
	}
	putting.Wait()
	for _, p := range all {
		require.NoError(t, p.Idle(t.Context()))
	}
	require.GreaterOrEqual(t, done.Load(), int64(20))
}
