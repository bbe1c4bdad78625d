// SPDX-License-Identifier: Apache-2.0

// Package jobs does finite work after the answer. A job is a row that is written in the
// transaction that causes the work (storage.Writer.PutJob). It is done even if the
// client disconnects or the process dies: one of the processes that share a database
// does it, and another takes over if that one stops. The package must not know what the
// jobs do.
//
// Not for jobs: work that must be finished before the answer, work for each message,
// and readers of the log of changes, which use cursors.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"touchstone.example/server/env"
	"touchstone.example/server/obs"
	"touchstone.example/storage"
)

// Deps are what Jobs works with.
type Deps struct {
	DB      *storage.DB
	Log     *slog.Logger
	Metrics *obs.Metrics // nil counts nothing
	// Lease is how long a job's holder must have made no progress before another
	// process takes over. Zero means 15 s.
	Lease time.Duration
	// Retry is how long to wait after the first failed attempt; each further one
	// doubles it, up to an hour. Zero means a second.
	Retry time.Duration
}

// A Handler works on a job for about Slice and returns whether the job is done. It
// saves its progress in each of its transactions (Save), and is called again until it
// is done. It may be called for work that is already done.
type Handler func(ctx context.Context, j *Job) (done bool, err error)

// Slice is how long a handler may work before it returns.
const Slice = 50 * time.Millisecond

const (
	workers = 4 // jobs at once
	// fairShare is how long one job may keep other due jobs waiting.
	fairShare  = time.Second
	maxBackoff = time.Hour
	// readBatch is how many waiting jobs are read at a time.
	readBatch = 100
)

// Jobs does the jobs of a database, of the kinds that have a handler.
type Jobs struct {
	db        *storage.DB
	log       *slog.Logger
	lease     time.Duration
	retry     time.Duration
	exclusive bool   // no other process uses the database
	holder    string // this process
	handlers  map[string]Handler
	kinds     []string
	failing   atomic.Pointer[map[string]int64]
	ended     *prometheus.CounterVec

	wakeLoop chan struct{}

	mu      sync.Mutex
	running map[int64]bool
	waiting bool                  // jobs are due and no worker is free
	waiters map[chan struct{}]key // woken when work on a job has ended
	seen    map[int64]sighting    // others' jobs
}

type key struct{ kind, key string }

// A sighting is the lease of another process's job and when this process first saw it.
type sighting struct {
	holder string
	held   int64
	since  func() time.Duration
}

// New makes the jobs of a database. Handlers are set before Run.
func New(d Deps) *Jobs {
	s := &Jobs{
		db: d.DB, log: d.Log, lease: d.Lease, retry: d.Retry, exclusive: d.DB.Engine() == "sqlite",
		// Not from the seed: processes with the same seed must differ.
		holder:   env.Real().Rand.Token("job holder", "", 12),
		handlers: map[string]Handler{}, wakeLoop: make(chan struct{}, 1),
		running: map[int64]bool{}, waiters: map[chan struct{}]key{}, seen: map[int64]sighting{},
	}
	if s.lease == 0 {
		s.lease = 15 * time.Second
	}
	if s.retry == 0 {
		s.retry = time.Second
	}
	s.ended = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "touchstone_jobs_total", Help: "Jobs that this process has done, and attempts that have failed, by kind and result.",
	}, []string{"kind", "result"})
	d.Metrics.Register(s.ended, &failing{s})
	d.DB.WatchJobs(s.wake)
	return s
}

// Handle sets the handler of a kind of job.
func (s *Jobs) Handle(kind string, h Handler) {
	s.handlers[kind] = h
	s.kinds = append(s.kinds, kind)
}

// wake makes Run look for jobs.
func (s *Jobs) wake() {
	select {
	case s.wakeLoop <- struct{}{}:
	default: // it will
	}
}

// Wait waits until a job that was put before is done, but at most atMost, and not for
// one that failed and waits for its next attempt. It returns nil in all cases; a job
// that is not done continues in the background.
func (s *Jobs) Wait(ctx context.Context, kind, of string, atMost time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	err := s.await(ctx, key{kind, of}, func(tx *storage.Reader) (bool, error) {
		j, err := tx.Job(ctx, kind, of)
		if errors.Is(err, storage.ErrNotFound) {
			return true, nil
		}
		return err == nil && j.Holder == "" && !s.due(j), err
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("wait for job %s: %w", kind, err)
	}
	return nil
}

// Idle waits until no job is due or running in any process.
func (s *Jobs) Idle(ctx context.Context) error {
	return s.await(ctx, key{}, func(tx *storage.Reader) (bool, error) {
		held, err := tx.HeldJobs(ctx, s.kinds)
		if err != nil || len(held) > 0 {
			return false, err
		}
		free, err := tx.FreeJobs(ctx, s.kinds, readBatch)
		return !slices.ContainsFunc(free, s.due), err
	})
}

// await calls ask until it returns true: whenever work on a job (the zero key: any job)
// has ended in this process, and regularly, since another process may be doing it.
func (s *Jobs) await(ctx context.Context, of key, ask func(*storage.Reader) (bool, error)) error {
	ended := make(chan struct{}, 1)
	s.mu.Lock()
	s.waiters[ended] = of
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiters, ended)
	}()
	for pause := 25 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		done := false
		err := s.db.Read(ctx, func(tx *storage.Reader) (err error) {
			done, err = ask(tx)
			return err
		})
		if err != nil || done {
			return err
		}
		poll := time.NewTimer(pause)
		select {
		case <-ended:
		case <-poll.C:
		case <-ctx.Done():
			poll.Stop()
			return ctx.Err()
		}
		poll.Stop()
	}
}

// due reports whether a job may run now. A back-off is at most an hour, and a job that
// was only interrupted for others does not wait: both hold even if the clock was wrong
// when RunAt was computed.
func (s *Jobs) due(j *storage.Job) bool {
	wait := s.waitUntil(j)
	gaveWay := j.Held > 0 && j.Attempts == 0
	return wait <= 0 || gaveWay || j.Attempts > 0 && wait > maxBackoff
}

func (s *Jobs) waitUntil(j *storage.Job) time.Duration {
	return time.Duration(j.RunAt-nowTS()) * time.Millisecond
}

// nowTS is the real time in milliseconds. Back-off uses it, whatever time clients see.
func nowTS() int64 { return env.Real().NowTS() }

// failing is the metric of jobs that keep failing.
type failing struct{ jobs *Jobs }

var failingDesc = prometheus.NewDesc("touchstone_jobs_failing",
	"Jobs in the database that have failed ten times in a row or more often, by kind; the same in each process.", []string{"kind"}, nil)

func (*failing) Describe(out chan<- *prometheus.Desc) { out <- failingDesc }

func (f *failing) Collect(out chan<- prometheus.Metric) {
	counts := f.jobs.failing.Load()
	for _, kind := range f.jobs.kinds {
		n := int64(0)
		if counts != nil {
			n = (*counts)[kind]
		}
		out <- prometheus.MustNewConstMetric(failingDesc, prometheus.GaugeValue, float64(n), kind)
	}
}
