// SPDX-License-Identifier: Apache-2.0

// Package typing tells the members of a room who is typing there. What is told has
// a position, so that each client hears of it once: the end of typing that nobody
// stopped is written too, when its time has come, by whichever server is first.
package typing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

var _ clientapi.Typing = (*Typing)(nil)

// How long somebody types who does not stop, in milliseconds.
//
// Spec: client-server setTyping, "timeout".
const (
	defaultTimeout = 30_000
	maxTimeout     = 120_000
)

// lookAround is how often to look for what other servers have begun and cannot end,
// since they are gone.
const lookAround = 10 * time.Second

// atOnce bounds how many ends are written in one transaction.
const atOnce = 200

// Deps are what Typing works with.
type Deps struct {
	DB   *storage.DB
	Feed *feed.Feed
	Env  *env.Env
	Log  *slog.Logger
}

// Typing serves typing notifications.
type Typing struct {
	Deps
	kick chan struct{} // something ends before next
	mu   sync.Mutex
	next int64 // when Run looks again; 0: never
}

// New returns the typing notifications of a server. Run ends them.
func New(d Deps) *Typing { return &Typing{Deps: d, kick: make(chan struct{}, 1)} }

// SetTyping says that the caller types in a room, or has stopped.
//
// Spec: client-server setTyping.
func (t *Typing) SetTyping(ctx context.Context, who api.Caller, req *clientapi.SetTypingRequest) (*api.Empty, error) {
	if who.User != req.UserID {
		return nil, api.Forbidden("You can only type yourself")
	}
	now := t.Env.NowTS()
	row := &storage.Typing{UserID: who.User}
	if timeout := min(req.Body.Timeout.Or(defaultTimeout), maxTimeout); req.Body.Typing && timeout > 0 {
		row.Until = now + timeout
	}
	var err error
	if row.RoomNID, err = t.changes(ctx, req.RoomID, row, now); err != nil || row.RoomNID == 0 {
		return &api.Empty{}, err
	}
	err = t.DB.Write(ctx, func(tx *storage.Writer) error {
		row.Pos = 0
		if row.Until > 0 {
			err := tx.ExtendTyping(ctx, row.RoomNID, row.UserID, row.Until, now)
			if err == nil || !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
		return tell(ctx, tx, row)
	})
	if err == nil {
		t.expect(row.Until)
		err = t.Feed.WaitFor(ctx, row.Pos)
	}
	if err != nil && !errors.Is(err, feed.ErrBehind) {
		return nil, fmt.Errorf("typing of %s: %w", who.User, err)
	}
	return &api.Empty{}, nil
}

// changes is the row of a room that the user is in, 0 where there is nothing to
// write: the user stops who has not begun.
func (t *Typing) changes(ctx context.Context, room id.RoomID, row *storage.Typing, now int64) (nid int64, err error) {
	outside := api.Forbidden("You are not in room %s", room)
	err = t.DB.Read(ctx, func(tx *storage.Reader) error {
		r, err := tx.Room(ctx, room)
		if errors.Is(err, storage.ErrNotFound) {
			return outside
		}
		if err != nil {
			return err
		}
		m, err := tx.Membership(ctx, r.NID, row.UserID)
		if errors.Is(err, storage.ErrNotFound) || err == nil && m.Membership != "join" {
			return outside
		}
		if nid = r.NID; err != nil || row.Until > 0 {
			return err
		}
		is, err := tx.Typing(ctx, r.NID, row.UserID)
		if errors.Is(err, storage.ErrNotFound) || err == nil && is.Until <= now {
			nid = 0
			return nil
		}
		return err
	})
	return nid, err
}

// tell writes that a user has begun or stopped.
func tell(ctx context.Context, tx *storage.Writer, row *storage.Typing) (err error) {
	if row.Pos, err = tx.ReservePosition(ctx); err != nil {
		return err
	}
	if err := tx.PutTyping(ctx, row); err != nil {
		return err
	}
	return tx.InsertChange(ctx, storage.Change{
		Pos: row.Pos, Kind: string(feed.KindTyping), RoomNID: row.RoomNID, UserID: string(row.UserID),
	})
}

// expect has Run look when something ends.
func (t *Typing) expect(until int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if until == 0 || t.next != 0 && t.next <= until {
		return
	}
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// Run ends what nobody has stopped, until ctx ends.
func (t *Typing) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		next, err := t.end(ctx)
		if err != nil && ctx.Err() == nil {
			t.Log.ErrorContext(ctx, "cannot end typing", "error", err)
			next = t.Env.NowTS() + lookAround.Milliseconds()
		}
		timer := t.plan(next)
		select {
		case <-timer.C:
		case <-t.kick:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// plan sets when Run looks again: at next, and where several servers share the
// database soon in any case.
func (t *Typing) plan(next int64) *env.Timer {
	now := t.Env.NowTS()
	if soon := now + lookAround.Milliseconds(); t.DB.Engine() == "postgres" && (next == 0 || next > soon) {
		next = soon
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next = next; next == 0 {
		return t.Env.Clock.After(365 * 24 * time.Hour)
	}
	return t.Env.At(next)
}

// end tells of all typing whose time has come, and returns when that of others does.
func (t *Typing) end(ctx context.Context) (next int64, err error) {
	for {
		now := t.Env.NowTS()
		var rows []*storage.Typing
		err := t.DB.Read(ctx, func(tx *storage.Reader) (err error) {
			if rows, err = tx.TypingUntil(ctx, now, atOnce); err == nil && len(rows) == 0 {
				next, err = tx.NextTyping(ctx)
			}
			return err
		})
		if err != nil || len(rows) == 0 {
			return next, err
		}
		err = t.DB.Write(ctx, func(tx *storage.Writer) error {
			for _, row := range rows {
				err := tx.EndTyping(ctx, row.RoomNID, row.UserID, now)
				if errors.Is(err, storage.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				row.Until = 0
				if err := tell(ctx, tx, row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
}
