// SPDX-License-Identifier: Apache-2.0

package obs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"touchstone.example/storage"
)

const (
	// failureInterval is the least time between two logs of one kind of failure.
	failureInterval = time.Minute
	// writableAfter is how long no write must have failed before the database is
	// reported as writable again: on a nearly full disk small writes succeed.
	writableAfter = 30 * time.Second
	// probeInterval bounds how often Writable writes.
	probeInterval = time.Second
)

// Failures counts failures of the database and logs each kind once a minute: they make
// all requests fail for one reason.
type Failures struct {
	log     *slog.Logger
	now     func() time.Duration // since some moment
	counter *prometheus.CounterVec

	mu         sync.Mutex
	kinds      map[string]*failure
	unwritable error         // the last one; nil while the database is writable
	failedAt   time.Duration // when that was
	probedAt   time.Duration
}

// failure is what is known of one kind.
type failure struct {
	logged time.Duration // when
	silent int64         // how many since then
}

// NewFailures returns empty Failures. now is a clock of real time, see env.Stopwatch.
func NewFailures(log *slog.Logger, now func() time.Duration, m *Metrics) *Failures {
	f := &Failures{log: log, now: now, kinds: map[string]*failure{}}
	f.counter = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "touchstone_db_failures_total", Help: "Requests that failed because the database did, by kind (unwritable, unavailable, busy).",
	}, []string{"kind"})
	m.Register(f.counter)
	return f
}

// kinds are the failures of the database, by the names that operators see.
var kinds = []struct {
	err           error
	name, message string
}{
	{storage.ErrUnwritable, "unwritable", "the database cannot be written; is its disk full?"},
	{storage.ErrUnavailable, "unavailable", "the database does not answer; is it running?"},
	{storage.ErrBusy, "busy", "the database is too busy, or locked by another program"},
}

// Seen records an error, and reports whether it was the database's.
func (f *Failures) Seen(ctx context.Context, err error) bool {
	for _, k := range kinds {
		if !errors.Is(err, k.err) {
			continue
		}
		f.counter.WithLabelValues(k.name).Inc()
		f.mu.Lock()
		defer f.mu.Unlock()
		now := f.now()
		if k.err == storage.ErrUnwritable {
			f.unwritable, f.failedAt = err, now
		}
		seen := f.kinds[k.name]
		if seen != nil && now-seen.logged < failureInterval {
			seen.silent++
			return true
		}
		var before int64
		if seen != nil {
			before = seen.silent
		}
		f.kinds[k.name] = &failure{logged: now}
		f.log.ErrorContext(ctx, k.message, "error", err, "failed_before", before)
		return true
	}
	return false
}

// Writable returns why the database could not be written, or nil. After a failed write
// it calls probe until that has succeeded for writableAfter.
func (f *Failures) Writable(ctx context.Context, probe func(context.Context) error) error {
	f.mu.Lock()
	last, now := f.unwritable, f.now()
	due := last != nil && now-f.probedAt >= probeInterval
	if due {
		f.probedAt = now
	}
	f.mu.Unlock()
	if !due {
		return last
	}
	if err := probe(ctx); err != nil {
		f.Seen(ctx, err)
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unwritable != nil && f.now()-f.failedAt < writableAfter {
		return f.unwritable
	}
	f.unwritable = nil
	f.log.InfoContext(ctx, "the database can be written again")
	return nil
}
