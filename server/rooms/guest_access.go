// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
	"touchstone.example/server/jobs"
	"touchstone.example/storage"
)

var keyGuestAccess = event.StateKey{Type: "m.room.guest_access"}

// guestsMayJoin reads the state event at keyGuestAccess, nil if there is none.
func guestsMayJoin(ev *event.Event) bool {
	if ev == nil {
		return false
	}
	access, _ := event.Text(ev.ContentMember("guest_access"))
	return access == "can_join"
}

// admitGuest refuses a guest who wants to join a room without guest access.
//
// Spec: client-server "Guest Access", "Server behaviour".
func (r *Rooms) admitGuest(ctx context.Context, h *head, guest bool) error {
	if !guest {
		return nil
	}
	if err := h.ensure(ctx, r.db, keyGuestAccess); err != nil {
		return err
	}
	if guestsMayJoin(h.Event(keyGuestAccess.Type, keyGuestAccess.Key)) {
		return nil
	}
	return refuse(RuleGuestAccess, "Guests may not join this room")
}

// dismissGuests is what follows from events that are about to enter the room:
// where the first shuts the room to guests, those that are in it leave, in the same
// transaction; if they are many, the rest soon after. Only this server knows who of its users is a guest, so each
// leaves by itself, and nobody needs a power level for it.
//
// Spec: client-server "Guest Access", "Server behaviour": "the server MUST set
// those users' m.room.member state to leave".
func (r *Rooms) removeGuests(ctx context.Context, h *head, events []*Planned) (leaves []*Planned, rest ExtraWrites, err error) {
	if shuts, err := r.revokesGuestAccess(ctx, h, events[0]); err != nil || !shuts {
		return nil, nil, err
	}
	guests, err := r.guestsIn(ctx, h)
	if err != nil || len(guests) == 0 {
		return nil, nil, err
	}
	if len(guests) > maxGuestLeaves {
		guests, rest = guests[:maxGuestLeaves], r.removeGuestsLater(h.room.NID)
	}
	ahead := h.cloneForBatch()
	for _, p := range events {
		ahead.applyPlanned(p)
	}
	leaves, err = r.guestLeaves(ctx, ahead, guests)
	return leaves, rest, err
}

// shutsToGuests tells whether an event takes away what lets guests in: it sets
// another guest_access, or redacts the present one.
//
// Spec: client-server "Redactions": "state events behave as though their
// properties were simply not specified".
func (r *Rooms) revokesGuestAccess(ctx context.Context, h *head, p *Planned) (bool, error) {
	switch {
	case p.StateKey != nil:
		return p.Key() == keyGuestAccess && !guestsMayJoin(p.Event), nil
	case p.redacts == nil || p.redacts.StateKey == nil || p.redacts.Key() != keyGuestAccess:
		return false, nil
	}
	err := h.ensure(ctx, r.db, keyGuestAccess)
	now := h.get(keyGuestAccess.Type, keyGuestAccess.Key)
	return now != nil && now.nid == p.redacts.nid, err
}

// JobGuests is the kind of the jobs that have our guests leave a room that was shut to
// them elsewhere, by an event of another server or by state resolution, or that has too
// many for one transaction. The key is the room's number.
const JobGuests = "guests"

// leavesAtOnce bounds the leaves of one transaction.
const maxGuestLeaves = 20

// dismissLater puts the job for a room.
func (r *Rooms) removeGuestsLater(roomNID int64) ExtraWrites {
	return func(ctx context.Context, tx *storage.Writer) error {
		return tx.PutJob(ctx, JobGuests, strconv.FormatInt(roomNID, 10), nil, 0, r.env.NowTS())
	}
}

// dismissAfter puts the job for a room whose state was changed in a way that shuts
// it, by an event of another server or by state resolution.
func (r *Rooms) removeGuestsAfter(ctx context.Context, tx *storage.Writer, roomNID int64, moves []stateChange) error {
	shut := slices.ContainsFunc(moves, func(m stateChange) bool {
		return m.key == keyGuestAccess && (m.new == nil || !guestsMayJoin(m.new.Event))
	})
	if !shut {
		return nil
	}
	return r.removeGuestsLater(roomNID)(ctx, tx)
}

// CloseToGuests is the handler of JobGuests. It looks whether the room is shut when
// it runs.
func (r *Rooms) RemoveGuests(ctx context.Context, j *jobs.Job) (done bool, err error) {
	nid, err := strconv.ParseInt(j.Key(), 10, 64)
	if err != nil {
		return false, fmt.Errorf("room of a job: %w", err)
	}
	save := func(ctx context.Context, tx *storage.Writer) error { return j.Save(ctx, tx, nil) }
	_, err = r.runJob(ctx, nid, func(ctx context.Context, h *head) (*Plan, error) {
		done = true
		if err := h.ensure(ctx, r.db, keyGuestAccess); err != nil {
			return nil, err
		}
		if guestsMayJoin(h.Event(keyGuestAccess.Type, keyGuestAccess.Key)) {
			return &Plan{}, nil
		}
		guests, err := r.guestsIn(ctx, h)
		if err != nil {
			return nil, err
		}
		if len(guests) > maxGuestLeaves {
			guests, done = guests[:maxGuestLeaves], false
		}
		leaves, err := r.guestLeaves(ctx, h.cloneForBatch(), guests)
		return &Plan{Events: leaves, ExtraWrites: save, Alone: true}, err
	})
	return done, err
}

// leavesOf builds the leaves of guests, each behind the one before.
func (r *Rooms) guestLeaves(ctx context.Context, ahead *head, guests []id.UserID) ([]*Planned, error) {
	var leaves []*Planned
	for _, guest := range guests {
		key := string(guest)
		leave, err := r.buildEvent(ctx, ahead, Draft{
			Sender: guest, Type: event.TypeMember, StateKey: &key, Content: raw.Object{"membership": "leave"}.Encode(),
		})
		if err != nil {
			return nil, fmt.Errorf("leave of guest %s: %w", guest, err)
		}
		ahead.applyPlanned(leave)
		leaves = append(leaves, leave)
	}
	return leaves, nil
}

// guestsIn lists local guests who are joined, including those who join in the same
// batch.
func (r *Rooms) guestsIn(ctx context.Context, h *head) ([]id.UserID, error) {
	var guests []id.UserID
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		known, err := tx.LocalMembersOfKind(ctx, h.room.NID, "join", "guest")
		if err != nil {
			return err
		}
		guests = nil
		for _, user := range known {
			if s := h.state[event.StateKey{Type: event.TypeMember, Key: string(user)}]; s == nil || s.Membership() == "join" {
				guests = append(guests, user)
			}
		}
		for key, s := range h.state {
			if key.Type != event.TypeMember || s == nil || s.nid != 0 || s.Membership() != "join" {
				continue
			}
			user, err := id.ParseUserID(key.Key)
			if err != nil || user.Server() != r.name || slices.Contains(guests, user) {
				continue
			}
			switch row, err := tx.User(ctx, user); {
			case errors.Is(err, storage.ErrNotFound):
			case err != nil:
				return err
			case row.Kind == "guest":
				guests = append(guests, user)
			}
		}
		return nil
	})
	slices.Sort(guests)
	return guests, err
}
