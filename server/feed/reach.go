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
	// ErrFuture is the answer to a token whose position this history of the
	// database has not reached: it was restored from an older backup, or
	// somebody made the token up. Whoever holds it starts anew.
	ErrFuture = errors.New("the token is of a future that has not happened")
	// ErrBehind means that the feed did not get to a position in time: a
	// transaction holds it up, or the database does not answer.
	ErrBehind = fmt.Errorf("the stream of changes is held up: %w", storage.ErrBusy)
)

// Reach returns the position up to which a read for a client goes: at or after
// the token's. Without a token it is at or after whatever any server had
// acknowledged when Reach was called.
//
// Only other servers on the database can be ahead; then Reach waits for the one
// loop that puts up fences and starts none itself, since each costs a
// transaction id. Never call it inside a transaction, nor in a room's lane.
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
		return 0, ErrFuture // this server has told of all positions there are
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
		return 0, ErrFuture // drawn, but no change was committed there: no token has it
	}
	return safe, nil
}

// reachNewest answers late rather than not at all: a login must not wait for a
// transaction that somebody forgot.
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

// waitLastPosition returns the last position that anybody drew. If it is behind what
// was settled before it was read, PostgreSQL has crashed and draws positions
// again that had come to nothing: they are not settled any more.
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

// reachFailed says what an error of waiting means, and notes the first of a stall.
func (f *Feed) reachFailed(ctx context.Context, err error, pos int64) error {
	if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f.timeouts.Add(1)
	if !f.isStalled.Swap(true) {
		f.opts.Log.WarnContext(ctx, "readers wait for the stream of changes in vain", "settled", f.settled.Load(), "position", pos)
	}
	return ErrBehind
}

// Behind counts the reads that waited for a position in vain.
func (f *Feed) Behind() int64 { return f.timeouts.Load() }

// WaitFor waits until a position is settled: after a write of one's own, until
// everybody can read it. ErrBehind says that this takes longer than TokenPatience;
// what was written is committed all the same.
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

// Settle waits until nothing is undecided of what any server had drawn when it
// was called, and returns up to where everything is decided.
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

// A reach is one who waits for a position to be settled.
type reach struct {
	pos  int64
	done chan struct{}
}

// waitForPosition waits for a position that another server may have drawn: its doorbell
// may not have rung yet, so the loop is told to look.
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

// setSettled moves settled, which is never before safe, and lets those go on who
// wait for it. It may move back: positions that were drawn by transactions that
// came to nothing are drawn again after a crash. The caller holds mu.
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
