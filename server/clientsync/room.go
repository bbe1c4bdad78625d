// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"errors"
	"maps"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// A roomUpdate is the answer's news of one room. All updates of an answer are filled
// together, with one query for all rooms where possible.
type roomUpdate struct {
	*answerBuilder
	nid          int64
	id           id.RoomID
	membership   *storage.Membership
	since        int64 // 0: the timeline may start anywhere
	upTo         int64
	wholeState   bool // send all of the state, not only what changed
	joined       bool
	access       *roomview.Access
	readableUpTo *int64 // for a user who is not in the room: the last position whose state they may read; nil: not read yet

	timeline        []*storage.Event // earliest first
	sizedEvents     int              // number of timeline events that are counted in size
	size            int              // in bytes
	prevBatch       storage.TopoPos  // where /messages continues before the timeline
	limited         bool
	skipped         bool                      // the window has events that are not in the timeline
	filteredState   bool                      // the filter removed state events from the timeline
	filteredKeys    map[storage.StateKey]bool // the state keys of those that pass the state filter
	filteredMembers []*storage.Event          // member events among them: the member count may have changed
	resolved        bool                      // state resolution changed the state without a timeline event
	endEvents       map[int64]bool            // events in the state at the timeline's end that are not in that at its start, by row
	startEvents     map[int64]bool            // and the reverse
	root            storage.RoomRoot
	wanted          []int64 // state events to send, by row
	state           []*storage.Event
	hasName         bool
	heroes          []id.UserID
	counts          map[string]int64
	unread          map[int64]storage.UnreadCount
}

// roomUpdates chooses the rooms that may be in the answer.
func (a *answerBuilder) roomUpdates(ctx context.Context) ([]*roomUpdate, error) {
	var out []*roomUpdate
	for _, nid := range a.order {
		m := a.memberships[nid]
		p := &roomUpdate{answerBuilder: a, nid: nid, id: a.ids[nid], membership: m, since: a.since, upTo: a.upTo}
		p.wholeState = a.initial || a.full
		if a.initial {
			p.since = 0
		}
		fresh := !a.initial && m.Pos > a.since
		switch m.Membership {
		case "join":
			p.joined = true
			if fresh { // newly joined: send it as a new room
				p.wholeState, p.since = true, 0
			}
		case "leave", "ban":
			if !fresh && !(a.filter.Room.IncludeLeave && p.wholeState) {
				continue
			}
			p.upTo = m.Pos
			if fresh && !p.wholeState {
				if err := a.showLeftRoom(ctx, p); err != nil {
					return nil, err
				}
			}
		default:
			continue
		}
		out = append(out, p)
	}
	return out, nil
}

// showLeftRoom prepares the update of a room that the user has left. If the user was
// not in it at the last answer, the client knows nothing of it and is sent the whole
// state; if the user joined in between, also the timeline from the start.
func (a *answerBuilder) showLeftRoom(ctx context.Context, p *roomUpdate) error {
	events, err := a.tx.MemberEvents(ctx, p.nid, a.who.User)
	before, within := "", false
	for _, e := range events {
		switch membership := roomview.MembershipOf(e); {
		case e.Pos == 0 || e.Pos > p.upTo:
		case e.Pos <= a.since:
			before = membership
		default:
			within = within || membership == "join"
		}
	}
	if p.wholeState = before != "join"; p.wholeState && within {
		p.since = 0
	}
	return err
}

// fill reads what all the updates need.
func (a *answerBuilder) fill(ctx context.Context, parts []*roomUpdate) ([]*roomUpdate, error) {
	if err := a.loadTimelines(ctx, parts); err != nil {
		return nil, err
	}
	if err := a.loadResolved(ctx, parts); err != nil {
		return nil, err
	}
	parts = slices.DeleteFunc(parts, func(p *roomUpdate) bool {
		return p.joined && !p.wholeState && len(p.timeline) == 0 && !p.skipped && !p.resolved
	})
	if err := a.loadRoots(ctx, parts); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := p.dropOverruled(ctx); err != nil {
			return nil, err
		}
		if err := p.chooseState(ctx); err != nil {
			return nil, err
		}
	}
	if err := a.loadPrevBatches(ctx, parts); err != nil {
		return nil, err
	}
	if err := a.loadSummaries(ctx, parts); err != nil {
		return nil, err
	}
	if err := a.loadStates(ctx, parts); err != nil {
		return nil, err
	}
	if err := a.findCountChanges(ctx, parts); err != nil {
		return nil, err
	}
	parts = slices.DeleteFunc(parts, func(p *roomUpdate) bool { return p.noEvents() && len(p.filteredMembers) == 0 })
	if err := a.loadUnread(ctx, parts); err != nil {
		return nil, err
	}
	var all []*storage.Event
	for _, p := range parts {
		all = append(append(all, p.timeline...), p.state...)
	}
	if a.filter.Federation {
		if err := a.view.LoadPDUs(ctx, a.tx, all); err != nil {
			return nil, err
		}
	}
	if err := a.view.LoadOthers(ctx, a.tx, all); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := a.view.Hide(ctx, p.access, slices.Concat(p.timeline, p.state)); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// noEvents reports whether the update has no event for the client.
func (p *roomUpdate) noEvents() bool {
	return p.joined && !p.wholeState && len(p.timeline) == 0 && len(p.state) == 0 && !p.limited
}

// findCountChanges keeps, for updates without events, only those filtered member events
// that changed a membership: the member count is then news though nothing else is.
// Unread counts wait for the room's next news.
//
// Spec: client-server sync, "m.joined_member_count": "If this field has not
// changed since the last sync, it may be omitted. Required otherwise."
func (a *answerBuilder) findCountChanges(ctx context.Context, parts []*roomUpdate) error {
	var nids []int64
	for _, p := range parts {
		for _, e := range p.filteredMembers {
			if p.noEvents() && e.ReplacesNID != 0 {
				nids = append(nids, e.ReplacesNID)
			}
		}
	}
	if len(nids) == 0 {
		return nil
	}
	events, err := a.tx.ViewsByNID(ctx, nids)
	before := make(map[int64]string, len(events))
	for _, e := range events {
		before[e.NID] = roomview.MembershipOf(e)
	}
	for _, p := range parts {
		p.filteredMembers = slices.DeleteFunc(p.filteredMembers, func(e *storage.Event) bool {
			return p.noEvents() && before[e.ReplacesNID] == roomview.MembershipOf(e)
		})
	}
	return err
}

// loadTimelines reads the last events of each room's window that pass the filter and
// are visible to the user, in the order of their arrival.
//
// Spec: client-server "Syncing": the order is that of arrival.
func (a *answerBuilder) loadTimelines(ctx context.Context, parts []*roomUpdate) error {
	limit := a.filter.Room.Timeline.Limit(defaultTimeline, maxTimeline)
	first := map[int64][]*storage.Event{}
	others, err := a.loadNewEvents(ctx, parts, firstBatch(limit), first)
	if err != nil {
		return err
	}
	type window struct{ since, upTo int64 }
	groups := map[window][]int64{}
	var order []window
	for _, p := range others {
		w := window{p.since, p.upTo}
		if groups[w] == nil {
			order = append(order, w)
		}
		groups[w] = append(groups[w], p.nid)
	}
	for _, w := range order {
		got, err := a.tx.Timelines(ctx, groups[w], w.since, w.upTo, firstBatch(limit))
		if err != nil {
			return err
		}
		maps.Copy(first, got)
	}
	for _, p := range parts {
		if err := p.takeTimeline(ctx, first[p.nid], limit); err != nil {
			return err
		}
	}
	return nil
}

// takeTimeline takes events from a first batch, newest first, and reads more batches if
// the filter leaves too few.
func (p *roomUpdate) takeTimeline(ctx context.Context, batch []*storage.Event, limit int) error {
	p.access = roomview.NewAccess(p.tx, p.who.User, p.membership)
	for asked, looked := firstBatch(limit), 0; ; {
		done, err := p.takeBatch(ctx, batch, limit)
		if err != nil {
			return err
		}
		if done || len(batch) < asked {
			break
		}
		if looked += len(batch); looked >= maxScanned {
			p.limited, p.skipped = true, true
			break
		}
		asked = max(firstBatch(limit-len(p.timeline)), someEvents)
		if batch, err = p.tx.Timeline(ctx, p.nid, p.since, batch[len(batch)-1].Pos-1, asked); err != nil {
			return err
		}
	}
	slices.Reverse(p.timeline)
	return nil
}

// takeBatch adds a batch to the timeline and reports whether the timeline is complete:
// it is full; or the next event is hidden from the user; or the next event is state
// that a later event, removed by the filter, has replaced. The timeline stops at the
// first hidden event, so that state which changed there is sent in `state`. For a user
// who was joined before, that is a gap: limited is set though the limit was not
// reached.
func (p *roomUpdate) takeBatch(ctx context.Context, batch []*storage.Event, limit int) (done bool, err error) {
	for _, e := range batch {
		if p.full() {
			p.limited, p.skipped = true, true
			return true, nil
		}
		sees, at, err := p.access.CanSee(ctx, e)
		if err != nil {
			return false, err
		}
		sees = sees || p.isOwn(e)
		if !sees && p.joined && e.Pos < p.membership.Pos {
			p.skipped = true
			p.limited, err = p.access.WasIn(ctx, e)
			return true, err
		}
		h := roomview.FilterHeader(e, p.id)
		switch {
		case !sees || roomview.Ignores(p.prefers.ignored, e) || !p.filter.Room.Timeline.Match(&h):
			p.skipped = true
			// A former member may read the room's state as of the leave, including what
			// changed while they were not in the room.
			p.recordFiltered(e, (sees || !p.joined) && p.filter.Room.State.Match(&h))
		case len(p.timeline) == limit || e.StateKey != nil && p.filteredKeys[storage.StateKey{Type: e.Type, Key: *e.StateKey}]:
			p.limited, p.skipped = true, true
			return true, nil
		default:
			p.timeline = append(p.timeline, e)
			p.view.Memberships[e.NID] = at
		}
	}
	return false, nil
}

// recordFiltered records an event that is not in the timeline. told says whether it may
// be sent in the state.
func (p *roomUpdate) recordFiltered(e *storage.Event, told bool) {
	if e.StateKey == nil {
		return
	}
	p.filteredState = true
	if e.Type == event.TypeMember {
		p.filteredMembers = append(p.filteredMembers, e)
	}
	if told && !p.stateAfter {
		if p.filteredKeys == nil {
			p.filteredKeys = map[storage.StateKey]bool{}
		}
		p.filteredKeys[storage.StateKey{Type: e.Type, Key: *e.StateKey}] = true
	}
}

// isOwn reports whether an event is the user's own membership. Sync always sends these,
// including one that ends an invitation.
func (p *roomUpdate) isOwn(e *storage.Event) bool {
	return e.Type == "m.room.member" && e.StateKey != nil && *e.StateKey == string(p.who.User)
}

// loadPrevBatches finds the topological positions before the timelines. It is that of
// the first event, except in rooms with events out of order: an event that arrived
// before the timeline may have a higher topological position, and /messages must not
// skip it.
func (a *answerBuilder) loadPrevBatches(ctx context.Context, parts []*roomUpdate) error {
	var nids []int64
	for _, p := range parts {
		if len(p.timeline) > 0 {
			p.prevBatch = p.timeline[0].TopoPos()
			if p.limited || p.wholeState {
				nids = append(nids, p.nid)
			}
		}
	}
	if len(nids) == 0 {
		return nil
	}
	outOfOrder, err := a.tx.OutOfOrderIn(ctx, nids)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if len(p.timeline) == 0 || !slices.Contains(outOfOrder, p.nid) {
			continue
		}
		last, err := a.tx.TopoPosAt(ctx, p.nid, p.timelineStart())
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if last.NID++; last.Depth > p.prevBatch.Depth || last.Depth == p.prevBatch.Depth && last.NID > p.prevBatch.NID {
			p.prevBatch = last
		}
	}
	return nil
}

// timelineStart is the stream position right before the timeline.
func (p *roomUpdate) timelineStart() int64 {
	if len(p.timeline) == 0 {
		return p.upTo
	}
	return p.timeline[0].Pos - 1
}
