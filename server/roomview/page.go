// SPDX-License-Identifier: Apache-2.0

package roomview

import (
	"context"
	"errors"
	"fmt"
	"math"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/feed"
	"touchstone.example/server/filter"
	"touchstone.example/storage"
)

// Limits of a page.
const (
	// maxScan bounds how many events one request reads to find those that pass its
	// filter and are visible. The page may then have fewer events than asked for, even
	// none; its end token continues from there.
	maxScan = 5000
	// nextScan is how many are read at a time if the first are not enough.
	nextScan = 100
	// maxPageBytes bounds the events of a page with the replaced events and redactions
	// in their unsigned data. A page that reaches it ends early, with a token.
	maxPageBytes = 1 << 20
	// maxPageSenders bounds the member events beside a page.
	maxPageSenders = 128
	// someEvents and someOthers are how many events are read before their size is
	// known.
	someEvents = 100
	someOthers = 32
)

// A PageQuery asks for a page of a room's events, in the order of the room.
type PageQuery struct {
	View    *View // for whom
	RoomNID int64
	RoomID  id.RoomID
	Forward bool
	Limit   int
	Filter  *filter.RoomEvents
	From    *feed.Token // nil: from the room's start or end, by direction
	To      *feed.Token // nil: to the room's other end
	UpTo    int64       // later arrivals are left out
}

// A Page is the result of a PageQuery.
type Page struct {
	Chunk      []raw.Raw
	State      []raw.Raw       // with lazy loading: the member events of the senders
	Start, End storage.TopoPos // boundaries between events
	More       bool            // there may be more events beyond End
}

// ReadPage reads a page of a room. ErrHidden: the user may see nothing of the room.
func ReadPage(ctx context.Context, tx *storage.Reader, q PageQuery) (*Page, error) {
	p := &paging{PageQuery: q, out: Page{Chunk: []raw.Raw{}}}
	if err := p.read(ctx, tx); err != nil {
		return nil, err
	}
	return &p.out, nil
}

// A paging is the reading of one page.
type paging struct {
	PageQuery
	out     Page
	ignored map[id.UserID]bool
}

// boundary converts a token to a topological position: the boundary is before the event
// at that position.
func (p *paging) boundary(ctx context.Context, tx *storage.Reader, t *feed.Token) (storage.TopoPos, error) {
	if t.Room {
		return t.TopoPos, nil
	}
	last, err := tx.TopoPosAt(ctx, p.RoomNID, min(t.Pos, p.UpTo))
	if errors.Is(err, storage.ErrNotFound) {
		return storage.TopoPos{}, nil
	}
	last.NID++
	return last, err
}

// ends are the room's boundaries. Backwards from the end starts at the current end: the
// start token does not move when more events arrive.
func (p *paging) ends(ctx context.Context, tx *storage.Reader) (from, to storage.TopoPos, err error) {
	if p.Forward {
		to = storage.TopoPos{Depth: math.MaxInt64, NID: math.MaxInt64}
	}
	start := p.From
	if start == nil && !p.Forward {
		start = &feed.Token{Pos: p.UpTo}
	}
	if start != nil {
		if from, err = p.boundary(ctx, tx, start); err != nil {
			return from, to, err
		}
	}
	if p.To != nil {
		to, err = p.boundary(ctx, tx, p.To)
	}
	return from, to, err
}

func (p *paging) read(ctx context.Context, tx *storage.Reader) error {
	room, err := tx.RoomByNID(ctx, p.RoomNID)
	if err != nil {
		return err
	}
	access, err := AccessOf(ctx, tx, p.RoomNID, p.View.User)
	if err != nil {
		return err
	}
	until, err := access.StateUntil(ctx, room)
	if err != nil {
		return err
	}
	if until == 0 {
		return ErrHidden
	}
	if p.ignored, err = Ignored(ctx, tx, p.View.User); err != nil {
		return err
	}
	from, to, err := p.ends(ctx, tx)
	if err != nil {
		return err
	}
	p.out.Start = from
	events, end, more, err := p.walk(ctx, tx, access, from, to)
	if err != nil {
		return fmt.Errorf("page of room %s: %w", p.RoomID, err)
	}
	written, err := p.write(ctx, tx, access, events)
	if err != nil {
		return err
	}
	if written < len(events) {
		events, end, more = events[:written], p.past(events[written-1]), true
	}
	// At the room's current end more events may arrive, so the page has an end token,
	// unless it is empty.
	more = more || p.Forward && p.To == nil && len(events) > 0 && until == math.MaxInt64
	p.out.End, p.out.More = end, more
	if p.Filter.LazyLoadMembers {
		return p.members(ctx, tx, room, until, events)
	}
	return nil
}

// write adds events to the page until it is full, and returns how many: at least one,
// if there are any.
func (p *paging) write(ctx context.Context, tx *storage.Reader, access *Access, events []*storage.Event) (written int, err error) {
	for bytes := 0; written < len(events); {
		some := fewOthers(events[written:])
		p.View.Others = nil
		if err := p.View.LoadOthers(ctx, tx, some); err != nil {
			return written, err
		}
		if err := p.View.Hide(ctx, access, some); err != nil {
			return written, err
		}
		for _, e := range some {
			shown := p.View.Event(e, p.RoomID)
			if bytes += len(shown); bytes > maxPageBytes && written > 0 {
				return written, nil
			}
			p.out.Chunk = append(p.out.Chunk, shown)
			written++
		}
	}
	return written, nil
}

// fewOthers returns the first of the events, so many that their unsigned data refers to
// few others.
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

// past is the boundary right after an event in the direction of reading.
func (p *paging) past(e *storage.Event) storage.TopoPos {
	at := e.TopoPos()
	if p.Forward {
		at.NID++
	}
	return at
}

// walk collects the events of the page. end is the boundary it reached; more reports
// whether the caller may see events beyond it, within maxScan.
//
// Spec: client-server getRoomEvents, "end": omitted "because the user does not
// have permission to see any more events" too.
func (p *paging) walk(ctx context.Context, tx *storage.Reader, access *Access, from, to storage.TopoPos) (page []*storage.Event, end storage.TopoPos, more bool, err error) {
	end = from
	bytes, senders := 0, map[id.UserID]bool{}
	for scanned, read := 0, 0; scanned < maxScan; {
		n := p.Limit - len(page) + 1 // one more tells whether there are others
		if scanned > 0 {
			n = max(n, nextScan)
		}
		n = min(n, atMost(scanned, read))
		batch, err := p.next(ctx, tx, end, n)
		if err != nil {
			return nil, end, false, err
		}
		for _, e := range batch {
			if p.beyond(e.TopoPos(), to) {
				return page, end, false, nil
			}
			ok, at, err := p.shows(ctx, access, e)
			if err != nil {
				return nil, end, false, err
			}
			if ok && (len(page) == p.Limit || bytes >= maxPageBytes || p.tooMany(senders, e.Sender)) {
				return page, end, true, nil
			}
			if ok {
				page = append(page, e)
				p.View.Memberships[e.NID] = at
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

// atMost is how many events to read at a time, by the count and bytes of those read so
// far.
func atMost(events, bytes int) int {
	if events == 0 {
		return someEvents
	}
	return min(max(1, maxPageBytes/max(bytes/events, 1)), 2*someEvents)
}

// tooMany reports whether the page has no room for another sender's member event.
func (p *paging) tooMany(senders map[id.UserID]bool, sender id.UserID) bool {
	return p.Filter.LazyLoadMembers && len(senders) >= maxPageSenders && !senders[sender]
}

func (p *paging) next(ctx context.Context, tx *storage.Reader, at storage.TopoPos, n int) ([]*storage.Event, error) {
	if p.Forward {
		return tx.PageForward(ctx, p.RoomNID, storage.TopoPos{Depth: at.Depth, NID: at.NID - 1}, p.UpTo, n)
	}
	return tx.PageBack(ctx, p.RoomNID, at, p.UpTo, n)
}

// beyond reports whether a topological position is past the boundary at which the page
// ends.
func (p *paging) beyond(place, to storage.TopoPos) bool {
	if p.Forward {
		return !after(to, place)
	}
	return after(to, place)
}

func (p *paging) shows(ctx context.Context, access *Access, e *storage.Event) (ok bool, at string, err error) {
	h := FilterHeader(e, p.RoomID)
	if Ignores(p.ignored, e) || !p.Filter.Match(&h) {
		return false, "", nil
	}
	return access.CanSee(ctx, e)
}

// members adds the membership events of the page's senders, from the newest state that
// the caller may read: for a caller who has left, that at the leave.
//
// Spec: client-server "Lazy-loading room members".
func (p *paging) members(ctx context.Context, tx *storage.Reader, room *storage.Room, until int64, events []*storage.Event) error {
	root := room.StateRoot
	if until < p.UpTo {
		var err error
		if root, err = tx.RoomStateAt(ctx, p.RoomNID, until); err != nil {
			return err
		}
	}
	members, err := MembersOf(ctx, tx, root, Senders(events))
	if err != nil {
		return err
	}
	p.out.State, err = NewView(p.View.User, p.View.Device, p.View.Now).List(ctx, tx, members, p.RoomID)
	return err
}
