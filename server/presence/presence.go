// SPDX-License-Identifier: Apache-2.0

// Package presence tells users who share a room whether they are there. What
// requests say is gathered and written for many users at once; what others are
// told has a position, one for each batch, which wakes nobody. A server that stops
// leaves its users to the timers of the others.
package presence

import (
	"context"
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

var _ clientapi.Presence = (*Presence)(nil)

const (
	online      = string(clientapi.PresenceStateOnline)
	unavailable = string(clientapi.PresenceStateUnavailable)
	offline     = string(clientapi.PresenceStateOffline)
)

// Deps are what Presence works with.
type Deps struct {
	DB   *storage.DB
	Feed *feed.Feed
	Env  *env.Env
	Log  *slog.Logger
	// Off: nobody's presence is kept or told.
	Off bool
}

// Presence serves presence.
type Presence struct {
	Deps
	kick  chan struct{}
	mu    sync.Mutex
	polls map[poll]int              // requests under way
	seen  map[poll]int64            // when who waits was last reported
	last  map[id.UserID]id.DeviceID // which device was last reported online
	news  map[id.UserID]*reports    // what is to be written
	batch *batch                    // into which that goes
}

// A poll is a user's waiting for news, online or not.
type poll struct {
	user id.UserID
	idle bool
}

// reports are what requests said of a user since the last batch.
type reports struct {
	onlineAt, idleAt, activeAt int64
	came                       bool    // by a request that begins
	notOnline                  bool    // the device that was last online says that it is idle
	reset                      bool    // what was said before does not count any more
	status                     *string // nil: as before
}

// A batch is done when all that was reported before it is written.
type batch struct {
	done chan struct{}
	err  error
}

func (b *batch) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// New returns the presence of a server's users. Run writes it.
func New(d Deps) *Presence {
	return &Presence{
		Deps: d, kick: make(chan struct{}, 1), polls: map[poll]int{}, seen: map[poll]int64{}, last: map[id.UserID]id.DeviceID{}, news: map[id.UserID]*reports{},
		batch: &batch{done: make(chan struct{})},
	}
}

// Polls notes that a device waits for news until the returned function is called.
// Where others do not know yet that its user is there, that is written first.
//
// Spec: client-server sync, "set_presence".
func (p *Presence) Polls(ctx context.Context, who api.Caller, state clientapi.PresenceState) (done func()) {
	if p.Off || string(state) == offline {
		return func() {}
	}
	of := poll{who.User, string(state) == unavailable}
	p.mu.Lock()
	p.polls[of]++
	p.turn(who, of)
	b := p.see(of)
	if b != nil {
		p.of(of.user).came = true
	}
	p.mu.Unlock()
	if b != nil {
		_ = b.wait(ctx) // which Run logs
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.polls[of]--; p.polls[of] == 0 {
			delete(p.polls, of)
		}
		p.see(of)
	}
}

// turn notes which device is online. One that was, and is idle now, is not online any
// more, unless another request of the user's says so. The caller holds mu.
func (p *Presence) turn(who api.Caller, of poll) {
	device, known := p.last[who.User]
	switch {
	case !of.idle:
		if len(p.last) >= maxSeen {
			clear(p.last)
		}
		p.last[who.User] = who.Device
	case known && device == who.Device && p.polls[poll{who.User, false}] == 0:
		delete(p.last, who.User)
		delete(p.seen, poll{who.User, false})
		delete(p.seen, of)
		r := p.of(who.User)
		r.onlineAt, r.notOnline = 0, true
	}
}

// maxSeen bounds whom it is remembered of that they were reported.
const maxSeen = 65536

// see reports a device that is there, unless it was not long ago, and returns the
// batch that it is written with. The caller holds mu.
func (p *Presence) see(of poll) *batch {
	now := p.Env.NowTS()
	if at, known := p.seen[of]; known && now-at < again.Milliseconds() {
		return nil
	}
	if len(p.seen) >= maxSeen {
		clear(p.seen)
	}
	p.seen[of] = now
	if r := p.of(of.user); of.idle {
		r.idleAt = now
	} else {
		r.onlineAt = now
	}
	p.wake()
	return p.batch
}

// of is where reports about a user go. The caller holds mu.
func (p *Presence) of(user id.UserID) *reports {
	if p.news[user] == nil {
		p.news[user] = &reports{}
	}
	return p.news[user]
}

func (p *Presence) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// SetPresence says whether the caller is there.
//
// Spec: client-server setPresence.
func (p *Presence) SetPresence(ctx context.Context, who api.Caller, req *clientapi.SetPresenceRequest) (*api.Empty, error) {
	if who.User != req.UserID {
		return nil, api.Forbidden("You can only set your own presence")
	}
	if p.Off {
		return &api.Empty{}, nil
	}
	status := req.Body.StatusMsg.Or("")
	now := p.Env.NowTS()
	p.mu.Lock()
	r := p.of(who.User)
	*r = reports{reset: true, status: &status}
	delete(p.seen, poll{who.User, false})
	delete(p.seen, poll{who.User, true})
	switch string(req.Body.Presence) {
	case online:
		r.onlineAt, r.activeAt = now, now
		p.last[who.User] = who.Device
	case unavailable:
		r.idleAt = now
	}
	b := p.batch
	p.wake()
	p.mu.Unlock()
	if err := b.wait(ctx); err != nil {
		return nil, fmt.Errorf("presence of %s: %w", who.User, err)
	}
	return &api.Empty{}, nil
}

// GetPresence tells whether a user is there who shares a room with the caller.
//
// Spec: client-server getPresence.
func (p *Presence) GetPresence(ctx context.Context, who api.Caller, req *clientapi.GetPresenceRequest) (*clientapi.GetPresenceResponse, error) {
	row := &storage.Presence{State: offline}
	err := p.DB.Read(ctx, func(tx *storage.Reader) error {
		if who.User != req.UserID {
			if shares, err := tx.SharesRoom(ctx, who.User, req.UserID); err != nil {
				return err
			} else if !shares {
				return api.Forbidden("You are in no room with %s", req.UserID)
			}
		}
		if p.Off {
			return nil
		}
		rows, err := tx.PresenceOf(ctx, string(req.UserID))
		if len(rows) > 0 {
			row = rows[0]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &clientapi.GetPresenceResponse{Presence: clientapi.PresenceState(row.State)}
	if row.LastActiveAt > 0 {
		out.LastActiveAgo = api.Some(max(0, p.Env.NowTS()-row.LastActiveAt))
	}
	if row.State == online {
		out.CurrentlyActive = api.Some(row.CurrentlyActive)
	}
	if row.StatusMsg != "" {
		out.StatusMsg = api.Some(api.Null[string]{Value: row.StatusMsg, Valid: true})
	}
	return out, nil
}

// Spec: client-server "Presence", "Last active ago", "Idle timeout".
const (
	// goneAfter is how long after it was last seen a device is not there any more.
	goneAfter = 30 * time.Second
	// idleAfter is how long after the last activity a user is unavailable.
	idleAfter = 5 * time.Minute
	// activeFor is how long after the last activity a user is currently active.
	activeFor = time.Minute
)

// take adds what requests said, and decides what others are told.
func take(row *storage.Presence, r *reports, now int64) {
	if r.reset {
		row.OnlineAt, row.IdleAt = 0, 0
	}
	if r.notOnline {
		row.OnlineAt = 0
	}
	if r.status != nil {
		row.StatusMsg = *r.status
	}
	row.IdleAt = max(row.IdleAt, r.idleAt)
	if r.came && r.onlineAt > 0 && now-row.OnlineAt >= goneAfter.Milliseconds() { // it has come just now
		r.activeAt = max(r.activeAt, r.onlineAt)
	}
	row.OnlineAt = max(row.OnlineAt, r.onlineAt)
	row.LastActiveAt = max(row.LastActiveAt, r.activeAt)
	decide(row, now)
}

// decide derives what others are told, and how long that holds.
func decide(row *storage.Presence, now int64) {
	row.DueAt = 0
	within := func(at int64, d time.Duration) bool {
		end := at + d.Milliseconds()
		if at == 0 || now >= end {
			return false
		}
		if row.DueAt == 0 || end < row.DueAt {
			row.DueAt = end
		}
		return true
	}
	there, idle := within(row.OnlineAt, goneAfter), within(row.IdleAt, goneAfter)
	row.State, row.CurrentlyActive = offline, false
	if there && within(row.LastActiveAt, idleAfter) {
		row.State = online
		row.CurrentlyActive = within(row.LastActiveAt, activeFor)
	} else if there || idle {
		row.State = unavailable
	}
}
