// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"maps"
	"slices"

	"touchstone.example/server/event"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// needsState reports whether the update may need state events. A room whose timeline
// continues the last answer's without a gap needs none.
func (p *roomUpdate) needsState() bool {
	return p.wholeState || p.stateAfter || p.skipped || p.resolved
}

// loadResolved finds the rooms whose state was changed in the window by state
// resolution, without a timeline event.
func (a *answerBuilder) loadResolved(ctx context.Context, parts []*roomUpdate) error {
	if a.resolvedAt == nil {
		nids := make([]int64, len(parts))
		after := a.upTo
		for i, p := range parts {
			nids[i] = p.nid
			after = min(after, p.stateKnownAt())
		}
		var err error
		if a.resolvedAt, err = a.tx.ResolvedIn(ctx, nids, after, a.upTo); err != nil {
			return err
		}
	}
	for _, p := range parts {
		pos, moved := a.resolvedAt[p.nid]
		p.resolved = moved && pos > p.stateKnownAt()
	}
	return nil
}

// stateKnownAt is the position whose state the client has when it starts to apply the
// timeline.
func (p *roomUpdate) stateKnownAt() int64 {
	if p.wholeState {
		return p.timelineStart()
	}
	return p.since
}

// stateAt is the position whose state is sent: the timeline's end with use_state_after,
// else its start.
func (p *roomUpdate) stateAt() int64 {
	if p.stateAfter {
		return p.upTo
	}
	return p.timelineStart()
}

// loadRoots reads the current states that the updates need.
func (a *answerBuilder) loadRoots(ctx context.Context, parts []*roomUpdate) error {
	var nids []int64
	for _, p := range parts {
		if p.upTo == a.upTo && (p.needsState() || p.changesSummary() || len(p.timelineKeys()) > 0) {
			nids = append(nids, p.nid)
		}
	}
	var roots map[int64]storage.RoomRoot
	if len(nids) > 0 {
		var err error
		if roots, err = a.tx.RoomRootsAt(ctx, nids, a.upTo); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if p.upTo == a.upTo {
			p.root = roots[p.nid]
			continue
		}
		of, err := a.tx.RoomRootsAt(ctx, []int64{p.nid}, p.upTo)
		if err != nil {
			return err
		}
		p.root = of[p.nid]
	}
	return nil
}

// rootAt is the room's state at a position of the window; for a user who is not in the
// room, the last state up to it that the user may read, empty for none.
//
// Spec: client-server "Room History Visibility": "no events received after they
// left", and a user has to join to see any.
func (p *roomUpdate) rootAt(ctx context.Context, pos int64) (string, error) {
	if !p.joined {
		until, err := p.readableUntil(ctx)
		if err != nil {
			return "", err
		}
		pos = min(pos, until)
	}
	if p.root.Root != "" && p.root.Since <= pos {
		return p.root.Root, nil
	}
	if len(p.timeline) > 0 && p.timeline[0].Type == "m.room.create" && pos < p.timeline[0].Pos {
		return "", nil
	}
	return p.tx.RoomStateAt(ctx, p.nid, pos)
}

// readableUntil is the last position whose state a user who has left the room may read.
func (p *roomUpdate) readableUntil(ctx context.Context) (int64, error) {
	if p.readableUpTo != nil {
		return *p.readableUpTo, nil
	}
	root, err := p.tx.RoomStateAt(ctx, p.nid, p.upTo)
	if err != nil {
		return 0, err
	}
	until, err := p.access.StateUntil(ctx, &storage.Room{NID: p.nid, StateRoot: root})
	p.readableUpTo = &until
	return until, err
}

// chooseState decides which state events are sent besides the timeline: the difference
// of two states of the room, never something derived from the events between them.
func (p *roomUpdate) chooseState(ctx context.Context) error {
	if !p.needsState() {
		return nil
	}
	to, err := p.rootAt(ctx, p.stateAt())
	if err != nil {
		return err
	}
	if p.wholeState && to != "" {
		class := storage.StateAll
		if p.lazy() {
			class = storage.StateOther
		}
		if p.wanted, err = p.tx.StateLoad(ctx, to, class); err != nil {
			return err
		}
	}
	if to != "" && (!p.wholeState || p.lazy() && p.since > 0) { // members that the client has may have changed
		from, err := p.rootAt(ctx, p.since)
		if err != nil {
			return err
		}
		changes, err := p.tx.StateDiff(ctx, from, to)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if c.New != 0 {
				p.wanted = append(p.wanted, c.New)
			}
		}
	}
	return p.chooseEndState(ctx, to)
}

// endStateDiffers reports whether applying the timeline's events to the state at its
// start may give another state than the one at its end: the filter removed state
// events, or state resolution changed the state.
func (p *roomUpdate) endStateDiffers() bool { return !p.stateAfter && (p.resolved || p.filteredState) }

// chooseEndState adds the state changes within the window that have no timeline event.
// Clients apply the state first and then the timeline, so that these changes hold for
// all keys without an event in the timeline.
//
// Spec: server-server "Soft failure": "it is possible for such events to appear
// in the current state of the room. In that case the client should be told …
// e.g. by sending it down in the state section of a sync response".
func (p *roomUpdate) chooseEndState(ctx context.Context, start string) error {
	if !p.endStateDiffers() {
		return nil
	}
	end, err := p.rootAt(ctx, p.upTo)
	if err != nil || end == "" {
		return err
	}
	p.startEvents, p.endEvents = map[int64]bool{}, map[int64]bool{}
	if p.lazy() && p.wholeState && p.since == 0 { // members are added by addMembers
		others, err := p.tx.StateLoad(ctx, end, storage.StateOther)
		p.recordDifference(p.wanted, others)
		return err
	}
	changes, err := p.tx.StateDiff(ctx, start, end)
	for _, c := range changes {
		p.recordDifference([]int64{c.Old}, []int64{c.New})
	}
	return err
}

// recordDifference records the events of which only one of two states has; 0 is no
// event.
func (p *roomUpdate) recordDifference(start, end []int64) {
	for _, nid := range start {
		p.startEvents[nid] = true
	}
	for _, nid := range end {
		if p.startEvents[nid] {
			delete(p.startEvents, nid)
		} else if nid != 0 {
			p.endEvents[nid] = true
			p.wanted = append(p.wanted, nid)
		}
	}
}

func (p *roomUpdate) lazy() bool { return p.filter.Room.State.LazyLoadMembers }

// loadStates reads the state events of all updates.
func (a *answerBuilder) loadStates(ctx context.Context, parts []*roomUpdate) error {
	var nids []int64
	for _, p := range parts {
		if p.lazy() {
			if err := p.addMembers(ctx); err != nil {
				return err
			}
		}
		nids = append(nids, p.wanted...)
	}
	if len(nids) == 0 {
		return nil
	}
	events, err := a.tx.ViewsByNID(ctx, nids)
	if err != nil {
		return err
	}
	byNID := make(map[int64]*storage.Event, len(events))
	for _, e := range events {
		byNID[e.NID] = e
	}
	for _, p := range parts {
		p.takeState(byNID)
	}
	return nil
}

// addMembers adds the membership events of the timeline's senders, of the heroes in the
// summary and, with the whole state, of the user, except those that the client has.
//
// Spec: client-server "Lazy-loading room members"; sync, "m.heroes": "the
// membership events for the heroes MUST be included in the state, unless they
// are redundant".
func (p *roomUpdate) addMembers(ctx context.Context) error {
	users := append(roomview.Senders(p.timeline), p.heroes...)
	if p.wholeState {
		users = append(users, p.who.User)
	}
	if len(users) == 0 {
		return nil
	}
	keys := make([]storage.StateKey, len(users))
	for i, u := range users {
		keys[i] = storage.StateKey{Type: event.TypeMember, Key: string(u)}
	}
	start, err := p.membersAt(ctx, p.stateAt(), keys)
	if err != nil || !p.endStateDiffers() {
		return err
	}
	end, err := p.membersAt(ctx, p.upTo, keys)
	for _, key := range keys {
		if start[key] != end[key] {
			p.startEvents[start[key]], p.endEvents[end[key]] = true, true
		}
	}
	return err
}

// membersAt reads members at a position, and adds those that the client does not have.
func (p *roomUpdate) membersAt(ctx context.Context, pos int64, keys []storage.StateKey) (map[storage.StateKey]int64, error) {
	root, err := p.rootAt(ctx, pos)
	if err != nil || root == "" {
		return nil, err
	}
	found, err := p.tx.StateGet(ctx, root, keys...)
	for _, nid := range found {
		if _, told := slices.BinarySearch(p.knownMembers, nid); p.wholeState || !told {
			p.wanted = append(p.wanted, nid)
		}
	}
	return found, err
}

// takeState takes the state events that pass the filter, in the order of their rows.
func (p *roomUpdate) takeState(byNID map[int64]*storage.Event) {
	slices.Sort(p.wanted)
	p.wanted = slices.Compact(p.wanted)
	inTimeline := p.timelineKeys()
	for _, nid := range p.wanted {
		e := byNID[nid]
		if e == nil || e.StateKey == nil {
			continue
		}
		tells := inTimeline[storage.StateKey{Type: e.Type, Key: *e.StateKey}]
		switch {
		case slices.Contains(tells, nid):
		case p.endEvents[nid] && tells != nil: // the timeline sets this key
		case p.startEvents[nid] && tells == nil: // the state at the end replaces it
		default:
			h := roomview.FilterHeader(e, p.id)
			if p.filter.Room.State.Match(&h) {
				p.state = append(p.state, e)
			}
		}
	}
}

// timelineKeys are the state keys that the timeline sets, each with its events,
// earliest first. With use_state_after the timeline sets none.
func (p *roomUpdate) timelineKeys() map[storage.StateKey][]int64 {
	keys := map[storage.StateKey][]int64{}
	for _, e := range p.timeline {
		if e.StateKey != nil && !p.stateAfter {
			key := storage.StateKey{Type: e.Type, Key: *e.StateKey}
			keys[key] = append(keys[key], e.NID)
		}
	}
	return keys
}

// dropOverruled lets the timeline begin after its last state event that state
// resolution has overruled. A client that applies the state and then the timeline would
// otherwise end with that event in its state.
func (p *roomUpdate) dropOverruled(ctx context.Context) error {
	keys := p.timelineKeys()
	if len(keys) == 0 || !p.joined { // a user who left is sent their own membership though it is after the state
		return nil
	}
	root, err := p.rootAt(ctx, p.upTo)
	if err != nil || root == "" {
		return err
	}
	found, err := p.tx.StateGet(ctx, root, slices.Collect(maps.Keys(keys))...)
	if err != nil {
		return err
	}
	for i, e := range slices.Backward(p.timeline) {
		if e.StateKey == nil {
			continue
		}
		key := storage.StateKey{Type: e.Type, Key: *e.StateKey}
		if of := keys[key]; of[len(of)-1] != e.NID || found[key] == e.NID {
			continue
		}
		if told, err := p.passesStateFilter(ctx, found[key]); err != nil {
			return err
		} else if told {
			p.timeline, p.limited, p.skipped, p.resolved = p.timeline[i+1:], true, true, true
			return nil
		}
	}
	return nil
}

// passesStateFilter reports whether an event passes the state filter. 0 means that the
// key has no event any more.
func (p *roomUpdate) passesStateFilter(ctx context.Context, nid int64) (bool, error) {
	if nid == 0 {
		return true, nil
	}
	events, err := p.tx.ViewsByNID(ctx, []int64{nid})
	if err != nil || len(events) == 0 {
		return false, err
	}
	h := roomview.FilterHeader(events[0], p.id)
	return p.filter.Room.State.Match(&h), nil
}
