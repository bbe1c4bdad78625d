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
	// Patience is how long any transaction of the cluster may hold the stream
	// up before only those count that write to it. Zero means a second.
	Patience time.Duration
	// TokenPatience is how long Reach waits for a token's position, and
	// NewestPatience for what others have acknowledged, where there is no
	// token. Zero means five and two seconds.
	TokenPatience, NewestPatience time.Duration
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

	mu      sync.Mutex // guards what follows, and orders publications
	open    []*ticket
	top     int64            // the highest position decided or drawn
	pending []storage.Change // committed, past settled
	woken   []*waiter        // reused
	reaches []*reach         // who waits for a position to be settled

	foreign int64        // see await
	stalled atomic.Bool  // somebody waited in vain, and nothing was settled since
	behind  atomic.Int64 // how often somebody waited in vain

	doubtful []doubtful // commits that were not answered

	warnings warnings
	doorbell atomic.Pointer[storage.Doorbell]
	kick     chan struct{} // something was committed, or is in doubt
	bell     chan struct{} // Shared: tell the others
}

// Open starts following. It returns once it is known what is safe.
func Open(ctx context.Context, db *storage.DB, group Group, opts Options) (*Feed, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	opts.Poll = cmp.Or(opts.Poll, time.Second)
	opts.Patience = cmp.Or(opts.Patience, time.Second)
	opts.TokenPatience = cmp.Or(opts.TokenPatience, 5*time.Second)
	opts.NewestPatience = cmp.Or(opts.NewestPatience, 2*time.Second)
	f := &Feed{db: db, opts: opts, kick: make(chan struct{}, 1), bell: make(chan struct{}, 1)}
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
		group.Go("feed: history", f.noteHistory)
	} else if err := f.openPostgres(ctx, group); err != nil {
		return nil, err
	}
	db.WatchPositions(f)
	return f, nil
}

func (f *Feed) start(settled, safe int64) {
	f.top = settled
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
	f.woken = f.woken[:0]
	for i := range changes {
		c := &changes[i]
		for _, t := range topicsOf(c) {
			if k := keyOf(t, c); k != (Key{}) {
				f.woken = f.table.note(k, c.Pos, f.woken)
			}
		}
	}
	if n := len(changes); n > 0 {
		f.safe.Store(changes[n-1].Pos)
		f.woken = f.table.everybody(f.woken)
	}
	f.settle(settled)
	for _, w := range f.woken {
		select {
		case w.wake <- struct{}{}:
		default: // woken already
		}
	}
	clear(f.woken)
}

// release publishes what is settled among the pending changes.
func (f *Feed) release(settled int64) {
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
