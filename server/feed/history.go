// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"context"
	"time"

	"touchstone.example/storage"
)

// openHistory learns which tokens are of this database's history. A history that
// was cut begins a new epoch: what has been lost of the old one is drawn again.
func (f *Feed) openHistory(ctx context.Context) error {
	epochs, cut, err := f.db.OpenHistory(ctx)
	if err != nil {
		return err
	}
	newest := epochs[len(epochs)-1]
	f.epochs, f.epoch = epochs, newest.Number
	if cut {
		f.opts.Log.WarnContext(ctx, "the database was restored, moved or taken over: clients that have seen more than it has start anew",
			"epoch", f.epoch, "from", newest.FromPos)
	}
	f.saveHistory(ctx)
	return nil
}

// Epoch is the epoch that this server's tokens are of.
func (f *Feed) Epoch() int64 { return f.epoch }

// inHistory says whether a token's position is in this history as it was in the
// token's epoch.
func (f *Feed) inHistory(token *Token) bool {
	if token.Epoch > f.epoch {
		return false
	}
	for _, e := range f.epochs {
		if e.Number > token.Epoch && token.Pos > e.FromPos {
			return false
		}
	}
	return true
}

// saveHistoryInterval is how often an SQLite database's history is noted beside it.
const saveHistoryInterval = time.Minute

// saveHistoryLoop lets an older copy of the database be recognised.
func (f *Feed) saveHistoryLoop(ctx context.Context) error {
	tick := time.NewTicker(saveHistoryInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		f.saveHistory(ctx)
	}
}

func (f *Feed) saveHistory(ctx context.Context) {
	if err := f.db.NoteHistory(ctx); err != nil && ctx.Err() == nil {
		f.warn(ctx, "how far the database has come is not noted beside it", err)
	}
}

// progress looks at the database while nothing happens, and says whether there is
// something to fence. storage.ErrHistory means that another server has begun a
// new history.
func (f *Feed) progress(ctx context.Context) (news bool, err error) {
	last, epoch, err := f.db.Progress(ctx)
	if err != nil {
		return true, nil // the fence says why
	}
	if epoch != f.epoch {
		return false, storage.ErrHistory
	}
	return last != f.settled.Load(), nil
}

// checkHistory refuses a last position that is behind what was published: the history
// has ended that this server knows. The others learn of it by the epoch.
func (f *Feed) checkHistory(ctx context.Context, last int64) error {
	if last >= f.safe.Load() {
		return nil
	}
	if err := f.db.RaiseEpoch(ctx, f.epoch); err != nil {
		return err
	}
	return storage.ErrHistory
}
