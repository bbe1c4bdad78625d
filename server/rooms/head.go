// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// A head is what is needed to add events to a room: its current state, as far as it was
// loaded, and its forward extremities. It belongs to the room's queue and is valid as
// long as the room's version is the one in the database, which the commit checks.
type head struct {
	room        *storage.Room
	rules       *roomver.Rules
	extremities []*stored
	state       map[event.StateKey]*stored // loaded so far; nil: known to be absent

	// branched are the events that are planned on the head, and not in the database
	// yet, of those that follow only some extremities.
	branched []*Planned
}

// stored is an event with its row's number and depth. That depth is its topological
// position, whatever depth the event itself has.
type stored struct {
	*event.Event
	nid   int64
	depth int64
}

// maxHeads and maxHeadState bound the memory that heads take.
const (
	maxHeads     = 512
	maxHeadState = 4096
)

// heads caches the heads of the rooms written to last. An entry may be out of date: the
// commit detects that another process has changed the room.
type heads struct {
	mu    sync.Mutex
	rooms map[int64]*head
}

func (c *heads) take(nid int64) *head {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.rooms[nid]
	delete(c.rooms, nid)
	return h
}

func (c *heads) put(h *head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rooms == nil {
		c.rooms = map[int64]*head{}
	}
	if len(c.rooms) >= maxHeads {
		for nid := range c.rooms { // any entry: a head can be read again
			delete(c.rooms, nid)
			break
		}
	}
	if len(h.state) > maxHeadState {
		h.state = map[event.StateKey]*stored{}
	}
	c.rooms[h.room.NID] = h
}

// loadHead reads a room's head from the database.
func (r *Rooms) loadHead(ctx context.Context, nid int64) (*head, error) {
	h := &head{state: map[event.StateKey]*stored{}}
	err := r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		if h.room, err = tx.RoomByNID(ctx, nid); err != nil {
			return err
		}
		if h.rules, err = roomver.Of(h.room.RoomVersion); err != nil {
			return err
		}
		tips, err := tx.ForwardExtremities(ctx, nid)
		if err != nil {
			return err
		}
		h.extremities, err = readEvents(ctx, tx, h.rules, tips)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load head of room %d: %w", nid, err)
	}
	return h, nil
}

// ensure loads the state at keys that the head does not hold yet.
func (h *head) ensure(ctx context.Context, db *storage.DB, keys ...event.StateKey) error {
	var missing []storage.StateKey
	for _, k := range keys {
		if _, known := h.state[k]; !known {
			missing = append(missing, storage.StateKey{Type: k.Type, Key: k.Key})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return db.Read(ctx, func(tx *storage.Reader) error {
		found, err := tx.StateGet(ctx, h.room.StateRoot, missing...)
		if err != nil {
			return err
		}
		nids := make([]int64, 0, len(found))
		for _, nid := range found {
			nids = append(nids, nid)
		}
		evs, err := readEvents(ctx, tx, h.rules, nids)
		if err != nil {
			return err
		}
		for _, p := range h.branched {
			if slices.Contains(nids, p.nid) {
				evs = append(evs, p.stored)
			}
		}
		for _, k := range missing {
			h.state[event.StateKey{Type: k.Type, Key: k.Key}] = nil
		}
		for _, s := range evs {
			h.state[s.Key()] = s
		}
		return nil
	})
}

// Event is the current state at a key; only keys that were ensured may be
// asked for. It makes the head an eventauth.State.
func (h *head) Event(typ, key string) *event.Event {
	if s := h.get(typ, key); s != nil {
		return s.Event
	}
	return nil
}

func (h *head) get(typ, key string) *stored {
	s, known := h.state[event.StateKey{Type: typ, Key: key}]
	if !known {
		panic("rooms: state " + typ + " was not loaded")
	}
	return s
}

// stateEvents reads the events at some keys of a state.
func stateEvents(ctx context.Context, tx *storage.Reader, rules *roomver.Rules, root string, keys []storage.StateKey) ([]*stored, error) {
	found, err := tx.StateGet(ctx, root, keys...)
	if err != nil {
		return nil, err
	}
	nids := make([]int64, 0, len(found))
	for _, nid := range found {
		nids = append(nids, nid)
	}
	return readEvents(ctx, tx, rules, nids)
}

func readEvents(ctx context.Context, tx *storage.Reader, rules *roomver.Rules, nids []int64) ([]*stored, error) {
	if len(nids) == 0 {
		return nil, nil
	}
	rows, err := tx.EventsByNID(ctx, nids)
	if err != nil {
		return nil, err
	}
	out := make([]*stored, 0, len(rows))
	for _, row := range rows {
		ev, err := eventOf(rules, row)
		if err != nil {
			return nil, err
		}
		out = append(out, &stored{Event: ev, nid: row.NID, depth: row.Depth})
	}
	return out, nil
}

// eventOf decodes a stored event for the authorization rules. A redacted event has only
// the members that its version protects.
//
// Spec: client-server "Redactions": "When redacted, state events behave as though
// their properties were simply not specified".
func eventOf(rules *roomver.Rules, row *storage.Event) (*event.Event, error) {
	ev, err := event.Trusted(rules, row.ID, row.PDU)
	if err != nil {
		return nil, fmt.Errorf("stored event %s: %w", row.ID, err)
	}
	if row.RedactedBy != 0 {
		ev = ev.Redact()
	}
	return ev, nil
}

// root is the room's current state with what is planned, as long as all that is
// planned has followed only some extremities.
func (h *head) root() string {
	if n := len(h.branched); n > 0 {
		return h.branched[n-1].branch.root
	}
	return h.room.StateRoot
}

// applyPlanned moves the head past an event that is planned.
func (h *head) applyPlanned(p *Planned) {
	if h.room.ID == "" {
		h.room.ID = p.RoomID // of the create event
	}
	h.extremities = []*stored{p.stored}
	if p.branch != nil {
		h.extremities = append(slices.Clone(p.branch.others), p.stored)
		h.branched = append(h.branched, p)
	}
	h.applyDelta(p.delta)
	if p.redacts != nil {
		h.redactInHead(p.redacts)
	}
}

// cloneForBatch returns a copy of the head to plan several events on.
func (h *head) cloneForBatch() *head {
	return &head{room: h.room, rules: h.rules, extremities: h.extremities, state: maps.Clone(h.state), branched: slices.Clip(h.branched)}
}

// after returns a copy of the head after an event: the event's plan may still be
// refused.
func (h *head) after(p *Planned) *head {
	next := h.cloneForBatch()
	next.applyPlanned(p)
	return next
}

// written sets the head's room row to the one just written.
func (h *head) written(room *storage.Room) {
	room.Version++
	h.room, h.branched = room, nil
}

// redactInHead redacts an event, if it is part of the state.
func (h *head) redactInHead(target *stored) {
	if !target.IsState() {
		return
	}
	if s := h.state[target.Key()]; s != nil && s.nid == target.nid {
		h.state[target.Key()] = &stored{Event: s.Redact(), nid: s.nid, depth: s.depth}
	}
}

// NID is the number of a room's row, ErrUnknownRoom where this server does not know
// the room.
func (r *Rooms) NID(ctx context.Context, roomID id.RoomID) (int64, error) {
	if nid, ok := r.nids.get(roomID); ok {
		return nid, nil
	}
	var room *storage.Room
	err := r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		room, err = tx.Room(ctx, roomID)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return 0, unknownRoom(roomID)
	}
	if err != nil {
		return 0, fmt.Errorf("find room %s: %w", roomID, err)
	}
	r.nids.put(roomID, room.NID)
	return room.NID, nil
}
