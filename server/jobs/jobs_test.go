// SPDX-License-Identifier: Apache-2.0

package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/jobs"
	"touchstone.example/server/obs"
	"touchstone.example/server/run"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// A process is one of several that do the jobs of a database.
type process struct {
	*jobs.Jobs
	db      *storage.DB
	metrics *obs.Metrics
	stop    func() // the jobs, not yet the database
	end     func()
}

// lease is how soon one process takes over from another here.
const lease = 300 * time.Millisecond

// start starts a process whose jobs of kind "k" a handler does.
func start(t *testing.T, url string, h jobs.Handler) *process {
	t.Helper()
	db, err := storage.Open(context.Background(), url, storage.Options{Checks: true})
	require.NoError(t, err)
	p := &process{db: db, metrics: obs.NewMetrics(obs.Build{})}
	log := slog.New(slog.DiscardHandler)
	p.Jobs = jobs.New(jobs.Deps{DB: p.db, Log: log, Metrics: p.metrics, Lease: lease, Retry: time.Microsecond})
	p.Handle("k", h)
	group := run.NewGroup(context.WithoutCancel(t.Context()), log)
	group.Go("jobs", p.Run)
	p.stop = func() {
		group.Stop()
		require.NoError(t, group.Wait())
	}
	p.end = sync.OnceFunc(func() {
		p.stop()
		require.NoError(t, db.Close())
	})
	t.Cleanup(p.end)
	return p
}

func (p *process) put(t *testing.T, keys ...string) {
	t.Helper()
	require.NoError(t, p.db.Write(t.Context(), func(tx *storage.Writer) error {
		for _, k := range keys {
			if err := tx.PutJob(t.Context(), "k", k, []byte("payload of "+k), 0, 1); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (p *process) save(ctx context.Context, j *jobs.Job, progress string) error {
	return p.db.Write(ctx, func(tx *storage.Writer) error { return j.Save(ctx, tx, []byte(progress)) })
}

func (p *process) job(t *testing.T, key string) (j *storage.Job) {
	t.Helper()
	require.NoError(t, p.db.Read(t.Context(), func(tx *storage.Reader) (err error) {
		j, err = tx.Job(t.Context(), "k", key)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return err
	}))
	return j
}

func TestAJobIsDoneInSteps(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		var p *process
		var seen []string
		p = start(t, url, func(ctx context.Context, j *jobs.Job) (bool, error) {
			require.Equal(t, "payload of a", string(j.Payload()))
			seen = append(seen, j.Key()+" "+string(j.Progress()))
			next := string(j.Progress()) + "."
			return next == "...", p.save(ctx, j, next)
		})
		p.put(t, "a")
		require.NoError(t, p.Wait(t.Context(), "k", "a", time.Minute))
		require.Nil(t, p.job(t, "a"))
		require.Equal(t, []string{"a ", "a .", "a .."}, seen)
		require.NoError(t, p.Wait(t.Context(), "k", "never put", time.Minute))
		require.NoError(t, p.Idle(t.Context()))
	})
}

// TestWhatIsCausedWhileAJobIsDone has it done once more.
func TestWhatIsCausedWhileAJobIsDone(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		begun, goOn := make(chan struct{}), make(chan struct{})
		runs := 0
		p := start(t, url, func(context.Context, *jobs.Job) (bool, error) {
			if runs++; runs == 1 {
				close(begun)
				<-goOn
			}
			return true, nil
		})
		p.put(t, "a")
		<-begun
		p.put(t, "a")
		p.put(t, "a")
		close(goOn)
		require.NoError(t, p.Idle(t.Context()))
		require.Equal(t, 2, runs)
	})
}

func TestAWaitHasAnEnd(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		release := make(chan struct{})
		p := start(t, url, func(ctx context.Context, _ *jobs.Job) (bool, error) {
			<-release
			return true, nil
		})
		p.put(t, "a")
		require.NoError(t, p.Wait(t.Context(), "k", "a", 20*time.Millisecond))
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, p.Wait(gone, "k", "a", time.Minute))
		close(release)
		require.NoError(t, p.Idle(t.Context()))
	})
}

// TestAJobThatFails is tried again, and one that goes on failing is counted.
func TestAJobThatFails(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		failures := storage.FailingAttempts
		tries := 0
		var p *process
		var counted []string
		p = start(t, url, func(context.Context, *jobs.Job) (bool, error) {
			if tries++; tries > failures+1 {
				return true, nil
			}
			if tries == failures+1 {
				counted = append(counted, p.scrape()) // by the look before this attempt
			}
			if tries%2 == 0 {
				panic("at the disco")
			}
			return false, errors.New("not yet")
		})
		p.put(t, "a")
		require.NoError(t, p.Wait(t.Context(), "k", "a", time.Minute), "it does not wait for later tries")
		for p.job(t, "a") != nil {
			require.NoError(t, p.Idle(t.Context()))
		}
		require.Equal(t, failures+2, tries)
		require.Contains(t, counted[0], `touchstone_jobs_failing{kind="k"} 1`)
		require.Contains(t, p.scrape(), `touchstone_jobs_total{kind="k",result="failed"} 11`)
		require.Contains(t, p.scrape(), `touchstone_jobs_total{kind="k",result="done"} 1`)
	})
}

func (p *process) scrape() string {
	w := httptest.NewRecorder()
	p.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// TestAStopGivesJobsBack, and the next process goes on where this one was.
func TestAStopGivesJobsBack(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		var p *process
		begun := make(chan struct{})
		p = start(t, url, func(ctx context.Context, j *jobs.Job) (bool, error) {
			if err := p.save(ctx, j, "half"); err != nil {
				return false, err
			}
			close(begun)
			<-ctx.Done()
			return false, ctx.Err()
		})
		p.put(t, "a")
		<-begun
		p.stop()
		j := p.job(t, "a")
		require.Empty(t, j.Holder)
		require.Zero(t, j.Attempts)
		require.Empty(t, j.LastError)
		p.end()
		from := make(chan string, 1)
		q := start(t, url, func(_ context.Context, j *jobs.Job) (bool, error) {
			from <- string(j.Progress())
			return true, nil
		})
		require.Equal(t, "half", <-from)
		require.NoError(t, q.Idle(t.Context()))
	})
}

// TestManyJobsTakeTurns: while long ones fill all workers, a short one is done.
func TestManyJobsTakeTurns(t *testing.T) {
	var p *process
	var mu sync.Mutex
	over := false
	p = start(t, "sqlite::memory:", func(ctx context.Context, j *jobs.Job) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		if j.Key() == "short" {
			over = true
			return true, nil
		}
		return over, p.save(ctx, j, "")
	})
	p.put(t, "1", "2", "3", "4", "5", "6")
	p.put(t, "short")
	require.NoError(t, p.Idle(t.Context()))
}

// TestAnIdleServerAsksNothing on SQLite, where nobody else can put a job.
func TestAnIdleServerAsksNothing(t *testing.T) {
	p := start(t, "sqlite::memory:", func(context.Context, *jobs.Job) (bool, error) { return true, nil })
	p.put(t, "a")
	require.NoError(t, p.Idle(t.Context()))
	p.stop()
	before := p.db.Stats()
	q := jobs.New(jobs.Deps{DB: p.db, Log: slog.New(slog.DiscardHandler), Lease: time.Millisecond})
	q.Handle("k", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.NoError(t, q.Run(ctx))
	require.EqualValues(t, 1, p.db.Stats().Since(before).Reads, "but for one look at the start")
}

// TestAClockThatWasAhead put a job behind others that were due, and has gone back since.
func TestAClockThatWasAhead(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		p := start(t, url, func(context.Context, *jobs.Job) (bool, error) { return true, nil })
		p.stop()
		p.put(t, "a")
		free := p.job(t, "a")
		require.NoError(t, p.db.Write(t.Context(), func(tx *storage.Writer) error {
			j, err := tx.TakeJob(t.Context(), free, "me")
			require.NoError(t, err)
			return tx.FreeJob(t.Context(), j, time.Now().AddDate(1, 0, 0).UnixMilli(), 0, "")
		}))
		p.end()
		q := start(t, url, func(context.Context, *jobs.Job) (bool, error) { return true, nil })
		require.NoError(t, q.Wait(t.Context(), "k", "a", 5*time.Second))
		require.Nil(t, q.job(t, "a"))
	})
}

// TestADatabaseThatFailsIsToldOfOnce, and not with each try.
func TestADatabaseThatFailsIsToldOfOnce(t *testing.T) {
	db, err := storage.Open(t.Context(), "sqlite::memory:", storage.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	var log strings.Builder
	s := jobs.New(jobs.Deps{DB: db, Log: slog.New(slog.NewTextHandler(&log, nil)), Retry: time.Microsecond})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.NoError(t, s.Run(ctx))
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
}
