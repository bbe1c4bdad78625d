// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/feed"
	"touchstone.example/server/filter"
	"touchstone.example/storage"
)

var _ clientapi.MessagePagination = (*Rooms)(nil)

// Limits of a page of /messages.
const (
	defaultPage = 10
	maxPage     = 1000
	// maxScan bounds how many events one request looks at for those that pass
	// its filter and may be seen. The page may then hold fewer than asked
	// for, even none, and its end says where to go on.
	maxScan = 5000
	// nextScan is how many are read at once where the first are not enough.
	nextScan = 100
	// maxPageBytes bounds the events of a page, what they replaced and who
	// redacted them included: a page past it ends early, with a token.
	maxPageBytes = 1 << 20
	// maxPageSenders bounds the member events beside a page.
	maxPageSenders = 128
	// someEvents and someOthers are how many events are in memory before their
	// size is known.
	someEvents = 100
	someOthers = 32
)

// GetRoomEvents pages through a room's history, in the order of the room.
//
// Spec: client-server getRoomEvents.
func (r *Rooms) GetRoomEvents(ctx context.Context, who api.Caller, req *clientapi.GetRoomEventsRequest) (*clientapi.GetRoomEventsResponse, error) {
	nid, err := r.roomNID(ctx, req.RoomID)
	if err != nil {
		return nil, err
	}
	p, err := r.newPaging(ctx, who, req, nid)
	if err != nil {
		return nil, err
	}
	if err := r.db.Read(ctx, func(tx *storage.Reader) error { return p.read(ctx, tx) }); err != nil {
		return nil, err
	}
	return &p.out, nil
}

// A paging is one walk through a room.
type paging struct {
	r       *Rooms
	who     api.Caller
	room    id.RoomID
	nid     int64
	forward bool
	limit   int
	filter  *filter.RoomEvents
	given   string      // from as the client wrote it
	from    *feed.Token // nil: from the end of the room that dir starts at
	to      *feed.Token // nil: to the other end
	upTo    int64       // what has arrived later is not there yet
	view    *View
	out     clientapi.GetRoomEventsResponse
}

func (r *Rooms) newPaging(ctx context.Context, who api.Caller, req *clientapi.GetRoomEventsRequest, nid int64) (*paging, error) {
	p := &paging{
		r: r, who: who, room: req.RoomID, nid: nid, forward: req.Dir == clientapi.DirectionF,
		given: req.From.Value, limit: defaultPage, view: r.view(who), filter: &filter.RoomEvents{},
	}
	p.out.Chunk = []api.Raw{}
	if req.Filter.Set {
		var err error
		if p.filter, err = filter.ParseRoomEvents([]byte(req.Filter.Value)); err != nil {
			return nil, api.InvalidParam("%s", err)
		}
		p.limit = p.filter.Limit(defaultPage, maxPage)
	}
	if req.Limit.Set {
		if req.Limit.Value < 0 {
			return nil, api.InvalidParam("limit is negative")
		}
		p.limit = int(min(req.Limit.Value, maxPage))
	}
	for _, t := range []struct {
		name string
		in   api.Opt[string]
		out  **feed.Token
	}{{"from", req.From, &p.from}, {"to", req.To, &p.to}} {
		if !t.in.Set {
			continue
		}
		token, err := feed.ParseToken(t.in.Value)
		if err != nil {
			return nil, api.InvalidParam("%s: %s", t.name, err)
		}
		*t.out = &token
	}
	var err error
	p.upTo, err = r.reach(ctx, p.from, p.to)
	return p, err
}

// reach returns the position up to which a page goes: not before that of any
// of its tokens. One of a future that has not happened sets no such bound: the
// place that it may have in the room is as good as ever, and its position is now.
func (r *Rooms) reach(ctx context.Context, tokens ...*feed.Token) (upTo int64, err error) {
	known := false
	for _, t := range tokens {
		if t == nil {
			continue
		}
		pos, err := r.feed.Reach(ctx, t)
		if errors.Is(err, feed.ErrFuture) {
			t.Pos = math.MaxInt64
			continue
		}
		if err != nil {
			return 0, behind(err)
		}
		upTo, known = max(upTo, pos), true
	}
	if !known {
		upTo, err = r.feed.Reach(ctx, nil)
	}
	return upTo, behind(err)
}

// behind is what it means to a client that the feed did not get to a position.
func behind(err error) error {
	if errors.Is(err, feed.ErrBehind) {
		return api.Unavailable(time.Second, "The server is behind; try again")
	}
	return err
}

// boundary turns a token into a place of the room: what lies before it has
// been reached, what lies at or after it has not.
func (p *paging) boundary(ctx context.Context, tx *storage.Reader, t *feed.Token) (storage.Place, error) {
	if t.Room {
		return t.Place, nil
	}
	last, err := tx.PlaceAt(ctx, p.nid, min(t.Pos, p.upTo))
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Place{}, nil
	}
	last.NID++
	return last, err
}

// ends are the boundaries of a room that a walk may use. One that goes back from
// the end begins at what is the end now: its start stays where it was when more
// arrives.
func (p *paging) ends(ctx context.Context, tx *storage.Reader) (from, to storage.Place, err error) {
	if p.forward {
		to = storage.Place{Depth: math.MaxInt64, NID: math.MaxInt64}
	}
	start := p.from
	if start == nil && !p.forward {
		start = &feed.Token{Pos: p.upTo}
	}
	if start != nil {
		if from, err = p.boundary(ctx, tx, start); err != nil {
			return from, to, err
		}
	}
	if p.to != nil {
		to, err = p.boundary(ctx, tx, p.to)
	}
	return from, to, err
}

func (p *paging) read(ctx context.Context, tx *storage.Reader) error {
	room, err := roomByNID(ctx, tx, p.nid)
	if err != nil {
		return err
	}
	sight, err := NewSight(ctx, tx, p.nid, p.who.User)
	if err != nil {
		return err
	}
	until, err := sight.StateUntil(ctx, room)
	if err != nil {
		return err
	}
	if until == 0 {
		return api.Forbidden("You are not in room %s", p.room)
	}
	from, to, err := p.ends(ctx, tx)
	if err != nil {
		return err
	}
	p.out.Start = cmp.Or(p.given, p.token(from))
	events, end, more, err := p.walk(ctx, tx, sight, from, to)
	if err != nil {
		return fmt.Errorf("page of room %s: %w", p.room, err)
	}
	written, err := p.write(ctx, tx, sight, events)
	if err != nil {
		return err
	}
	if written < len(events) {
		events, end, more = events[:written], p.past(events[written-1]), true
	}
	// At the live end more will come for who may see it. A page without events has
	// brought the caller nowhere.
	more = more || p.forward && p.to == nil && len(events) > 0 && until == math.MaxInt64
	if more {
		p.out.End = api.Some(p.token(end))
	}
	if p.filter.LazyLoadMembers {
		return p.members(ctx, tx, room, until, events)
	}
	return nil
}

// write puts events on the page until it is full, and returns how many: at
// least one, if there are any.
func (p *paging) write(ctx context.Context, tx *storage.Reader, sight *Sight, events []*storage.Event) (written int, err error) {
	for bytes := 0; written < len(events); {
		some := fewOthers(events[written:])
		p.view.Others = nil
		if err := p.view.LoadOthers(ctx, tx, some); err != nil {
			return written, err
		}
		if err := p.view.Hide(ctx, sight, some); err != nil {
			return written, err
		}
		for _, e := range some {
			shown := p.view.Event(e, p.room)
			if bytes += len(shown); bytes > maxPageBytes && written > 0 {
				return written, nil
			}
			p.out.Chunk = append(p.out.Chunk, shown)
			written++
		}
	}
	return written, nil
}

// fewOthers returns the first events, as many as refer to few others.
func fewOthers(events []*storage.Event) []*storage.Event {
	others := 0
	for i, e := range events {
		if e.ReplacesNID != 0 || e.RedactedBy != 0 {
			if others++; others > someOthers {
				return events[:i]
			}
		}
	}
	return events
}

// past is the boundary right after an event, as the walk goes.
func (p *paging) past(e *storage.Event) storage.Place {
	at := e.Place()
	if p.forward {
		at.NID++
	}
	return at
}

// walk collects the events of the page. end is the boundary that it came to,
// and more whether there are events beyond that the caller may see, as far as
// one request looks.
//
// Spec: client-server getRoomEvents, "end": omitted "because the user does not
// have permission to see any more events" too.
func (p *paging) walk(ctx context.Context, tx *storage.Reader, sight *Sight, from, to storage.Place) (page []*storage.Event, end storage.Place, more bool, err error) {
	end = from
	bytes, senders := 0, map[id.UserID]bool{}
	for scanned, read := 0, 0; scanned < maxScan; {
		n := p.limit - len(page) + 1 // one beyond tells whether there are more
		if scanned > 0 {
			n = max(n, nextScan)
		}
		n = min(n, atMost(scanned, read))
		batch, err := p.next(ctx, tx, end, n)
		if err != nil {
			return nil, end, false, err
		}
		for _, e := range batch {
			if p.beyond(e.Place(), to) {
				return page, end, false, nil
			}
			ok, at, err := p.shows(ctx, sight, e)
			if err != nil {
				return nil, end, false, err
			}
			if ok && (len(page) == p.limit || bytes >= maxPageBytes || p.tooMany(senders, e.Sender)) {
				return page, end, true, nil
			}
			if ok {
				page = append(page, e)
				p.view.Memberships[e.NID] = at
				bytes += len(e.Client)
				senders[e.Sender] = true
			}
			read += len(e.Client)
			end = p.past(e)
		}
		if len(batch) < n {
			return page, end, false, nil
		}
		scanned += len(batch)
	}
	return page, end, true, nil
}

// atMost is how many events to read at once, after so many of so many bytes.
func atMost(events, bytes int) int {
	if events == 0 {
		return someEvents
	}
	return min(max(1, maxPageBytes/max(bytes/events, 1)), 2*someEvents)
}

// tooMany reports whether another sender's member event would be one too many.
func (p *paging) tooMany(senders map[id.UserID]bool, sender id.UserID) bool {
	return p.filter.LazyLoadMembers && len(senders) >= maxPageSenders && !senders[sender]
}

func (p *paging) next(ctx context.Context, tx *storage.Reader, at storage.Place, n int) ([]*storage.Event, error) {
	if p.forward {
		return tx.PageForward(ctx, p.nid, storage.Place{Depth: at.Depth, NID: at.NID - 1}, p.upTo, n)
	}
	return tx.PageBack(ctx, p.nid, at, p.upTo, n)
}

// beyond reports whether a place lies past the boundary that ends the walk.
func (p *paging) beyond(place, to storage.Place) bool {
	if p.forward {
		return !after(to, place)
	}
	return after(to, place)
}

func (p *paging) shows(ctx context.Context, sight *Sight, e *storage.Event) (ok bool, at string, err error) {
	h := FilterHeader(e, p.room)
	if !p.filter.Match(&h) {
		return false, "", nil
	}
	return sight.Sees(ctx, e)
}

// token writes a boundary of this walk.
func (p *paging) token(at storage.Place) string {
	return feed.Token{Epoch: p.r.feed.Epoch(), Pos: p.upTo, Room: true, Place: at}.String()
}

// members adds the membership events of the senders on the page, as the caller
// may know them: who has left, as they were then.
//
// Spec: client-server "Lazy-loading room members".
func (p *paging) members(ctx context.Context, tx *storage.Reader, room *storage.Room, until int64, events []*storage.Event) error {
	root := room.StateRoot
	if until < p.upTo {
		var err error
		if root, err = tx.RoomStateAt(ctx, p.nid, until); err != nil {
			return err
		}
	}
	members, err := MembersOf(ctx, tx, root, Senders(events))
	if err != nil {
		return err
	}
	p.out.State, err = p.r.list(ctx, tx, p.who, members, p.room)
	return err
}
