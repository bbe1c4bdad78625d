// SPDX-License-Identifier: Apache-2.0

// Package feed knows up to which stream position every transaction has committed or
// rolled back, and wakes requests that wait for a change. Each change that a client can
// see has a position, drawn with storage.Writer.ReservePosition and written to the log
// of changes in the same transaction.
//
// Positions are drawn before transactions commit, and transactions commit in any order.
// The newest row therefore does not show that all earlier ones are there; only the feed
// does. A reader of the stream first calls Reach, which returns a position, then reads
// (since, position] and uses the position as its next since. The feed remembers when
// each key last changed; the changes themselves are in the database.
//
// Two positions matter. All transactions that drew a position up to settled have ended.
// safe is the position of the last committed change up to settled. Clients are given
// safe, since a position without a committed change may be drawn again after a crash.
package feed

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"touchstone.example/storage"
)

// A Group starts the feed's goroutines and waits for them.
type Group interface {
	Go(name string, fn func(ctx context.Context) error)
}

// Options are the settings of a feed. The zero value suits one server.
type Options struct {
	// Shared says that several servers use the same PostgreSQL database.
	// Without it the feed refuses to run beside another server.
	Shared bool
	// Log gets warnings about what delays the stream. Nil means slog.Default.
	Log *slog.Logger
	// Poll is how often to look for commits of other servers whose notification may
	// have been lost. Zero means a second.
	Poll time.Duration
	// TxTimeout is how long the stream waits for every older transaction of the
	// PostgreSQL cluster. After it, it waits only for those that write to the log of
	// changes. Zero means a second.
	TxTimeout time.Duration
	// TokenTimeout is how long Reach waits for a token's position. NewestTimeout is how
	// long it waits, without a token, for the positions that other servers have
	// acknowledged. Zero means five and two seconds.
	TokenTimeout, NewestTimeout time.Duration
}

// A Feed follows the stream of one database.
type Feed struct {
	db      *storage.DB
	opts    Options
	epochs  []storage.Epoch // the histories of the database, this one last
	epoch   int64
	settled atomic.Int64
	safe    atomic.Int64
	newest  atomic.Int64
	table   waiters
	recent  recent

	mu           sync.Mutex // guards what follows, and orders publications
	open         []*openTx
	lastDrawn    int64            // the highest position decided or drawn
	pending      []storage.Change // committed, past settled
	wakeList     []*waiter        // reused
	reachWaiters []*reach         // calls that wait for a position to be settled

	ignoredTx int64        // see await
	isStalled atomic.Bool  // a wait has timed out, and no position was settled since
	timeouts  atomic.Int64 // number of waits that timed out

	unknownOutcomes []unknownOutcome // commits whose result is not known

	warnings   warnings
	doorbell   atomic.Pointer[storage.Doorbell]
	wakeLoop   chan struct{} // a transaction was committed, or its outcome is unknown
	wakeNotify chan struct{} // Shared: notify the other servers
}

// Open starts the feed. It returns when the first safe position is known.
func Open(ctx context.Context, db *storage.DB, group Group, opts Options) (*Feed, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	opts.Poll = cmp.Or(opts.Poll, time.Second)
	opts.TxTimeout = cmp.Or(opts.TxTimeout, time.Second)
	opts.TokenTimeout = cmp.Or(opts.TokenTimeout, 5*time.Second)
	opts.NewestTimeout = cmp.Or(opts.NewestTimeout, 2*time.Second)
	f := &Feed{db: db, opts: opts, wakeLoop: make(chan struct{}, 1), wakeNotify: make(chan struct{}, 1)}
	if db.Engine() == "sqlite" && opts.Shared {
		return nil, fmt.Errorf("several servers need PostgreSQL: SQLite serves one")
	}
	err := f.openHistory(ctx)
	if err != nil {
		return nil, fmt.Errorf("history of the database: %w", err)
	}
	if db.Engine() == "sqlite" {
		last, err := db.LastPosition(ctx)
		if err != nil {
			return nil, fmt.Errorf("last position: %w", err)
		}
		f.start(last, last)
		group.Go("feed: history", f.saveHistoryLoop)
	} else if err := f.openPostgres(ctx, group); err != nil {
		return nil, err
	}
	db.WatchPositions(f)
	return f, nil
}

func (f *Feed) start(settled, safe int64) {
	f.lastDrawn = settled
	f.settled.Store(settled)
	f.newest.Store(settled)
	f.safe.Store(safe)
	f.table.init(safe)
	f.recent.floor = safe
}

// Stamp returns the position that a cache stores with a value it is about to read;
// Changed then reports whether the value may be out of date. The position may be older
// than what other servers have acknowledged: to read for a client, call Reach.
func (f *Feed) Stamp() int64 { return f.safe.Load() }

// SafeLag is the number of positions that are drawn and not yet settled, as far as this
// server knows.
func (f *Feed) SafeLag() int64 { return max(0, f.newest.Load()-f.settled.Load()) }

// Wait waits until one of the keys, or with no keys anything at all, changed after
// since, and returns the safe position then. It may return early: a caller that finds
// nothing new in (since, safe] waits again from safe. When ctx ends first, Wait returns
// its error and a safe position up to which nothing has changed for the keys.
func (f *Feed) Wait(ctx context.Context, since int64, keys ...Key) (int64, error) {
	if safe, changed := f.check(since, keys); changed {
		return safe, nil
	}
	w := f.table.register(keys)
	defer f.table.remove(w)
	for {
		safe, changed := f.check(since, keys)
		if changed {
			return safe, nil
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			safe, changed = f.check(since, keys)
			if changed {
				return safe, nil
			}
			return safe, ctx.Err()
		}
	}
}

// Changed reports whether one of the keys may have changed after since. As long as it
// is false, a value that was cached at since is valid.
func (f *Feed) Changed(since int64, keys ...Key) bool {
	_, changed := f.check(since, keys)
	return changed
}

// check looks for changes after since, which may be a position of another server that
// is not safe here yet. publish records a key's last change before it stores safe. If
// the change is newer than safe, a publish is in progress: check takes the lock to wait
// for its end.
func (f *Feed) check(since int64, keys []Key) (safe int64, changed bool) {
	safe = f.safe.Load()
	last := safe
	if len(keys) > 0 {
		last = f.table.last(keys, since)
	}
	if last > safe {
		f.mu.Lock()
		safe = f.safe.Load()
		f.mu.Unlock()
	}
	return max(safe, since), last > since
}

// publish marks a position as settled and wakes the waiters of the keys that changed up
// to it. The caller holds mu.
func (f *Feed) publish(settled int64, changes []storage.Change) {
	f.recent.add(changes)
	f.wakeList = f.wakeList[:0]
	for i := range changes {
		c := &changes[i]
		for _, t := range topicsOf(c) {
			if k := keyOf(t, c); k != (Key{}) {
				f.wakeList = f.table.recordChange(k, c.Pos, f.wakeList)
			}
		}
	}
	if n := len(changes); n > 0 {
		f.safe.Store(changes[n-1].Pos)
		f.wakeList = f.table.allWaiters(f.wakeList)
	}
	f.setSettled(settled)
	for _, w := range f.wakeList {
		select {
		case w.wake <- struct{}{}:
		default: // already woken
		}
	}
	clear(f.wakeList)
}

// publishPending publishes the pending changes up to settled.
func (f *Feed) publishPending(settled int64) {
	if settled <= f.settled.Load() {
		return
	}
	slices.SortStableFunc(f.pending, func(a, b storage.Change) int { return int(a.Pos - b.Pos) })
	n := 0
	for n < len(f.pending) && f.pending[n].Pos <= settled {
		n++
	}
	f.publish(settled, f.pending[:n])
	f.pending = slices.Delete(f.pending, 0, n)
}
