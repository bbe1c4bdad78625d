// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"context"
	"time"

	"touchstone.example/storage"
)

// openHistory reads the database's epochs, by which tokens are judged. If the database
// may have lost changes, a new epoch begins, since the lost positions will be drawn
// again.
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

// Epoch is the epoch that this server writes into tokens.
func (f *Feed) Epoch() int64 { return f.epoch }

// inHistory reports whether the changes up to a token's position are the same now as in
// the token's epoch.
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

// saveHistoryInterval is how often the file beside an SQLite database is written.
const saveHistoryInterval = time.Minute

// saveHistoryLoop writes how far the database has come, so that an older copy is
// recognised.
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
		f.warn(ctx, "the file that says how far the database has come cannot be written", err)
	}
}

// progress asks an idle database whether a position was drawn since the last fence.
// storage.ErrHistory means that another server has begun a new epoch.
func (f *Feed) progress(ctx context.Context) (news bool, err error) {
	last, epoch, err := f.db.Progress(ctx)
	if err != nil {
		return true, nil // taking the fence will return the reason
	}
	if epoch != f.epoch {
		return false, storage.ErrHistory
	}
	return last != f.settled.Load(), nil
}

// checkHistory returns ErrHistory if the last position is before what was published:
// the database was restored. A new epoch tells the other servers.
func (f *Feed) checkHistory(ctx context.Context, last int64) error {
	if last >= f.safe.Load() {
		return nil
	}
	if err := f.db.RaiseEpoch(ctx, f.epoch); err != nil {
		return err
	}
	return storage.ErrHistory
}
