// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// A stateChange is a change of a room's current state at one key.
type stateChange struct {
	key event.StateKey
	old *stored // nil: there was none
	new *stored // nil: there is none any more
}

// stateDelta compares the current state, with what is planned on the head, with what
// it becomes. ev is the event that the change comes with, if one does.
func (r *Rooms) stateDelta(ctx context.Context, h *head, root string, ev *stored) ([]stateChange, error) {
	now := h.root()
	if root == now {
		return nil, nil
	}
	var out []stateChange
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		changes, err := tx.StateDiff(ctx, now, root)
		if err != nil {
			return err
		}
		byNID := map[int64]*stored{}
		for _, p := range h.branched {
			byNID[p.nid] = p.stored
		}
		if ev != nil {
			byNID[ev.nid] = ev
		}
		byNID[0] = nil
		var nids []int64
		for _, c := range changes {
			for _, nid := range [...]int64{c.Old, c.New} {
				if _, known := byNID[nid]; !known {
					byNID[nid] = nil
					nids = append(nids, nid)
				}
			}
		}
		for chunk := range slices.Chunk(nids, eventsPerQuery) {
			evs, err := readEvents(ctx, tx, h.rules, chunk)
			if err != nil {
				return err
			}
			for _, s := range evs {
				byNID[s.nid] = s
			}
		}
		for _, c := range changes {
			m := stateChange{old: byNID[c.Old], new: byNID[c.New]}
			if m.new != nil {
				m.key = m.new.Key()
			} else {
				m.key = m.old.Key()
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// applyDelta applies changes of the current state to a head.
func (h *head) applyDelta(moves []stateChange) {
	for _, m := range moves {
		h.state[m.key] = m.new
	}
}

// writeDelta writes the room's current state as it is from the event's position on,
// and the memberships that it changes.
func (r *Rooms) writeDelta(ctx context.Context, tx *storage.Writer, row *storage.Event, root string, moves []stateChange) error {
	if len(moves) == 0 {
		return nil
	}
	only := len(moves) == 1 && moves[0].madeBy(row)
	if err := tx.PutRoomState(ctx, row.RoomNID, row.Pos, root, !only); err != nil {
		return err
	}
	for _, m := range moves {
		if m.key.Type != event.TypeMember {
			continue
		}
		if err := r.writeMembership(ctx, tx, row.RoomNID, row.Pos, m); err != nil {
			return err
		}
	}
	return nil
}

// madeBy reports whether the change is made by the event itself.
func (m *stateChange) madeBy(row *storage.Event) bool { return m.new != nil && m.new.nid == row.NID }

// announceDelta writes the state changes that the event itself does not show to the log
// of changes.
func announceDelta(ctx context.Context, tx *storage.Writer, row *storage.Event, moves []stateChange) error {
	for _, m := range moves {
		if m.madeBy(row) {
			continue
		}
		change := storage.Change{Pos: row.Pos, Kind: string(feed.KindState), RoomNID: row.RoomNID}
		if m.new != nil {
			change.Ref = m.new.nid
		}
		if m.key.Type == event.TypeMember {
			change.UserID = m.key.Key
		}
		if err := tx.InsertChange(ctx, change); err != nil {
			return err
		}
	}
	return nil
}

// writeMembership updates the room's memberships. A membership's position is that of
// the event that began it; a change of profile does not change it. If state resolution
// leaves a user without a member event, the user has left.
func (r *Rooms) writeMembership(ctx context.Context, tx *storage.Writer, roomNID, pos int64, mv stateChange) error {
	user := id.UserID(mv.key.Key)
	m := &storage.Membership{
		RoomNID: roomNID, UserID: user, Membership: "leave", Pos: pos, Local: user.Server() == r.name,
	}
	if mv.new != nil {
		m.Membership, m.EventNID, m.Sender = mv.new.Membership(), mv.new.nid, mv.new.Sender
	} else {
		m.EventNID, m.Sender = mv.old.nid, mv.old.Sender
	}
	if mv.old == nil {
		return tx.PutMembership(ctx, m)
	}
	was, err := tx.Membership(ctx, roomNID, user)
	if err != nil {
		return err
	}
	if was.Membership == m.Membership {
		m.Pos = was.Pos
	}
	// A forgotten room stays forgotten unless the user returns: a ban after a leave
	// does not change it.
	m.Forgotten = was.Forgotten && (m.Membership == "leave" || m.Membership == "ban")
	return tx.PutMembership(ctx, m)
}
