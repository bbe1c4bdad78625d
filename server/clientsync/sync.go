// SPDX-License-Identifier: Apache-2.0

// Package clientsync answers /sync. It waits until something that the user may see has
// changed, then reads what changed between two positions from one snapshot. It writes
// nothing.
package clientsync

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/server/filter"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ clientapi.Sync = (*Sync)(nil)

// maxWait bounds a long poll, whatever the client asks for: proxies on the way cut
// connections that stay idle for longer.
const maxWait = 2 * time.Minute

// Deps are what Sync works with.
type Deps struct {
	DB   *storage.DB
	Feed *feed.Feed
	Env  *env.Env
	Log  *slog.Logger
	// ForgottenLeave sends the leave of a room that was forgotten before the next sync,
	// which the specification does not allow (rule forgotten-leave).
	ForgottenLeave bool
	// OnlyFields keeps only the fields of events that event_fields lists, without those
	// that the specification requires of every event (rule event-fields).
	OnlyFields bool
	// JoinedLimited marks the timeline of a newly joined room as limited (rule
	// joined-limited), so that clients drop what they had of it.
	JoinedLimited bool
	// Stopping ends when the server stops: requests that wait are then answered.
	Stopping context.Context
	// Turn waits until another answer may be made for a user: only a few answers of a
	// user are in memory at a time. nil means no limit.
	Turn func(ctx context.Context, user string) (done func(), err error)
	// Parts are what slices add to the answer besides the rooms, in that order.
	Parts []syncpart.Part
	// Polls hears of each request while it is answered, with the presence that it
	// sets; nil: nobody does.
	Polls func(ctx context.Context, who api.Caller, state clientapi.PresenceState) (done func())
	// Standing is what every answer to a device contains; nil: nothing.
	Standing syncpart.Standing
}

// Sync serves /sync.
type Sync struct {
	Deps
	roomKinds    []feed.Kind // the kinds of changes of the parts that concern rooms
	lateKinds    []feed.Kind // those that wake nobody
	keys         wakeKeyCache
	roomIDs      roomIDCache
	recentEvents roomCache[*storage.Event]
	counts       roomCache[map[string]int64] // members of rooms, by membership
	members      lazyMembers
	standing     standing
	preferences  preferenceCache
	server       int64 // of tokens: this process, as lazyMembers knows it
}

// New returns the sync of a server.
func New(d Deps) *Sync {
	if d.Turn == nil {
		d.Turn = func(context.Context, string) (func(), error) { return func() {}, nil }
	}
	kinds := syncpart.Kinds(d.Parts)
	s := &Sync{Deps: d, server: 1 + int64(binary.BigEndian.Uint32(d.Env.Rand.Bytes("sync server", "", 4)))}
	for _, k := range kinds {
		if len(feed.KeysOf([]feed.Kind{k}, "", []int64{0})) > 0 {
			s.roomKinds = append(s.roomKinds, k)
		}
	}
	for _, k := range kinds {
		if k.Wakes() {
			s.keys.kinds = append(s.keys.kinds, k)
		} else {
			s.lateKinds = append(s.lateKinds, k)
		}
	}
	s.keys.kinds = append(s.keys.kinds, feed.KindEvent, feed.KindState, feed.KindAccess)
	return s
}

// A request is one /sync: for a user, a filter and the changes in (since, upTo].
type request struct {
	who          api.Caller
	filter       *filter.Filter
	since        int64
	toDevice     int64 // messages to the device are acknowledged up to this position
	paging       bool  // the last answer left out some of those, before since
	pageEnd      int64 // position of the last message in this answer, if others are left out; else 0
	upTo         int64
	initial      bool // no since: everything
	full         bool // full_state
	ownToken     bool // since is a token of this process, which knows the members sent with it
	stateAfter   bool // use_state_after
	now          int64
	knownMembers []int64 // membership events that the client has, by row, sorted
}

// remembersMembers reports whether members are lazy-loaded and sent only once.
func (w *request) remembersMembers() bool {
	return w.filter.Room.State.LazyLoadMembers && !w.filter.Room.State.IncludeRedundantMembers
}

// Sync returns what has changed since a token, waiting for a change for as
// long as the client asks.
//
// Spec: client-server sync.
func (s *Sync) Sync(ctx context.Context, who api.Caller, req *clientapi.SyncRequest) (*clientapi.SyncResponse, error) {
	w := &request{
		who: who, initial: !req.Since.Set, full: req.FullState.Value, stateAfter: req.UseStateAfter.Value,
	}
	var err error
	if w.filter, err = s.loadFilter(ctx, who.User, req.Filter); err != nil {
		return nil, err
	}
	if s.Polls != nil {
		defer s.Polls(ctx, who, req.SetPresence.Or(clientapi.PresenceStateOnline))()
	}
	timeout := min(max(req.Timeout.Or(0), 0), maxWait.Milliseconds())
	upTo, err := s.reach(ctx, w, req.Since, time.Duration(timeout)*time.Millisecond)
	if errors.Is(err, feed.ErrBehind) {
		out := s.emptyAnswer(w, 0)
		out.NextBatch = req.Since.Value // the client repeats its request
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	s.acknowledge(w)
	if w.remembersMembers() && w.ownToken && !w.initial {
		w.knownMembers = s.members.get(deviceOf(who), w.since)
	}
	var out *clientapi.SyncResponse
	if w.initial || w.full {
		out, err = s.answer(ctx, w, upTo)
	} else {
		out, err = s.wait(ctx, w, upTo, time.Duration(timeout)*time.Millisecond)
	}
	if err == nil && w.remembersMembers() {
		s.members.put(deviceOf(who), w.upTo, w.knownMembers)
		out.NextBatch = feed.Token{Epoch: s.Feed.Epoch(), Pos: w.upTo, ToDevice: w.pageEnd, Server: s.server}.String()
	}
	return out, err
}

// reach reads since and returns the position that the answer at least goes up to. A
// token with a position that the database has not reached is ignored and the sync is an
// initial one: the position will be drawn again for other changes.
//
// feed.ErrBehind says that since was not settled in time.
func (s *Sync) reach(ctx context.Context, w *request, since api.Opt[string], timeout time.Duration) (upTo int64, err error) {
	if since.Set {
		token, err := feed.ParseToken(since.Value)
		if err != nil {
			return 0, api.InvalidParam("since: %s", err)
		}
		upTo, err = s.reachToken(ctx, &token, timeout)
		if !errors.Is(err, feed.ErrFuture) {
			w.since, w.ownToken = token.Pos, token.Server == s.server
			w.toDevice, w.paging = token.ToDevice, token.ToDevice > 0 || token.Room
			if !w.paging {
				w.toDevice = token.Pos
			}
			if w.full && errors.Is(err, feed.ErrBehind) {
				err = api.Unavailable(time.Second, "The server is behind; try again")
			}
			return upTo, err
		}
		w.initial = true
	}
	return s.Feed.Reach(ctx, nil)
}

// reachToken waits for the token's position, at most for the request's timeout.
func (s *Sync) reachToken(ctx context.Context, token *feed.Token, timeout time.Duration) (int64, error) {
	waiting, cancel := s.Env.WithTimeout(ctx, timeout)
	defer cancel()
	defer context.AfterFunc(s.Stopping, cancel)()
	for {
		upTo, err := s.Feed.Reach(ctx, token)
		if !errors.Is(err, feed.ErrBehind) || waiting.Err() != nil {
			return upTo, err
		}
	}
}

// acknowledge tells the parts which messages the client has, by its token.
func (s *Sync) acknowledge(w *request) {
	if w.initial || w.toDevice == 0 || w.who.Device == "" {
		return
	}
	for _, p := range s.Parts {
		if r, ok := p.(syncpart.Receiver); ok {
			r.Acknowledged(w.who.User, w.who.Device, w.toDevice)
		}
	}
}

// wait answers as soon as there is news, and at the latest when the time is up.
// Messages to the device that the last answer left out are news at once.
func (s *Sync) wait(ctx context.Context, w *request, upTo int64, timeout time.Duration) (*clientapi.SyncResponse, error) {
	waiting, cancel := s.Env.WithTimeout(ctx, timeout)
	defer cancel()
	defer context.AfterFunc(s.Stopping, cancel)()
	for {
		keys, err := s.keys.keysOf(ctx, s.DB, s.Feed, w.who.User)
		if err != nil {
			return nil, fmt.Errorf("rooms of %s: %w", w.who.User, err)
		}
		if !w.paging {
			var timedOut error
			upTo, timedOut = s.Feed.Wait(waiting, w.since, keys...)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if timedOut != nil && len(s.lateKinds) > 0 && s.Feed.Changed(w.since, feed.KeysOf(s.lateKinds, w.who.User, nil)...) {
				return s.answer(ctx, w, upTo)
			}
			if timedOut != nil {
				w.upTo = upTo
				out := s.emptyAnswer(w, upTo)
				return out, s.addStanding(ctx, nil, w, out)
			}
		}
		out, err := s.answer(ctx, w, upTo)
		if err != nil || !isEmpty(out) {
			return out, err
		}
		w.since, w.toDevice, w.paging = upTo, upTo, false // none of the changes was for this client
	}
}

func (s *Sync) emptyAnswer(w *request, upTo int64) *clientapi.SyncResponse {
	return &clientapi.SyncResponse{NextBatch: s.token(upTo, 0), DeviceUnusedFallbackKeyTypes: []string{}}
}

func (s *Sync) token(pos, pageEnd int64) string {
	return feed.Token{Epoch: s.Feed.Epoch(), Pos: pos, ToDevice: pageEnd}.String()
}

// isEmpty reports whether an answer has no news, so that the request goes on waiting.
func isEmpty(out *clientapi.SyncResponse) bool {
	return out.Rooms == nil && out.AccountData == nil && out.Presence == nil &&
		out.ToDevice == nil && out.DeviceLists == nil
}
