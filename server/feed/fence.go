// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"touchstone.example/storage"
)

// openPostgres opens the doorbell connection, waits until all earlier transactions that
// drew positions have ended, and starts the goroutines.
func (f *Feed) openPostgres(ctx context.Context, group Group) error {
	bell, err := f.takeDoorbell(ctx)
	if err != nil {
		return err
	}
	fence, err := f.db.TakeFence(ctx, 0, 0, f.ignoredTx)
	if err == nil {
		err = f.waitForFence(ctx, &fence)
	}
	var safe int64
	if err == nil {
		err = f.db.Read(ctx, func(tx *storage.Reader) (err error) {
			safe, err = tx.LastChange(ctx, fence.Position)
			return err
		})
	}
	if err != nil {
		return errors.Join(fmt.Errorf("first safe position: %w", err), bell.Close())
	}
	f.start(fence.Position, safe)
	f.doorbell.Store(bell)
	group.Go("feed: doorbell", f.listen)
	if f.opts.Shared {
		group.Go("feed: ring", f.notifyServers)
		group.Go("feed: fence", f.followFences)
	} else {
		group.Go("feed: doubts", f.resolveUnknown)
	}
	return nil
}

// takeoverTimeout is how long a starting server waits for the connection of the
// previous one to end: PostgreSQL may notice late that a client was killed.
const takeoverTimeout = 15 * time.Second

func (f *Feed) takeDoorbell(ctx context.Context) (*storage.Doorbell, error) {
	ctx, cancel := context.WithTimeout(ctx, takeoverTimeout)
	defer cancel()
	var busy error
	for {
		bell, err := f.db.OpenDoorbell(ctx, !f.opts.Shared)
		if errors.Is(err, storage.ErrBusy) {
			busy = err
		} else if err == nil || busy == nil || ctx.Err() == nil {
			return bell, err
		} else {
			err = busy // report why the last try was made, not that it timed out
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return nil, fmt.Errorf("%w (let all of them share it, or stop the other)", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitForFence waits until a fence is passed. A transaction that delays it for longer
// than TxTimeout and does not write to changes is not one of ours. It is remembered in
// ignoredTx: as long as it is the oldest of the cluster, later fences do not wait for
// it.
func (f *Feed) waitForFence(ctx context.Context, fence *storage.Fence) error {
	timeout := time.NewTimer(f.opts.TxTimeout)
	defer timeout.Stop()
	waitForAll := true
	for delay := time.Millisecond; ; delay = min(2*delay, 20*time.Millisecond) {
		passed, err := f.db.FencePassed(ctx, fence, waitForAll && fence.Oldest != f.ignoredTx)
		if err != nil || passed {
			return err
		}
		select {
		case <-timeout.C:
			waitForAll = false
			f.opts.Log.WarnContext(ctx, "a long transaction delays the stream; only transactions that lock the table changes are waited for until it ends",
				"transaction", fence.Oldest, "settled", f.settled.Load(), "position", fence.Position)
		default:
		}
		if !waitForAll {
			f.ignoredTx = fence.Oldest
		}
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
}

// listen receives the notifications of other servers' commits. Its connection also
// holds the lock that says whether the database is shared. It is replaced when it
// breaks.
func (f *Feed) listen(ctx context.Context) error {
	bell := f.doorbell.Load()
	defer func() { bell.Close() }()
	for {
		err := bell.Wait(ctx)
		for err != nil {
			if ctx.Err() != nil {
				return nil
			}
			f.warn(ctx, "the doorbell connection was lost; opening a new one", err)
			bell.Close()
			var next *storage.Doorbell
			if next, err = f.takeDoorbell(ctx); err == nil {
				bell = next
				f.doorbell.Store(bell)
			} else if errors.Is(err, storage.ErrBusy) || errors.Is(err, storage.ErrHistory) {
				return fmt.Errorf("feed: %w", err) // another server has taken over the database, or it is another database now
			} else if pause(ctx, f.opts.Poll) != nil {
				return nil
			}
		}
		signal(f.wakeLoop)
	}
}

// notifyServers notifies the other servers of our commits, many commits at a time.
func (f *Feed) notifyServers(ctx context.Context) error {
	for {
		select {
		case <-f.wakeNotify:
		case <-ctx.Done():
			return nil
		}
		if err := f.db.Ring(ctx, f.doorbell.Load()); err != nil && ctx.Err() == nil {
			f.warn(ctx, "the other servers were not notified of a commit; they will find it when they poll", err)
		}
	}
}

// signal puts a wake-up into a channel, unless one is already there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// txEnded is called when a transaction of this server has ended. The caller holds mu.
func (f *Feed) txEnded(o storage.Outcome) {
	if o != storage.RolledBack {
		signal(f.wakeLoop)
		signal(f.wakeNotify)
	}
}

// followFences takes a fence after each commit, ours or another server's, and settles
// its position as soon as all transactions before it have ended.
func (f *Feed) followFences(ctx context.Context) error {
	poll := time.NewTicker(f.opts.Poll)
	defer poll.Stop()
	for {
		select {
		case <-f.wakeLoop:
		case <-poll.C:
			if news, err := f.progress(ctx); err != nil {
				return endOfLoop(ctx, err)
			} else if !news {
				continue // a fence uses a transaction id, so none is taken without a commit
			}
		case <-ctx.Done():
			return nil
		}
		err := f.advance(ctx)
		if errors.Is(err, storage.ErrHistory) {
			return endOfLoop(ctx, err)
		}
		if err != nil && ctx.Err() == nil {
			f.warn(ctx, "the stream does not advance; trying again", err)
			signal(f.wakeLoop)
			if pause(ctx, f.opts.Poll) != nil {
				return nil
			}
		}
	}
}

// endOfLoop returns the error that ends the loop, nil if ctx has ended.
func endOfLoop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// maxChanges is how many changes are read at once.
const maxChanges = 1000

// advance takes one fence, waits for it and publishes the changes before it. It reads
// on from the last change, not from the last settled position: the positions between
// them may be drawn again after a crash.
func (f *Feed) advance(ctx context.Context) error {
	fence, err := f.db.TakeFence(ctx, f.safe.Load(), maxChanges, f.ignoredTx)
	if err != nil {
		return err
	}
	if err := f.checkHistory(ctx, fence.Position); err != nil {
		return err
	}
	if fence.Oldest != f.ignoredTx {
		f.ignoredTx = 0 // it has ended
	}
	if fence.Position < f.settled.Load() {
		f.newest.Store(fence.Position)
	}
	f.raiseNewest(fence.Position)
	if fence.IncludesAll { // nearly always
		f.mu.Lock()
		f.publish(fence.Position, fence.Changes)
		f.mu.Unlock()
		return nil
	}
	if err := f.waitForFence(ctx, &fence); err != nil {
		return err
	}
	for more := true; more; {
		changes, err := f.db.ChangesBefore(ctx, f.safe.Load(), fence.Position, maxChanges)
		if err != nil {
			return err
		}
		settled := fence.Position
		if more = len(changes) >= maxChanges; more {
			settled = changes[len(changes)-1].Pos
		}
		f.mu.Lock()
		f.publish(settled, changes)
		f.mu.Unlock()
	}
	return nil
}

// unknownOutcome is a transaction whose commit may have succeeded: the connection broke
// before the answer.
type unknownOutcome struct {
	tx      *openTx
	changes []storage.Change
}

// resolveUnknown settles transactions of unknown outcome. Their connections are gone;
// when the next fence is passed, they have ended.
func (f *Feed) resolveUnknown(ctx context.Context) error {
	for {
		select {
		case <-f.wakeLoop:
		case <-ctx.Done():
			return nil
		}
		f.mu.Lock()
		list := f.unknownOutcomes
		f.unknownOutcomes = nil
		f.mu.Unlock()
		if len(list) == 0 {
			continue
		}
		fence, err := f.db.TakeFence(ctx, 0, 0, f.ignoredTx)
		if err == nil {
			err = f.waitForFence(ctx, &fence)
		}
		f.mu.Lock()
		if err != nil {
			f.unknownOutcomes = append(f.unknownOutcomes, list...)
		} else {
			for _, d := range list {
				f.txDecided(d.tx, true, d.changes) // as if committed: an unneeded wake-up does no harm
			}
		}
		f.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			f.warn(ctx, "the outcome of a commit is still unknown; trying again", err)
			signal(f.wakeLoop)
			if pause(ctx, f.opts.Poll) != nil {
				return nil
			}
		}
	}
}
