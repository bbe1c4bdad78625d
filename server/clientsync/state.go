// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

// loadState reads what the client must know of the state besides the timeline:
// the difference of two states of the room, never something derived from the
// events between them.
func (p *roomPart) loadState(ctx context.Context) error {
	end := p.start()
	if p.stateAfter {
		end = p.upTo
	}
	lazy := p.filter.Room.State.LazyLoadMembers
	var events []*storage.Event
	var err error
	switch {
	case p.whole:
		events, err = p.wholeState(ctx, end, lazy)
	case end > p.since && (p.limited || p.stateAfter):
		events, err = p.stateSince(ctx, end)
	}
	if err != nil {
		return err
	}
	if lazy {
		if events, err = p.addMembers(ctx, events, end); err != nil {
			return err
		}
	}
	p.state = slices.DeleteFunc(events, func(e *storage.Event) bool {
		h := rooms.FilterHeader(e, p.room.ID)
		return !p.filter.Room.State.Match(&h) || !p.stateAfter && p.inTimeline(e)
	})
	return nil
}

func (p *roomPart) inTimeline(e *storage.Event) bool {
	return slices.ContainsFunc(p.timeline, func(t *storage.Event) bool { return t.NID == e.NID })
}

// wholeState reads the state at a position, without members if they are loaded
// lazily.
func (p *roomPart) wholeState(ctx context.Context, at int64, lazy bool) ([]*storage.Event, error) {
	root, err := p.tx.RoomStateAt(ctx, p.room.NID, at)
	if err != nil || root == "" {
		return nil, err
	}
	class := storage.StateAll
	if lazy {
		class = storage.StateOther
	}
	return rooms.WholeState(ctx, p.tx, root, class)
}

// stateSince reads the state events at a position that were not in the state
// at since.
func (p *roomPart) stateSince(ctx context.Context, end int64) ([]*storage.Event, error) {
	from, err := p.tx.RoomStateAt(ctx, p.room.NID, p.since)
	if err != nil {
		return nil, err
	}
	to, err := p.tx.RoomStateAt(ctx, p.room.NID, end)
	if err != nil || from == to {
		return nil, err
	}
	changes, err := p.tx.StateDiff(ctx, from, to)
	if err != nil {
		return nil, err
	}
	nids := make([]int64, 0, len(changes))
	for _, c := range changes {
		if c.New != 0 {
			nids = append(nids, c.New)
		}
	}
	slices.Sort(nids)
	return p.tx.EventsByNID(ctx, nids)
}

// addMembers adds the membership events of those who sent the timeline, of the
// heroes, and in a whole state the user's own.
//
// Spec: client-server "Lazy-loading room members".
func (p *roomPart) addMembers(ctx context.Context, events []*storage.Event, at int64) ([]*storage.Event, error) {
	users := rooms.Senders(p.timeline)
	if p.whole {
		if !slices.Contains(users, p.who.User) {
			users = append(users, p.who.User)
		}
		heroes, err := p.heroes(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range heroes {
			if !slices.Contains(users, u) {
				users = append(users, u)
			}
		}
	}
	if len(users) == 0 {
		return events, nil
	}
	root, err := p.tx.RoomStateAt(ctx, p.room.NID, at)
	if err != nil || root == "" {
		return events, err
	}
	members, err := rooms.MembersOf(ctx, p.tx, root, users)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if !slices.ContainsFunc(events, func(e *storage.Event) bool { return e.NID == m.NID }) {
			events = append(events, m)
		}
	}
	return events, nil
}

// stateBatches puts the state where the client wants it.
func (p *roomPart) stateBatches() (state, after *clientapi.StateEventBatch) {
	batch := &clientapi.StateEventBatch{Events: make([]api.Raw, len(p.state))}
	for i, e := range p.state {
		batch.Events[i] = p.write(e)
	}
	if p.stateAfter {
		return nil, batch
	}
	return batch, nil
}

// maxHeroes is how many members may stand for a room without a name.
const maxHeroes = 5

// heroes are the members that a room without a name is named after.
//
// Spec: client-server sync, "m.heroes".
func (p *roomPart) heroes(ctx context.Context) ([]id.UserID, error) {
	named, err := p.named(ctx)
	if err != nil || named {
		return nil, err
	}
	for _, memberships := range [][]string{{"join", "invite"}, {"leave", "ban"}} {
		users, err := p.tx.FirstMembers(ctx, p.room.NID, p.who.User, maxHeroes, memberships...)
		if err != nil || len(users) > 0 {
			return users, err
		}
	}
	return nil, nil
}

// named reports whether the room has a name or an alias that is not empty.
func (p *roomPart) named(ctx context.Context) (bool, error) {
	found, err := p.tx.StateGet(ctx, p.room.StateRoot,
		storage.StateKey{Type: "m.room.name"}, storage.StateKey{Type: "m.room.canonical_alias"})
	if err != nil {
		return false, err
	}
	events, err := eventsOf(ctx, p.tx, found)
	if err != nil {
		return false, err
	}
	for _, e := range events {
		content := rooms.Content(e.Client)
		name, _ := event.Text(event.Member(content, "name"))
		alias, _ := event.Text(event.Member(content, "alias"))
		if name != "" && e.Type == "m.room.name" || alias != "" && e.Type == "m.room.canonical_alias" {
			return true, nil
		}
	}
	return false, nil
}

// summary describes the room when its members may have changed.
func (p *roomPart) summary(ctx context.Context) (*clientapi.SyncRoomSummary, error) {
	isMember := func(e *storage.Event) bool { return e.Type == "m.room.member" && e.StateKey != nil }
	if !p.whole && !p.limited && !slices.ContainsFunc(p.timeline, isMember) && !slices.ContainsFunc(p.state, isMember) {
		return nil, nil
	}
	counts, err := p.tx.CountMembers(ctx, []int64{p.room.NID}, "join", "invite")
	if err != nil {
		return nil, err
	}
	heroes, err := p.heroes(ctx)
	if err != nil {
		return nil, err
	}
	n := counts[p.room.NID]
	return &clientapi.SyncRoomSummary{
		Heroes: heroes, JoinedMemberCount: api.Some(n["join"]), InvitedMemberCount: api.Some(n["invite"]),
	}, nil
}

// eventsOf reads the events that a lookup in a state has found.
func eventsOf(ctx context.Context, tx *storage.Reader, found map[storage.StateKey]int64) ([]*storage.Event, error) {
	if len(found) == 0 {
		return nil, nil
	}
	nids := make([]int64, 0, len(found))
	for _, nid := range found {
		nids = append(nids, nid)
	}
	slices.Sort(nids)
	return tx.EventsByNID(ctx, nids)
}
