// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"touchstone.example/storage"
)

var (
	// ErrFuture is returned for a token whose position the database has not reached: it
	// was restored from an older backup, or the token is forged. Its client must start
	// with an initial sync.
	ErrFuture = errors.New("the token is of a future that has not happened")
	// ErrBehind means that a position was not settled in time: a transaction delays it,
	// or the database does not answer.
	ErrBehind = fmt.Errorf("the stream of changes is held up: %w", storage.ErrBusy)
)

// Reach returns the position up to which a read for a client goes: at or after the
// token's. Without a token it is at or after the last position that any server had
// acknowledged when Reach was called.
//
// Only other servers on the database can be ahead. Then Reach waits for the loop that
// takes fences; it takes none itself, since each uses a transaction id. Never call it
// inside a transaction or in a room's queue.
func (f *Feed) Reach(ctx context.Context, token *Token) (upTo int64, err error) {
	f.db.Outside("feed.Reach")
	if token == nil {
		return f.reachNewest(ctx)
	}
	if !f.inHistory(token) {
		return 0, ErrFuture
	}
	if safe := f.safe.Load(); token.Pos <= safe {
		return safe, nil
	}
	if !f.opts.Shared {
		return 0, ErrFuture // no other server: this one has published all positions
	}
	waiting, cancel := context.WithTimeout(ctx, f.opts.TokenTimeout)
	defer cancel()
	last, err := f.waitLastPosition(waiting)
	if err == nil && token.Pos > last {
		return 0, ErrFuture
	}
	if err == nil {
		err = f.waitForPosition(waiting, token.Pos)
	}
	if err != nil {
		return 0, f.reachFailed(ctx, err, token.Pos)
	}
	safe := f.safe.Load()
	if token.Pos > safe {
		return 0, ErrFuture // no change was committed at that position, so no token has it
	}
	return safe, nil
}

// reachNewest returns an older position rather than an error when the time is up: a
// login must not wait for a transaction that was left open.
func (f *Feed) reachNewest(ctx context.Context) (int64, error) {
	if !f.opts.Shared {
		return f.safe.Load(), nil
	}
	waiting, cancel := context.WithTimeout(ctx, f.opts.NewestTimeout)
	defer cancel()
	last, err := f.waitLastPosition(waiting)
	if err == nil {
		err = f.waitForPosition(waiting, last)
	}
	if err != nil {
		err = f.reachFailed(ctx, err, last)
	}
	if err != nil && !errors.Is(err, ErrBehind) {
		return 0, err
	}
	return f.safe.Load(), nil
}

// waitLastPosition returns the last position that any server drew. If it is before what
// was settled when it was read, PostgreSQL has crashed and will draw uncommitted
// positions again: they are no longer settled.
func (f *Feed) waitLastPosition(ctx context.Context) (int64, error) {
	settled := f.settled.Load()
	last, err := f.db.LastPosition(ctx)
	if err == nil && last < settled {
		f.mu.Lock()
		f.setSettled(0)
		f.mu.Unlock()
	}
	return last, err
}

// reachFailed turns an error of waiting into ErrBehind where the time is up, and logs
// the first of a series.
func (f *Feed) reachFailed(ctx context.Context, err error, pos int64) error {
	if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f.timeouts.Add(1)
	if !f.isStalled.Swap(true) {
		f.opts.Log.WarnContext(ctx, "reads time out because the stream of changes does not advance", "settled", f.settled.Load(), "position", pos)
	}
	return ErrBehind
}

// Behind counts the reads whose wait for a position timed out.
func (f *Feed) Behind() int64 { return f.timeouts.Load() }

// WaitFor waits until a position is settled: after a write, until all readers can see
// it. ErrBehind says that this takes longer than TokenTimeout; the write is committed
// all the same.
func (f *Feed) WaitFor(ctx context.Context, pos int64) error {
	if pos <= f.settled.Load() {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, f.opts.TokenTimeout)
	defer cancel()
	if err := f.wait(waiting, pos); err != nil {
		return f.reachFailed(ctx, err, pos)
	}
	return nil
}

// Settle waits until all transactions of any server that had drawn a position when it
// was called have ended, and returns the settled position.
func (f *Feed) Settle(ctx context.Context) (settled int64, err error) {
	for {
		last := f.newest.Load()
		if f.opts.Shared {
			if last, err = f.waitLastPosition(ctx); err != nil {
				return 0, err
			}
			signal(f.wakeLoop)
		}
		if settled := f.settled.Load(); last <= settled {
			return settled, nil
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// A reach is a call that waits for a position to be settled.
type reach struct {
	pos  int64
	done chan struct{}
}

// waitForPosition waits for a position that another server may have drawn. Its
// notification may not have arrived yet, so it wakes the loop that takes fences.
func (f *Feed) waitForPosition(ctx context.Context, pos int64) error {
	if pos <= f.settled.Load() {
		return nil
	}
	signal(f.wakeLoop)
	return f.wait(ctx, pos)
}

func (f *Feed) wait(ctx context.Context, pos int64) error {
	r := &reach{pos: pos, done: make(chan struct{})}
	f.mu.Lock()
	if pos <= f.settled.Load() {
		f.mu.Unlock()
		return nil
	}
	f.reachWaiters = append(f.reachWaiters, r)
	f.mu.Unlock()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reachWaiters = slices.DeleteFunc(f.reachWaiters, func(other *reach) bool { return other == r })
		return ctx.Err()
	}
}

// setSettled sets settled, which is never before safe, and wakes the calls that wait
// for it. It may go back: after a crash PostgreSQL draws again the positions of
// transactions that had not committed. The caller holds mu.
func (f *Feed) setSettled(settled int64) {
	settled = max(settled, f.safe.Load())
	f.settled.Store(settled)
	f.isStalled.Store(false)
	f.reachWaiters = slices.DeleteFunc(f.reachWaiters, func(r *reach) bool {
		if r.pos > settled {
			return false
		}
		close(r.done)
		return true
	})
}
