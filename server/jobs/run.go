// SPDX-License-Identifier: Apache-2.0

package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"touchstone.example/server/env"
	"touchstone.example/server/run"
	"touchstone.example/storage"
)

// logInterval is the least time between two logs of the database's refusal to start
// jobs.
const logInterval = time.Minute

// Run does jobs until ctx ends, and then releases those that are not done. It must end
// before the feed does.
func (s *Jobs) Run(ctx context.Context) error {
	group := run.NewGroup(ctx, s.log)
	var told func() time.Duration // time since a failure was logged; nil after a success
	for ctx.Err() == nil {
		next, err := s.start(ctx, group)
		if err == nil {
			told = nil
		} else if ctx.Err() == nil {
			if told == nil || told() >= logInterval {
				s.log.WarnContext(ctx, "jobs cannot be started; trying again until they can", "error", err)
				told = env.Stopwatch()
			}
			next = s.retry
		}
		s.waitForWork(ctx, next)
	}
	return group.Wait()
}

// waitForWork waits for a wake-up, at most atMost; zero means for ever. On SQLite an
// idle server needs no polling, since no other process can put a job.
func (s *Jobs) waitForWork(ctx context.Context, atMost time.Duration) {
	var alarm <-chan time.Time
	if atMost > 0 {
		timer := time.NewTimer(atMost)
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-s.wakeLoop:
	case <-alarm:
	case <-ctx.Done():
	}
}

// start takes due jobs for all free workers, and returns when to look again.
func (s *Jobs) start(ctx context.Context, group *run.Group) (next time.Duration, err error) {
	var free, held []*storage.Job
	var counts map[string]int64
	err = s.db.Read(ctx, func(tx *storage.Reader) (err error) {
		if free, err = tx.FreeJobs(ctx, s.kinds, readBatch); err != nil {
			return err
		}
		if held, err = tx.HeldJobs(ctx, s.kinds); err != nil {
			return err
		}
		counts, err = tx.CountFailingJobs(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	s.failing.Store(&counts)
	due, next := s.choose(free, held)
	for _, j := range due {
		if !s.reserve(j) {
			break
		}
		taken, err := s.take(ctx, j)
		if err != nil || taken == nil {
			s.release(j.ID)
			if err != nil {
				return 0, err
			}
			continue
		}
		group.Go("job "+j.Kind, func(ctx context.Context) error {
			defer s.wake()
			defer s.release(taken.ID)
			s.work(ctx, taken)
			return nil
		})
	}
	return next, nil
}

// choose returns the jobs that this process may take: those that are due, and those
// whose holder has made no progress for the length of a lease, by this process's clock.
// It also returns when the next may be due. If other processes put jobs as well,
// regular polling finds those of a process that has died.
func (s *Jobs) choose(free, held []*storage.Job) (due []*storage.Job, next time.Duration) {
	sooner := func(d time.Duration) {
		if next == 0 || d < next {
			next = max(d, time.Millisecond)
		}
	}
	if !s.exclusive {
		sooner(s.lease / 3)
	}
	for _, j := range free {
		if s.due(j) {
			due = append(due, j)
		} else {
			sooner(s.waitUntil(j))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.seen
	s.seen = make(map[int64]sighting, len(held))
	for _, j := range held {
		switch was := last[j.ID]; {
		case s.running[j.ID]:
		case s.exclusive || j.Holder == s.holder: // of an earlier process, or taken by this one without knowing it
			due = append(due, j)
		case was.holder != j.Holder || was.held != j.Held:
			s.seen[j.ID] = sighting{j.Holder, j.Held, env.Stopwatch()}
		default:
			s.seen[j.ID] = was // kept if no worker is free now
			if was.since() >= s.lease {
				due = append(due, j)
			}
		}
	}
	s.waiting = len(due) > workers-len(s.running)
	return due, next
}

// reserve reserves a worker for a job, if one is free.
func (s *Jobs) reserve(j *storage.Job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running) >= workers || s.running[j.ID] {
		return false
	}
	s.running[j.ID] = true
	return true
}

func (s *Jobs) release(jobID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, jobID)
}

// take makes this process the holder of a job. It returns nil if another process was
// first.
func (s *Jobs) take(ctx context.Context, j *storage.Job) (taken *storage.Job, err error) {
	err = s.db.Write(ctx, func(tx *storage.Writer) (err error) {
		taken, err = tx.TakeJob(ctx, j, s.holder)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err == nil && j.Holder != "" && j.Holder != s.holder {
		s.log.InfoContext(ctx, "took over a job that stood still", "kind", j.Kind, "key", j.Key)
	}
	return taken, err
}

// work does a job until it is done, has failed or has used its fair share of time, or
// until the server stops.
func (s *Jobs) work(ctx context.Context, row *storage.Job) {
	defer s.wakeWaiters(key{row.Kind, row.Key})
	spent := env.Stopwatch()
	for {
		done, err := s.step(ctx, row)
		again := row
		if err == nil && done {
			again, err = s.finish(ctx, row)
		}
		switch {
		case errors.Is(err, storage.ErrLeaseLost):
			s.log.WarnContext(ctx, "another process does this job by now", "kind", row.Kind, "key", row.Key)
			return
		case ctx.Err() != nil:
			s.handBack(ctx, row, row.RunAt, row.Attempts, row.LastError)
			return
		case err != nil:
			s.failed(ctx, row, err)
			return
		case again == nil:
			s.ended.WithLabelValues(row.Kind, "done").Inc()
			return
		case spent() > fairShare && s.othersWait():
			// It continues after all jobs that are due now.
			s.handBack(ctx, again, nowTS(), again.Attempts, again.LastError)
			return
		}
		row = again
	}
}

// step calls the handler once; a panic becomes an error.
func (s *Jobs) step(ctx context.Context, row *storage.Job) (done bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.ErrorContext(ctx, "a job panicked", "kind", row.Kind, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return s.handlers[row.Kind](ctx, &Job{row})
}

func (s *Jobs) finish(ctx context.Context, row *storage.Job) (again *storage.Job, err error) {
	err = s.db.Write(ctx, func(tx *storage.Writer) (err error) {
		again, err = tx.FinishJob(ctx, row)
		return err
	})
	return again, err
}

// failed schedules the next attempt of a job.
func (s *Jobs) failed(ctx context.Context, row *storage.Job, why error) {
	s.ended.WithLabelValues(row.Kind, "failed").Inc()
	wait := s.backoff(row.Attempts)
	s.log.WarnContext(ctx, "a job failed; it is tried again", "kind", row.Kind, "key", row.Key, "attempts", row.Attempts+1,
		"after", wait, "error", why)
	s.handBack(ctx, row, nowTS()+wait.Milliseconds(), row.Attempts+1, why.Error())
}

func (s *Jobs) backoff(attempts int64) time.Duration {
	wait := s.retry
	for range attempts {
		if wait *= 2; wait >= maxBackoff {
			return maxBackoff
		}
	}
	return wait
}

// releaseTimeout bounds how long releasing a job may take when the server stops.
const releaseTimeout = 2 * time.Second

// handBack releases a job, to be run by any process not before runAt.
func (s *Jobs) handBack(ctx context.Context, row *storage.Job, runAt, attempts int64, why string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := s.db.Write(ctx, func(tx *storage.Writer) error { return tx.FreeJob(ctx, row, runAt, attempts, why) })
	if err != nil && !errors.Is(err, storage.ErrLeaseLost) {
		s.log.WarnContext(ctx, "a job was not released; it will be taken over later", "kind", row.Kind, "key", row.Key, "error", err)
	}
}

func (s *Jobs) othersWait() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// wakeWaiters wakes the callers that wait for a job.
func (s *Jobs) wakeWaiters(of key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, k := range s.waiters {
		if k == of || k == (key{}) {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}

// A Job is a job as its handler sees it.
type Job struct{ row *storage.Job }

// Key says what the job is about.
func (j *Job) Key() string { return j.row.Key }

// Payload is the data that was put with the job.
func (j *Job) Payload() []byte { return j.row.Payload }

// Progress is what Save stored last, empty at the start.
func (j *Job) Progress() []byte { return j.row.Progress }

// Save stores the job's progress in a handler's transaction. Each transaction of a
// handler must call it once. If another process has taken over the job, it fails with
// storage.ErrLeaseLost, perhaps only at the commit.
func (j *Job) Save(ctx context.Context, tx *storage.Writer, progress []byte) error {
	return tx.HoldJob(ctx, j.row, progress)
}
