// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"touchstone.example/storage"
)

// openPostgres takes the database's doorbell, waits until the positions of
// whoever was here before are decided, and starts the goroutines.
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

// takeoverTimeout is how long a server waits for the one before it to be gone:
// PostgreSQL may notice a killed client late.
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
			err = busy // the last try ran out of time; this is why it was made
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

// waitForFence waits until a fence is passed. A transaction that has held it up for
// longer than a patience is a foreign one, if it does not write to changes. It is
// remembered: while it is the oldest of the cluster, no later fence waits for it.
func (f *Feed) waitForFence(ctx context.Context, fence *storage.Fence) error {
	patience := time.NewTimer(f.opts.TxTimeout)
	defer patience.Stop()
	patient := true
	for delay := time.Millisecond; ; delay = min(2*delay, 20*time.Millisecond) {
		passed, err := f.db.FencePassed(ctx, fence, patient && fence.Oldest != f.ignoredTx)
		if err != nil || passed {
			return err
		}
		select {
		case <-patience.C:
			patient = false
			f.opts.Log.WarnContext(ctx, "a long transaction holds the stream up; going by the locks on changes until it ends",
				"transaction", fence.Oldest, "settled", f.settled.Load(), "position", fence.Position)
		default:
		}
		if !patient {
			f.ignoredTx = fence.Oldest
		}
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
}

// listen hears of the others' commits. Its connection also holds the lock that
// says how we share the database, and is replaced when it breaks.
func (f *Feed) listen(ctx context.Context) error {
	bell := f.doorbell.Load()
	defer func() { bell.Close() }()
	for {
		err := bell.Wait(ctx)
		for err != nil {
			if ctx.Err() != nil {
				return nil
			}
			f.warn(ctx, "the doorbell was lost; taking a new one", err)
			bell.Close()
			var next *storage.Doorbell
			if next, err = f.takeDoorbell(ctx); err == nil {
				bell = next
				f.doorbell.Store(bell)
			} else if errors.Is(err, storage.ErrBusy) || errors.Is(err, storage.ErrHistory) {
				return fmt.Errorf("feed: %w", err) // another server has taken the database over, or another database its place
			} else if pause(ctx, f.opts.Poll) != nil {
				return nil
			}
		}
		signal(f.wakeLoop)
	}
}

// notifyServers tells the others of our commits: many of them by one ring.
func (f *Feed) notifyServers(ctx context.Context) error {
	for {
		select {
		case <-f.wakeNotify:
		case <-ctx.Done():
			return nil
		}
		if err := f.db.Ring(ctx, f.doorbell.Load()); err != nil && ctx.Err() == nil {
			f.warn(ctx, "the others were not told of a commit; they will see for themselves", err)
		}
	}
}

// signal leaves a note that something is to be done, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// txEnded hears of the end of a transaction of ours; the caller holds mu.
func (f *Feed) txEnded(o storage.Outcome) {
	if o != storage.RolledBack {
		signal(f.wakeLoop)
		signal(f.wakeNotify)
	}
}

// followFences settles positions by fences: behind what we or others committed, as soon as
// everything drawn before is decided.
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
				continue // a fence costs a transaction id: none while nothing happens
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

// endOfLoop is the error that ends the loop; there is none when it was asked to end.
func endOfLoop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// maxChanges is how many changes are read at once.
const maxChanges = 1000

// advance puts up one fence, waits for it, and publishes what is behind it. It
// reads on from the last change and not from the last position that was settled:
// those between may be drawn again after a crash.
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

// unknownOutcome is a transaction whose commit was not answered.
type unknownOutcome struct {
	tx      *openTx
	changes []storage.Change
}

// resolveUnknown settles doubtful transactions: their connections are gone, and what
// becomes of them is decided behind the next fence.
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
				f.txDecided(d.tx, true, d.changes) // waking somebody for nothing does no harm
			}
		}
		f.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			f.warn(ctx, "a commit stays in doubt; trying again", err)
			signal(f.wakeLoop)
			if pause(ctx, f.opts.Poll) != nil {
				return nil
			}
		}
	}
}
