// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// A Head is a room before its next event: the current state and the forward
// extremities. It is valid only inside the function that it is passed to.
type Head struct {
	r *Rooms
	h *head
}

// RoomID is the room's ID; empty if the create event, not built yet, determines it.
func (h *Head) RoomID() id.RoomID { return h.h.room.ID }

// RoomNID is the number of the room's row, 0 for a room that is not written yet.
func (h *Head) RoomNID() int64 { return h.h.room.NID }

// Rules are those of the room's version.
func (h *Head) Rules() *roomver.Rules { return h.h.rules }

// Event is the current state at a key, nil if there is none.
func (h *Head) Event(ctx context.Context, typ, key string) (*event.Event, error) {
	if err := h.h.ensure(ctx, h.r.db, event.StateKey{Type: typ, Key: key}); err != nil {
		return nil, err
	}
	return h.h.Event(typ, key), nil
}

// Build makes the event that a draft asks for, if the room allows it: a *Refusal or
// *InvalidContent says why not, ErrUnknownEvent that what it redacts is not there.
func (h *Head) Build(ctx context.Context, d Draft) (*Planned, error) { return h.r.build(ctx, h.h, d) }

// BuildMember makes the event of a change of membership, as Build does. From,
// Idempotent and ThirdParty are for SetMember.
func (h *Head) BuildMember(ctx context.Context, c MemberChange) (*Planned, error) {
	return h.r.buildMember(ctx, h.h, c)
}

// After returns the head after an event. The receiver is not changed.
func (h *Head) After(p *Planned) *Head { return &Head{h.r, h.h.after(p)} }

// Change adds to a room what a function plans, and returns the IDs of the events when
// they are in the room. The function runs in the room's lane, perhaps several times:
// it asks no network and nothing else of this package, and has no effect.
func (r *Rooms) Change(ctx context.Context, roomID id.RoomID, plan func(context.Context, *Head) (*Plan, error)) ([]id.EventID, error) {
	nid, err := r.NID(ctx, roomID)
	if err != nil {
		return nil, err
	}
	return r.runJob(ctx, nid, func(ctx context.Context, h *head) (*Plan, error) {
		p, err := plan(ctx, &Head{r, h})
		if err != nil {
			return nil, err
		}
		return p, r.addConsequences(ctx, h, p)
	})
}

// Template builds the event that a draft asks for as Head.Build does, and commits
// nothing: it is for another server to sign and send back, as after make_join. The
// room may change before that, so it does not wait for the room's queue.
func (r *Rooms) Template(ctx context.Context, roomID id.RoomID, d Draft) (*event.Event, error) {
	nid, err := r.NID(ctx, roomID)
	if err != nil {
		return nil, err
	}
	h, err := r.loadHead(ctx, nid)
	if err != nil {
		return nil, err
	}
	p, err := r.build(ctx, h, d)
	if err != nil {
		return nil, err
	}
	return p.Event, nil
}

// build builds the event of a draft and checks the rules besides the authorization
// rules.
func (r *Rooms) build(ctx context.Context, h *head, d Draft) (*Planned, error) {
	if d.StateKey != nil && d.Type == event.TypeMember {
		var err error
		if d.Content, err = r.checkMember(ctx, h, d); err != nil {
			return nil, err
		}
	}
	p, err := r.buildEvent(ctx, h, d)
	if err == nil {
		err = r.checkInvitePermission(ctx, p.Event)
	}
	if err != nil {
		return nil, err
	}
	if d.Redacts == "" {
		return p, nil
	}
	p.redacts, err = r.redactable(ctx, h, p.Event, d.Redacts)
	return p, err
}

// checkMember returns the content of a membership event, with its authorising user.
func (r *Rooms) checkMember(ctx context.Context, h *head, d Draft) (raw.Raw, error) {
	switch membershipIn(d.Content) {
	case "join":
		if err := r.admitGuest(ctx, h, d.Guest); err != nil {
			return nil, err
		}
		return r.authoriseJoinByState(ctx, h, d)
	case "invite":
		return d.Content, r.MayInviteByState(d.Type, *d.StateKey, d.Content)
	}
	return d.Content, nil
}

// follow adds to a plan what follows from its events: guests leave a room that they
// shut.
func (r *Rooms) addConsequences(ctx context.Context, h *head, out *Plan) error {
	for i, p := range out.Events {
		leaves, rest, err := r.removeGuests(ctx, h, out.Events[i:])
		if err != nil {
			return err
		}
		if leaves != nil {
			out.Events = append(out.Events, leaves...)
			if rest != nil {
				out.ExtraWrites = both(out.ExtraWrites, rest)
			}
			return nil
		}
		if i < len(out.Events)-1 {
			h = h.after(p)
		}
	}
	return nil
}

// both returns a function that runs two Also functions.
func both(first, second ExtraWrites) ExtraWrites {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(ctx context.Context, tx *storage.Writer) error {
		if err := first(ctx, tx); err != nil {
			return err
		}
		return second(ctx, tx)
	}
}
