// SPDX-License-Identifier: Apache-2.0

package presence

import (
	"cmp"
	"context"
	"slices"
	"time"

	"touchstone.example/api/id"
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

const (
	// between is how long reports are gathered for a batch, in real time.
	between = 100 * time.Millisecond
	// again is how often a device that goes on waiting is seen again. It is less than
	// goneAfter, so that other servers do not think it gone.
	again = 10 * time.Second
	// atOnce bounds a batch.
	atOnce = 1000
)

// Run writes what was reported, and what time changes, until ctx ends.
func (p *Presence) Run(ctx context.Context) error {
	if p.Off {
		return nil
	}
	system := env.Real()
	for ctx.Err() == nil {
		next, err := p.write(ctx)
		if err != nil && ctx.Err() == nil {
			p.Log.ErrorContext(ctx, "cannot write presence", "error", err)
		}
		soon := p.Env.NowTS() + again.Milliseconds()
		if next > 0 {
			soon = min(soon, next)
		}
		timer := p.Env.At(soon)
		select {
		case <-timer.C:
			p.seeAgain()
		case <-p.kick:
		case <-ctx.Done():
		}
		timer.Stop()
		if err := system.Wait(ctx, between); err != nil {
			return nil
		}
	}
	return nil
}

// seeAgain notes the devices that are waiting.
func (p *Presence) seeAgain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for of := range p.polls {
		p.see(of)
	}
}

// write writes a batch, and returns when time changes something next.
func (p *Presence) write(ctx context.Context) (next int64, err error) {
	p.mu.Lock()
	news, b := p.news, p.batch
	p.news, p.batch = map[id.UserID]*reports{}, &batch{done: make(chan struct{})}
	p.mu.Unlock()
	defer func() {
		b.err = err
		close(b.done)
	}()
	for list := sorted(news); len(list) > 0; {
		n := min(len(list), atOnce)
		if err := p.apply(ctx, news, list[:n]); err != nil {
			return 0, err
		}
		list = list[n:]
	}
	return p.pass(ctx)
}

func sorted(news map[id.UserID]*reports) []string {
	list := make([]string, 0, len(news))
	for user := range news {
		list = append(list, string(user))
	}
	slices.Sort(list)
	return list
}

// apply writes what was reported of some users.
func (p *Presence) apply(ctx context.Context, news map[id.UserID]*reports, users []string) error {
	return p.store(ctx, func(tx *storage.Writer, now int64) ([]*storage.Presence, error) {
		rows, err := tx.PresenceOf(ctx, users...)
		if err != nil {
			return nil, err
		}
		known := map[id.UserID]*storage.Presence{}
		for _, row := range rows {
			known[row.UserID] = row
		}
		rows = rows[:0:0]
		for _, user := range users {
			row := known[id.UserID(user)]
			if row == nil {
				row = &storage.Presence{UserID: id.UserID(user), State: offline}
			}
			rows = append(rows, row)
		}
		return rows, nil
	}, news)
}

// pass writes what time has changed, and returns when it does next.
func (p *Presence) pass(ctx context.Context) (next int64, err error) {
	due := 0
	err = p.DB.Read(ctx, func(tx *storage.Reader) error {
		if next, err = tx.NextPresence(ctx); err != nil || next == 0 || next > p.Env.NowTS() {
			return err
		}
		due++
		return nil
	})
	if err != nil || due == 0 {
		return next, err
	}
	waiting := p.waiting()
	err = p.store(ctx, func(tx *storage.Writer, now int64) ([]*storage.Presence, error) {
		return tx.PresenceDue(ctx, now, atOnce)
	}, waiting)
	return p.Env.NowTS(), err // there may be more
}

// waiting reports the devices that wait, which time does not make go away.
func (p *Presence) waiting() map[id.UserID]*reports {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, out := p.Env.NowTS(), map[id.UserID]*reports{}
	for of := range p.polls {
		if out[of.user] == nil {
			out[of.user] = &reports{}
		}
		if of.idle {
			out[of.user].idleAt = now
		} else {
			out[of.user].onlineAt = now
		}
	}
	return out
}

// store applies reports to rows, and tells of those that others see change, all at
// one position.
func (p *Presence) store(ctx context.Context, find func(tx *storage.Writer, now int64) ([]*storage.Presence, error), news map[id.UserID]*reports) error {
	var pos int64
	err := p.DB.Write(ctx, func(tx *storage.Writer) error {
		now := p.Env.NowTS()
		rows, err := find(tx, now)
		if err != nil {
			return err
		}
		var told []*storage.Presence
		for _, row := range rows {
			before, r := *row, news[row.UserID]
			if r == nil {
				r = &reports{}
			}
			of := *r // the transaction may run again
			take(row, &of, now)
			if before.State != row.State || before.StatusMsg != row.StatusMsg || before.CurrentlyActive != row.CurrentlyActive || before.Pos == 0 {
				told = append(told, row)
			}
		}
		if pos = 0; len(told) > 0 {
			if pos, err = tx.ReservePosition(ctx); err != nil {
				return err
			}
			for _, row := range told {
				row.Pos = pos
			}
			if err := tx.InsertChange(ctx, storage.Change{Pos: pos, Kind: string(feed.KindPresence)}); err != nil {
				return err
			}
		}
		slices.SortFunc(rows, func(a, b *storage.Presence) int { return cmp.Compare(a.UserID, b.UserID) })
		for _, row := range rows {
			if err := tx.PutPresence(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || pos == 0 {
		return err
	}
	return p.Feed.WaitFor(ctx, pos)
}
