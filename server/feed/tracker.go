// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"slices"

	"touchstone.example/storage"
)

// An openTx is a transaction of this server that draws positions. While it is open, no
// position from low on is settled.
type openTx struct {
	low   int64
	drawn []int64
}

// Drawing implements storage.PositionWatcher.
func (f *Feed) Drawing() any {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &openTx{low: f.lastDrawn + 1}
	f.open = append(f.open, t)
	return t
}

// Drawn implements storage.PositionWatcher.
func (f *Feed) Drawn(handle any, positions []int64) {
	t := handle.(*openTx)
	f.mu.Lock()
	defer f.mu.Unlock()
	first, last := positions[0], positions[len(positions)-1]
	if len(t.drawn) == 0 {
		t.low = first
	}
	t.drawn = append(t.drawn, positions...)
	if first <= f.settled.Load() { // drawn again after PostgreSQL crashed
		f.setSettled(first - 1)
		f.lastDrawn = last
	}
	f.lastDrawn = max(f.lastDrawn, last)
	f.raiseNewest(last)
}

// raiseNewest records the highest position drawn, for SafeLag.
func (f *Feed) raiseNewest(pos int64) {
	for old := f.newest.Load(); old < pos && !f.newest.CompareAndSwap(old, pos); old = f.newest.Load() {
	}
}

// Ended implements storage.PositionWatcher.
func (f *Feed) Ended(handle any, o storage.Outcome, changes []storage.Change) {
	t := handle.(*openTx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.opts.Shared {
		f.closeTx(t)
		f.txEnded(o)
		return
	}
	if o == storage.Unknown {
		f.unknownOutcomes = append(f.unknownOutcomes, unknownOutcome{t, changes})
		signal(f.wakeLoop)
		return
	}
	f.txDecided(t, o == storage.Committed, changes)
}

// txDecided settles what it can after a transaction has ended with a known outcome.
func (f *Feed) txDecided(t *openTx, committed bool, changes []storage.Change) {
	f.closeTx(t)
	if committed {
		f.pending = append(f.pending, changes...)
	} else if f.db.Engine() == "sqlite" && len(t.drawn) > 0 {
		// SQLite will draw the positions of the rollback again: they must not be
		// settled before.
		f.lastDrawn = min(f.lastDrawn, t.drawn[0]-1)
		f.newest.Store(f.lastDrawn)
	}
	settled := f.lastDrawn
	for _, t := range f.open {
		settled = min(settled, t.low-1)
	}
	f.publishPending(settled)
}

func (f *Feed) closeTx(t *openTx) {
	f.open = slices.DeleteFunc(f.open, func(other *openTx) bool { return other == t })
}
