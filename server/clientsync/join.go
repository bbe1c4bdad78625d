// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"cmp"
	"context"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/feed"
	"touchstone.example/server/filter"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

// Limits of a timeline.
const (
	defaultTimeline = 10
	maxTimeline     = 1000
)

// joined tells of the rooms that the user is in.
func (a *assembly) joined(ctx context.Context, all *clientapi.SyncRooms) error {
	for _, room := range a.withMembership("join") {
		m := a.memberships[room.NID]
		part := &roomPart{assembly: a, room: room, membership: m, upTo: a.upTo}
		part.whole = a.initial || a.full || m.Pos > a.since // newly joined: from the start
		part.since = a.since
		if a.initial || m.Pos > a.since {
			part.since = 0
		}
		if err := part.load(ctx); err != nil {
			return err
		}
		if part.nothing() {
			continue
		}
		if fresh := !a.initial && m.Pos > a.since; fresh && a.JoinedLimited {
			part.limited = true
		}
		j := clientapi.SyncJoinedRoom{Timeline: part.timelineBatch()}
		j.State, j.StateAfter = part.stateBatches()
		var err error
		if j.Summary, err = part.summary(ctx); err != nil {
			return err
		}
		if err := part.unread(ctx, &j); err != nil {
			return err
		}
		put(&all.Join, room.ID, j)
	}
	return nil
}

// left tells of the rooms that the user has left in the window; in an initial
// sync only if the filter asks for them.
func (a *assembly) left(ctx context.Context, all *clientapi.SyncRooms) error {
	for _, room := range a.withMembership("leave", "ban") {
		m := a.memberships[room.NID]
		fresh := m.Pos > a.since && !a.initial
		if !fresh && !(a.filter.Room.IncludeLeave && (a.initial || a.full)) {
			continue
		}
		part := &roomPart{assembly: a, room: room, membership: m, upTo: m.Pos, since: a.since, whole: a.initial || a.full}
		if a.initial {
			part.since = 0
		}
		if err := part.load(ctx); err != nil {
			return err
		}
		l := clientapi.SyncLeftRoom{Timeline: part.timelineBatch()}
		l.State, l.StateAfter = part.stateBatches()
		put(&all.Leave, room.ID, l)
	}
	return nil
}

// emptyJoin is a joined room of which only account data changed.
func (a *assembly) emptyJoin(_ context.Context, _ *storage.Room) (clientapi.SyncJoinedRoom, error) {
	j := clientapi.SyncJoinedRoom{Timeline: &clientapi.TimelineBatch{Events: []api.Raw{}}}
	if a.stateAfter {
		j.StateAfter = &clientapi.StateEventBatch{Events: []api.Raw{}}
	} else {
		j.State = &clientapi.StateEventBatch{Events: []api.Raw{}}
	}
	return j, nil
}

// A roomPart is what an answer says of one room.
type roomPart struct {
	*assembly
	room       *storage.Room
	membership *storage.Membership
	since      int64 // 0: the timeline may start anywhere
	upTo       int64
	whole      bool // all of the state, not what changed

	timeline []*storage.Event // earliest first
	limited  bool
	state    []*storage.Event
}

func (p *roomPart) load(ctx context.Context) error {
	if err := p.loadTimeline(ctx); err != nil {
		return err
	}
	if err := p.loadState(ctx); err != nil {
		return err
	}
	return p.view.LoadOthers(ctx, p.tx, slices.Concat(p.timeline, p.state))
}

// loadTimeline reads the last events of the window that pass the filter and
// may be seen, in the order of their arrival.
//
// Spec: client-server "Syncing": the order is that of arrival.
func (p *roomPart) loadTimeline(ctx context.Context) error {
	f := &p.filter.Room.Timeline
	limit := f.Limit(defaultTimeline, maxTimeline)
	sight := rooms.SightOf(p.tx, p.who.User, p.membership)
	for upTo := p.upTo; ; {
		n := limit - len(p.timeline) + 1 // one more tells whether it is limited
		batch, err := p.tx.Timeline(ctx, p.room.NID, p.since, upTo, n)
		if err != nil {
			return err
		}
		for _, e := range batch {
			h := rooms.FilterHeader(e, p.room.ID)
			if !f.Match(&h) {
				continue
			}
			ok, at, err := sight.Sees(ctx, e)
			if err != nil {
				return err
			}
			if !ok && !p.isOwn(e) {
				continue
			}
			if len(p.timeline) == limit {
				p.limited = true
				break
			}
			p.timeline = append(p.timeline, e)
			p.view.Memberships[e.NID] = at
		}
		if p.limited || len(batch) < n {
			break
		}
		upTo = batch[len(batch)-1].Pos - 1
	}
	slices.Reverse(p.timeline)
	return nil
}

// isOwn reports whether an event is about the user's own membership. Sync
// always tells of those, of the one too that ends an invitation.
func (p *roomPart) isOwn(e *storage.Event) bool {
	return e.Type == "m.room.member" && e.StateKey != nil && *e.StateKey == string(p.who.User)
}

// start is the position right before the timeline.
func (p *roomPart) start() int64 {
	if len(p.timeline) == 0 {
		return p.upTo
	}
	return p.timeline[0].Pos - 1
}

func (p *roomPart) nothing() bool {
	return !p.whole && len(p.timeline) == 0 && len(p.state) == 0 && !p.limited
}

func (p *roomPart) timelineBatch() *clientapi.TimelineBatch {
	batch := &clientapi.TimelineBatch{Events: make([]api.Raw, len(p.timeline)), Limited: api.Some(p.limited)}
	for i, e := range p.timeline {
		batch.Events[i] = p.write(e)
	}
	// The token's place is right before the timeline; its position is that of
	// this answer, at which /members?at shows the members that go with it.
	token := feed.Token{Epoch: p.Feed.Epoch(), Pos: p.assembly.upTo}
	if len(p.timeline) > 0 {
		token.Room, token.Place = true, p.timeline[0].Place()
	}
	batch.PrevBatch = api.Some(token.String())
	return batch
}

// write is an event as the filter wants it to look.
func (p *roomPart) write(e *storage.Event) api.Raw {
	b := p.view.Event(e, "")
	if p.filter.Fields != nil {
		return p.filter.Fields.Project(nil, b)
	}
	return b
}

// unread counts what the user has not read.
func (p *roomPart) unread(ctx context.Context, j *clientapi.SyncJoinedRoom) error {
	counts, err := p.tx.Unread(ctx, p.who.User, p.room.NID, p.membership.Pos, p.upTo)
	if err != nil {
		return err
	}
	var sum storage.UnreadCount
	threads := map[id.EventID]clientapi.UnreadCounts{}
	apart := p.filter.Room.Timeline.UnreadThreadNotifications
	if apart && len(counts) > 0 {
		roots := make([]int64, 0, len(counts))
		for nid := range counts {
			roots = append(roots, nid)
		}
		ids, err := p.tx.EventIDs(ctx, roots)
		if err != nil {
			return err
		}
		for nid, c := range counts {
			if nid != 0 {
				threads[ids[nid]] = clientapi.UnreadCounts{
					NotificationCount: api.Some(c.Notify), HighlightCount: api.Some(c.Highlight),
				}
			}
		}
	}
	for nid, c := range counts {
		if nid == 0 || !apart {
			sum.Notify += c.Notify
			sum.Highlight += c.Highlight
		}
	}
	j.UnreadNotifications = &clientapi.UnreadCounts{
		NotificationCount: api.Some(sum.Notify), HighlightCount: api.Some(sum.Highlight),
	}
	if len(threads) > 0 {
		j.UnreadThreadNotifications = threads
	}
	return nil
}

func sortRooms(list []*storage.Room) {
	slices.SortFunc(list, func(a, b *storage.Room) int { return cmp.Compare(a.NID, b.NID) })
}

func accountHeader(typ string, roomID id.RoomID) *filter.Header {
	return &filter.Header{Type: typ, RoomID: roomID}
}
