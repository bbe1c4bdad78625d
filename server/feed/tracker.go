// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"slices"

	"touchstone.example/storage"
)

// A ticket is a transaction of this server that draws positions. While it is
// open, nothing from low on is settled.
type ticket struct {
	low   int64
	drawn []int64
}

// Drawing implements storage.PositionWatcher.
func (f *Feed) Drawing() any {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &ticket{low: f.top + 1}
	f.open = append(f.open, t)
	return t
}

// Drawn implements storage.PositionWatcher.
func (f *Feed) Drawn(handle any, positions []int64) {
	t := handle.(*ticket)
	f.mu.Lock()
	defer f.mu.Unlock()
	first, last := positions[0], positions[len(positions)-1]
	if len(t.drawn) == 0 {
		t.low = first
	}
	t.drawn = append(t.drawn, positions...)
	if first <= f.settled.Load() { // drawn once more, after PostgreSQL crashed
		f.settle(first - 1)
		f.top = last
	}
	f.top = max(f.top, last)
	f.drawn(last)
}

// drawn notes how far positions have been drawn, for SafeLag.
func (f *Feed) drawn(pos int64) {
	for old := f.newest.Load(); old < pos && !f.newest.CompareAndSwap(old, pos); old = f.newest.Load() {
	}
}

// Ended implements storage.PositionWatcher.
func (f *Feed) Ended(handle any, o storage.Outcome, changes []storage.Change) {
	t := handle.(*ticket)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.opts.Shared {
		f.drop(t)
		f.committed(o)
		return
	}
	if o == storage.Unknown {
		f.doubtful = append(f.doubtful, doubtful{t, changes})
		signal(f.kick)
		return
	}
	f.decided(t, o == storage.Committed, changes)
}

// decided takes a decided transaction into account.
func (f *Feed) decided(t *ticket, committed bool, changes []storage.Change) {
	f.drop(t)
	if committed {
		f.pending = append(f.pending, changes...)
	} else if f.db.Engine() == "sqlite" && len(t.drawn) > 0 {
		// SQLite takes the positions back and will draw them again: they must
		// not be settled before.
		f.top = min(f.top, t.drawn[0]-1)
		f.newest.Store(f.top)
	}
	settled := f.top
	for _, t := range f.open {
		settled = min(settled, t.low-1)
	}
	f.release(settled)
}

func (f *Feed) drop(t *ticket) {
	f.open = slices.DeleteFunc(f.open, func(other *ticket) bool { return other == t })
}
