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
	fence, err := f.db.TakeFence(ctx, 0, 0, f.foreign)
	if err == nil {
		err = f.await(ctx, &fence)
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
		group.Go("feed: ring", f.ring)
		group.Go("feed: fence", f.follow)
	} else {
		group.Go("feed: doubts", f.resolve)
	}
	return nil
}

// takeover is how long a server waits for the one before it to be gone:
// PostgreSQL may notice a killed client late.
const takeover = 15 * time.Second

func (f *Feed) takeDoorbell(ctx context.Context) (*storage.Doorbell, error) {
	ctx, cancel := context.WithTimeout(ctx, takeover)
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

// await waits until a fence is passed. A transaction that has held it up for
// longer than a patience is a foreign one, if it does not write to changes. It is
// remembered: while it is the oldest of the cluster, no later fence waits for it.
func (f *Feed) await(ctx context.Context, fence *storage.Fence) error {
	patience := time.NewTimer(f.opts.Patience)
	defer patience.Stop()
	patient := true
	for delay := time.Millisecond; ; delay = min(2*delay, 20*time.Millisecond) {
		passed, err := f.db.FencePassed(ctx, fence, patient && fence.Oldest != f.foreign)
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
			f.foreign = fence.Oldest
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
		signal(f.kick)
	}
}

// ring tells the others of our commits: many of them by one ring.
func (f *Feed) ring(ctx context.Context) error {
	for {
		select {
		case <-f.bell:
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

// committed hears of the end of a transaction of ours; the caller holds mu.
func (f *Feed) committed(o storage.Outcome) {
	if o != storage.RolledBack {
		signal(f.kick)
		signal(f.bell)
	}
}

// follow settles positions by fences: behind what we or others committed, as soon as
// everything drawn before is decided.
func (f *Feed) follow(ctx context.Context) error {
	poll := time.NewTicker(f.opts.Poll)
	defer poll.Stop()
	for {
		select {
		case <-f.kick:
		case <-poll.C:
			if news, err := f.progress(ctx); err != nil {
				return stopped(ctx, err)
			} else if !news {
				continue // a fence costs a transaction id: none while nothing happens
			}
		case <-ctx.Done():
			return nil
		}
		err := f.advance(ctx)
		if errors.Is(err, storage.ErrHistory) {
			return stopped(ctx, err)
		}
		if err != nil && ctx.Err() == nil {
			f.warn(ctx, "the stream does not advance; trying again", err)
			signal(f.kick)
			if pause(ctx, f.opts.Poll) != nil {
				return nil
			}
		}
	}
}

// stopped is the error that ends the loop; there is none when it was asked to end.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// batch is how many changes are read at once.
const batch = 1000

// advance puts up one fence, waits for it, and publishes what is behind it. It
// reads on from the last change and not from the last position that was settled:
// those between may be drawn again after a crash.
func (f *Feed) advance(ctx context.Context) error {
	fence, err := f.db.TakeFence(ctx, f.safe.Load(), batch, f.foreign)
	if err != nil {
		return err
	}
	if err := f.checkHistory(ctx, fence.Position); err != nil {
		return err
	}
	if fence.Oldest != f.foreign {
		f.foreign = 0 // it has ended
	}
	if fence.Position < f.settled.Load() {
		f.newest.Store(fence.Position)
	}
	f.drawn(fence.Position)
	if fence.All { // nearly always
		f.mu.Lock()
		f.publish(fence.Position, fence.Changes)
		f.mu.Unlock()
		return nil
	}
	if err := f.await(ctx, &fence); err != nil {
		return err
	}
	for more := true; more; {
		changes, err := f.db.ChangesBehind(ctx, f.safe.Load(), fence.Position, batch)
		if err != nil {
			return err
		}
		settled := fence.Position
		if more = len(changes) >= batch; more {
			settled = changes[len(changes)-1].Pos
		}
		f.mu.Lock()
		f.publish(settled, changes)
		f.mu.Unlock()
	}
	return nil
}

// doubtful is a transaction whose commit was not answered.
type doubtful struct {
	ticket  *ticket
	changes []storage.Change
}

// resolve settles doubtful transactions: their connections are gone, and what
// becomes of them is decided behind the next fence.
func (f *Feed) resolve(ctx context.Context) error {
	for {
		select {
		case <-f.kick:
		case <-ctx.Done():
			return nil
		}
		f.mu.Lock()
		list := f.doubtful
		f.doubtful = nil
		f.mu.Unlock()
		if len(list) == 0 {
			continue
		}
		fence, err := f.db.TakeFence(ctx, 0, 0, f.foreign)
		if err == nil {
			err = f.await(ctx, &fence)
		}
		f.mu.Lock()
		if err != nil {
			f.doubtful = append(f.doubtful, list...)
		} else {
			for _, d := range list {
				f.decided(d.ticket, true, d.changes) // waking somebody for nothing does no harm
			}
		}
		f.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			f.warn(ctx, "a commit stays in doubt; trying again", err)
			signal(f.kick)
			if pause(ctx, f.opts.Poll) != nil {
				return nil
			}
		}
	}
}
