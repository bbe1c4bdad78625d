// SPDX-License-Identifier: Apache-2.0

// Package jobs does finite work after the answer: a job is a row that the
// transaction which causes the work has written (storage.Writer.PutJob), and it
// is done even if the client hangs up or the process dies. Of the processes that
// share a database one does it, and another takes over when that one stands
// still. It must not know what the jobs do.
//
// Not for jobs: what an answer promises, work for each message, and readers of
// the log, which are cursors.
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
	// Lease is how long another process must have seen a job's holder stand
	// still before it takes over. Zero means 15 s.
	Lease time.Duration
	// Retry is how long to wait after the first failed attempt; each further one
	// doubles it, up to an hour. Zero means a second.
	Retry time.Duration
}

// A Handler does some of a job, about Slice of it, and says whether nothing is
// left to do. It says in each of its transactions how far it has come (Save), and
// is called again until it is done. It may be called for work that is done.
type Handler func(ctx context.Context, j *Job) (done bool, err error)

// Slice is how long a handler may work before it returns.
const Slice = 50 * time.Millisecond

const (
	workers = 4 // jobs at once
	// fairShare is how long one job may keep others waiting that are due.
	fairShare  = time.Second
	maxBackoff = time.Hour
	// readBatch is how many jobs that wait are read at once.
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
	waiting bool                  // jobs are due that no worker is free for
	waiters map[chan struct{}]key // woken when work on a job has ended
	seen    map[int64]sighting    // others' jobs
}

type key struct{ kind, key string }

// A sighting is when this process first saw what another one's lease is now.
type sighting struct {
	holder string
	held   int64
	since  func() time.Duration
}

// New makes the jobs of a database. Handlers are set before Run.
func New(d Deps) *Jobs {
	s := &Jobs{
		db: d.DB, log: d.Log, lease: d.Lease, retry: d.Retry, exclusive: d.DB.Engine() == "sqlite",
		// Never from a seed: processes that have the same one are not the same.
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

// Handle sets who does the jobs of a kind.
func (s *Jobs) Handle(kind string, h Handler) {
	s.handlers[kind] = h
	s.kinds = append(s.kinds, kind)
}

// wake has Run look for jobs.
func (s *Jobs) wake() {
	select {
	case s.wakeLoop <- struct{}{}:
	default: // it will
	}
}

// Wait waits until a job is done that was put before, but not longer than atMost,
// nor when it has to be tried again later. It tells nothing: a job that is not
// done by then goes on by itself.
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

// Idle waits until no job is due or under way in any process.
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

// await asks again, whenever work on a job (the zero key: any) has ended here, and
// now and then, since another process may be doing it.
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

// due tells whether the time of a job has come. A back-off is never longer than
// an hour, and a job that only gave way to others does not wait, whatever the
// clock said that its time was reckoned by.
func (s *Jobs) due(j *storage.Job) bool {
	wait := s.waitUntil(j)
	gaveWay := j.Held > 0 && j.Attempts == 0
	return wait <= 0 || gaveWay || j.Attempts > 0 && wait > maxBackoff
}

func (s *Jobs) waitUntil(j *storage.Job) time.Duration {
	return time.Duration(j.RunAt-nowTS()) * time.Millisecond
}

// nowTS is the real time, which back-off goes by, whatever time clients see.
func nowTS() int64 { return env.Real().NowTS() }

// failing is the metric of jobs that fail again and again.
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
