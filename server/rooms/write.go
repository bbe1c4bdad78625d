// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"fmt"

	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// writeBatch writes plans one after the other: states and transaction ids, the room's
// row, if that is still as they were planned on, and for each event its row with its
// effects. The room's row and the plans' Also functions come before the positions are
// drawn: a transaction that waits for another process, or will conflict, must not delay
// the stream. followed are the extremities that the plans' events follow.
func (r *Rooms) writeBatch(ctx context.Context, tx *storage.Writer, room *storage.Room, followed []*stored, plans ...*Plan) error {
	var events []*Planned
	var rows []*storage.Event
	for _, p := range plans {
		for _, ev := range p.Events {
			row, err := r.writeState(ctx, tx, room, ev)
			if err != nil {
				return fmt.Errorf("write the state after event %s: %w", ev.ID, err)
			}
			events, rows = append(events, ev), append(rows, row)
		}
	}
	if err := tx.CommitRoom(ctx, room); err != nil {
		return err
	}
	for _, p := range plans {
		if err := p.writeExtra(ctx, tx); err != nil {
			return err
		}
	}
	positions, err := tx.ReservePositions(ctx, len(events))
	if err != nil {
		return err
	}
	for i, ev := range events {
		ev.pos, rows[i].Pos = positions[i], positions[i]
		if err := r.writeEvent(ctx, tx, ev, rows[i]); err != nil {
			return fmt.Errorf("write event %s: %w", ev.ID, err)
		}
	}
	return tx.ReplaceForwardExtremities(ctx, room.NID, numbers(followed), events[len(events)-1].nid)
}

func numbers(evs []*stored) []int64 {
	nids := make([]int64, len(evs))
	for i, s := range evs {
		nids[i] = s.nid
	}
	return nids
}

// writeState gives an event its number and writes the state after it, which
// becomes the room's, and the transaction id of its request.
func (r *Rooms) writeState(ctx context.Context, tx *storage.Writer, room *storage.Room, p *Planned) (row *storage.Event, err error) {
	if p.branch == nil || p.StateKey == nil { // else it has one: the state after it is resolved with others
		if p.nid, err = tx.NextID(ctx, "events"); err != nil {
			return nil, err
		}
	}
	row = &storage.Event{
		NID: p.nid, ID: p.ID, RoomNID: room.NID, Type: p.Type, StateKey: p.StateKey, Sender: p.Sender,
		Depth: p.depth, OriginServerTS: p.OriginServerTS, Redacts: p.Redacts(),
		PDU: p.PDU(), Client: p.SyncJSON(), StateBefore: room.StateRoot,
	}
	for _, a := range p.auth {
		row.AuthNIDs = append(row.AuthNIDs, a.nid)
	}
	if p.replaces != nil {
		row.ReplacesNID = p.replaces.nid
	}
	switch {
	case p.branch != nil:
		row.StateBefore, row.StateAfter = p.branch.before, p.branch.after
		row.Forked = row.StateBefore != room.StateRoot
		room.StateRoot = p.branch.root
		room.OutOfOrder = room.OutOfOrder || p.depth < room.MaxDepth
	case p.StateKey != nil:
		key := storage.StateKey{Type: p.Type, Key: *p.StateKey}
		if room.StateRoot, err = tx.StateApply(ctx, room.StateRoot, storage.StateSet{StateKey: key, NID: p.nid}); err != nil {
			return nil, err
		}
		row.StateAfter = room.StateRoot
	default:
		row.StateAfter = room.StateRoot
	}
	room.MaxDepth = max(room.MaxDepth, p.depth)
	if p.txn != nil {
		err = r.claim(ctx, tx, p)
	}
	return row, err
}

// insert stores a new event and, if it may be in a state, its auth edges.
func insert(ctx context.Context, tx *storage.Writer, row *storage.Event) error {
	if err := tx.InsertEvent(ctx, row); err != nil || row.StateKey == nil {
		return err
	}
	for _, auth := range row.AuthNIDs {
		if err := tx.InsertAuthEdge(ctx, auth, row.NID); err != nil {
			return err
		}
	}
	return nil
}

// writeEvent writes an event's row, what it redacts, what it changes of the room's
// state and members, for whom it is unread, and the changes that tell everybody.
func (r *Rooms) writeEvent(ctx context.Context, tx *storage.Writer, p *Planned, row *storage.Event) error {
	if p.redacts != nil {
		if err := r.writeRedacted(ctx, tx, row.RoomNID, p.redacts, p.nid); err != nil {
			return err
		}
	}
	if err := insert(ctx, tx, row); err != nil {
		return err
	}
	root := row.StateAfter
	if p.branch != nil { // resolution may have changed more than the event says
		root = p.branch.root
		if err := r.removeGuestsAfter(ctx, tx, row.RoomNID, p.delta); err != nil {
			return err
		}
	}
	if err := r.writeDelta(ctx, tx, row, root, p.delta); err != nil {
		return err
	}
	if err := r.announce(ctx, tx, row, p.unread); err != nil {
		return err
	}
	return announceDelta(ctx, tx, row, p.delta)
}

// announce writes what makes clients see an event at its position: for whom it
// is unread, and the change that wakes them. It comes before what else changes
// at that position.
func (r *Rooms) announce(ctx context.Context, tx *storage.Writer, row *storage.Event, u unread) error {
	if err := r.writeUnread(ctx, tx, u, row); err != nil {
		return err
	}
	// The sender of an event has read all events before it. Spec: client-server
	// "Receiving notifications".
	if err := tx.MarkRead(ctx, row.RoomNID, row.Sender, row.Pos); err != nil {
		return err
	}
	change := storage.Change{Pos: row.Pos, Kind: string(feed.KindEvent), RoomNID: row.RoomNID, Ref: row.NID}
	if row.Type == event.TypeMember && row.StateKey != nil {
		change.UserID = *row.StateKey
	}
	return tx.InsertChange(ctx, change)
}

// claim makes the client's transaction id stand for the event; the transaction
// fails with storage.ErrExists where it stands for another one already.
func (r *Rooms) claim(ctx context.Context, tx *storage.Writer, p *Planned) error {
	return tx.ClaimTxn(ctx, *p.txn, storage.TxnResult{EventNID: p.nid}, r.env.NowTS())
}
