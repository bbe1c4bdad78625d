// SPDX-License-Identifier: Apache-2.0

// Package feed knows up to which stream position everything is decided, and
// wakes those who wait for something to change. Everything that a client can
// see change has a position, drawn with storage.Writer.Reserve and written to
// the log of changes in the same transaction.
//
// Positions are drawn before transactions commit, and commit in any order, so
// the newest row says nothing about the ones before it: only the feed does. What
// reads a stream first reaches a position, reads (since, position] and takes the
// position as its next since. The feed remembers which keys changed last; what
// has changed is in the database.
//
// Two positions matter. Nothing at or before settled is undecided. safe is that
// of the last committed change at or before settled: the one that clients hold,
// since a position that was only drawn may be drawn again after a crash.
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
	// Log hears of what holds the stream up. Nil means slog.Default.
	Log *slog.Logger
	// Poll is how often to look for the other servers' commits when their
	// doorbell may have been lost. Zero means a second.
	Poll time.Duration
	// TxTimeout is how long any transaction of the cluster may hold the stream
	// up before only those count that write to it. Zero means a second.
	TxTimeout time.Duration
	// TokenTimeout is how long Reach waits for a token's position, and
	// NewestPatience for what others have acknowledged, where there is no
	// token. Zero means five and two seconds.
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
	reachWaiters []*reach         // who waits for a position to be settled

	ignoredTx int64        // see await
	isStalled atomic.Bool  // somebody waited in vain, and nothing was settled since
	timeouts  atomic.Int64 // how often somebody waited in vain

	unknownOutcomes []unknownOutcome // commits that were not answered

	warnings   warnings
	doorbell   atomic.Pointer[storage.Doorbell]
	wakeLoop   chan struct{} // something was committed, or is in doubt
	wakeNotify chan struct{} // Shared: tell the others
}

// Open starts following. It returns once it is known what is safe.
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

// Stamp is what a cache notes down with what it is about to read: Changed tells
// from it whether something has happened since. It may be behind what others
// have acknowledged; who reads for a client calls Reach.
func (f *Feed) Stamp() int64 { return f.safe.Load() }

// SafeLag is how many positions are drawn and not settled yet, as far as this
// server knows.
func (f *Feed) SafeLag() int64 { return max(0, f.newest.Load()-f.settled.Load()) }

// Wait waits until something changed after since for one of the keys, or for
// anybody when there are none, and returns the safe position then. It may
// return early: whoever finds nothing new in (since, safe] waits again from
// safe. When ctx ends first, Wait returns its error and a safe position up to
// which nothing has changed for the keys.
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

// Changed reports whether something may have changed after since for one of
// the keys: what was remembered at since holds as long as it is false.
func (f *Feed) Changed(since int64, keys ...Key) bool {
	_, changed := f.check(since, keys)
	return changed
}

// check looks for changes after since, which may be another server's position
// that is not safe here yet. A key's last change is noted before it becomes
// safe; finding it so early, check lets the publication finish.
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

// publish settles a position and wakes those whom the changes up to it concern.
// The caller holds mu.
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
		default: // woken already
		}
	}
	clear(f.wakeList)
}

// publishPending publishes what is settled among the pending changes.
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
