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

// A roomUpdate is what an answer says of one room. The parts of an answer are
// filled together, each question asked once for all of them.
type roomUpdate struct {
	*answerBuilder
	nid          int64
	id           id.RoomID
	membership   *storage.Membership
	since        int64 // 0: the timeline may start anywhere
	upTo         int64
	wholeState   bool // all of the state, not what changed
	joined       bool
	access       *roomview.Access
	readableUpTo *int64 // how far who is not in the room may read its state; nil: nobody has asked

	timeline        []*storage.Event // earliest first
	sizedEvents     int              // how many of its events are counted in size
	size            int              // in bytes
	prevBatch       storage.TopoPos  // where /messages goes on before the timeline
	limited         bool
	skipped         bool                      // something of the window is not in the timeline
	filteredState   bool                      // the filter kept state events out of the timeline
	filteredKeys    map[storage.StateKey]bool // what of the state those say that the state may tell
	filteredMembers []*storage.Event          // kept out too: by them the number of members may be news
	resolved        bool                      // the state changed by more than the timeline tells
	endEvents       map[int64]bool            // the state at the timeline's end where it is not that of its start, by row
	startEvents     map[int64]bool            // and what was there at the start
	root            storage.RoomRoot
	wanted          []int64 // the state to tell, by row
	state           []*storage.Event
	hasName         bool
	heroes          []id.UserID
	counts          map[string]int64
	unread          map[int64]storage.UnreadCount
}

// roomUpdates chooses the rooms that the answer may tell of.
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
			if fresh { // from the start, as if it were new
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

// showLeftRoom makes a part about a room that was left tell all of it to who was not
// in it at the last answer, and so knows nothing of it.
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

// fill reads what all the parts need.
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

// noEvents reports whether no event of a part is for the client.
func (p *roomUpdate) noEvents() bool {
	return p.joined && !p.wholeState && len(p.timeline) == 0 && len(p.state) == 0 && !p.limited
}

// findCountChanges leaves to the parts that tell no event those of the events kept
// out by which somebody came or went: the number of members is news though
// nothing else is. What is unread is told with the next news of the room.
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

// loadTimelines reads the last events of each window that pass the filter and
// may be seen, in the order of their arrival.
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

// takeTimeline chooses from a first batch of events, newest first, and reads on
// where the filter leaves too few of them.
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

// takeBatch adds a batch to the timeline, and reports whether the timeline begins
// there: it is full, or what comes before may not be seen, or would leave the
// client with state that a later event, which the filter keeps out, has replaced.
// State that changed out of sight would be told neither before a timeline that
// goes on beyond nor in it. Who was in the room earlier has a gap there, though
// the limit did not make it.
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
		case !sees || !p.filter.Room.Timeline.Match(&h):
			p.skipped = true
			// Whoever was in the room may know its state at the leave, also what
			// changed while they were out of it.
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

// recordFiltered notes what is not told of an event that is kept out of the timeline. told
// says that its state is.
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

// isOwn reports whether an event is about the user's own membership. Sync
// always tells of those, of the one too that ends an invitation.
func (p *roomUpdate) isOwn(e *storage.Event) bool {
	return e.Type == "m.room.member" && e.StateKey != nil && *e.StateKey == string(p.who.User)
}

// loadPrevBatches finds the places before the timelines. That is where the timeline
// begins, but in rooms in which forks arrived late: something that came before
// it may have a later place, and is not to be skipped.
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

// timelineStart is the position right before the timeline.
func (p *roomUpdate) timelineStart() int64 {
	if len(p.timeline) == 0 {
		return p.upTo
	}
	return p.timeline[0].Pos - 1
}
