// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// A Room is a row of rooms.
type Room struct {
	NID            int64
	ID             id.RoomID
	RoomVersion    string
	Version        int64  // incremented by each commit; CommitRoom compares it
	StateRoot      string // root of the current state; "" if not known
	MaxDepth       int64
	Public         bool
	Partial        bool
	OutOfOrder     bool  // some event came with a lower topological position than an earlier arrival
	ReevaluateFrom int64 // re-check rejections from this event on; 0: nothing to re-check
	CreatedAt      int64 // milliseconds
}

const roomColumns = `nid, room_id, room_version, version, state_root, max_depth, public, partial, out_of_order, reevaluate_from, created_at`

func (room *Room) scan(scan scanFunc) error {
	return scan(&room.NID, &room.ID, &room.RoomVersion, &room.Version, &room.StateRoot, &room.MaxDepth,
		&room.Public, &room.Partial, &room.OutOfOrder, &room.ReevaluateFrom, &room.CreatedAt)
}

var (
	qInsertRoom = q("insert_room", `INSERT INTO rooms (`+roomColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`)
	qRoom       = q("room", `SELECT `+roomColumns+` FROM rooms WHERE room_id = $1`)
	qRoomsByNID = q("rooms_by_nid", `SELECT `+roomColumns+` FROM rooms WHERE nid = ANY($1) ORDER BY nid`)
	qCommitRoom = q("commit_room", `UPDATE rooms SET version = version + 1, state_root = $3, max_depth = $4, partial = $5, reevaluate_from = $6, out_of_order = $7
		WHERE nid = $1 AND version = $2`)
	qPutRoomPublic = q("put_room_public", `UPDATE rooms SET public = $2 WHERE nid = $1`)
	qPublicRooms   = q("public_rooms", `SELECT nid FROM rooms WHERE public ORDER BY nid`)

	qForwardExtremities       = q("forward_extremities", `SELECT event_nid FROM forward_extremities WHERE room_nid = $1 ORDER BY event_nid`)
	qInsertForwardExtremity   = q("insert_forward_extremity", `INSERT INTO forward_extremities (room_nid, event_nid) VALUES ($1, $2)`)
	qReplaceForwardExtremity  = q("replace_forward_extremity", `UPDATE forward_extremities SET event_nid = $3 WHERE room_nid = $1 AND event_nid = $2`)
	qDeleteForwardExtremities = q("delete_forward_extremities", `DELETE FROM forward_extremities WHERE room_nid = $1 AND event_nid = ANY($2)`)
	qInsertBackwardExtremity  = q("insert_backward_extremity", `INSERT INTO backward_extremities (room_nid, event_id, event_nid) VALUES ($1, $2, $3)
		ON CONFLICT (room_nid, event_id, event_nid) DO NOTHING`)
	qDeleteBackwardExtremity = q("delete_backward_extremity", `DELETE FROM backward_extremities WHERE room_nid = $1 AND event_id = $2`)

	qInsertAlias = q("insert_alias", `INSERT INTO room_aliases (alias, room_nid, creator, created_at) VALUES ($1, $2, $3, $4)`)
	qAlias       = q("alias", `SELECT room_nid, creator, created_at FROM room_aliases WHERE alias = $1`)
	qAliases     = q("aliases", `SELECT alias FROM room_aliases WHERE room_nid = $1 ORDER BY alias`)
	qDeleteAlias = q("delete_alias", `DELETE FROM room_aliases WHERE alias = $1`)
	qAliasRooms  = q("alias_rooms", `SELECT alias, room_nid FROM room_aliases WHERE alias = ANY($1) ORDER BY alias`)
	qRoomNIDs    = q("room_nids", `SELECT room_id, nid FROM rooms WHERE room_id = ANY($1) ORDER BY nid`)
	qRoomIDs     = q("room_ids", `SELECT nid, room_id FROM rooms WHERE nid = ANY($1) ORDER BY nid`)
)

// InsertRoom makes a room. ErrExists when there is one with that id.
func (w *Writer) InsertRoom(ctx context.Context, room *Room) error {
	_, err := w.exec(ctx, qInsertRoom, room.NID, room.ID, room.RoomVersion, room.Version, room.StateRoot, room.MaxDepth,
		room.Public, room.Partial, room.OutOfOrder, room.ReevaluateFrom, room.CreatedAt)
	return err
}

// Room returns one room by id.
func (r *Reader) Room(ctx context.Context, roomID id.RoomID) (*Room, error) {
	var room Room
	err := room.scan(func(dst ...any) error { return r.row(ctx, qRoom, []any{roomID}, dst...) })
	if err != nil {
		return nil, err
	}
	return &room, nil
}

// RoomByNID returns one room by its number.
func (r *Reader) RoomByNID(ctx context.Context, nid int64) (*Room, error) {
	rooms, err := r.RoomsByNID(ctx, []int64{nid})
	if err != nil {
		return nil, err
	}
	if rooms[nid] == nil {
		return nil, ErrNotFound
	}
	return rooms[nid], nil
}

// RoomsByNID returns those rooms that exist, by number.
func (r *Reader) RoomsByNID(ctx context.Context, nids []int64) (map[int64]*Room, error) {
	rooms := make(map[int64]*Room, len(nids))
	err := r.rows(ctx, qRoomsByNID, []any{nids}, func(scan scanFunc) error {
		var room Room
		if err := room.scan(scan); err != nil {
			return err
		}
		rooms[room.NID] = &room
		return nil
	})
	return rooms, err
}

// CommitRoom updates a room's row and increments its version. If another transaction
// has committed to the room since it was read, this one fails with ErrConflict, perhaps
// only with a later statement or the commit.
func (w *Writer) CommitRoom(ctx context.Context, room *Room) error {
	return w.enqueueMust(ctx, qCommitRoom, ErrConflict,
		room.NID, room.Version, room.StateRoot, room.MaxDepth, room.Partial, room.ReevaluateFrom, room.OutOfOrder)
}

// RoomIDs translates room numbers.
func (r *Reader) RoomIDs(ctx context.Context, nids []int64) (map[int64]id.RoomID, error) {
	ids := make(map[int64]id.RoomID, len(nids))
	err := r.rows(ctx, qRoomIDs, []any{nids}, func(scan scanFunc) error {
		var nid int64
		var roomID id.RoomID
		if err := scan(&nid, &roomID); err != nil {
			return err
		}
		ids[nid] = roomID
		return nil
	})
	return ids, err
}

// RoomNIDs returns the numbers of those rooms that exist, by id.
func (r *Reader) RoomNIDs(ctx context.Context, ids []id.RoomID) (map[id.RoomID]int64, error) {
	nids := make(map[id.RoomID]int64, len(ids))
	err := r.rows(ctx, qRoomNIDs, []any{ids}, func(scan scanFunc) error {
		var roomID id.RoomID
		var nid int64
		err := scan(&roomID, &nid)
		nids[roomID] = nid
		return err
	})
	return nids, err
}

// PutRoomPublic puts a room into the published directory or takes it out.
func (w *Writer) PutRoomPublic(ctx context.Context, roomNID int64, public bool) error {
	return w.enqueue(ctx, qPutRoomPublic, roomNID, public)
}

// PublicRooms lists the published directory.
func (r *Reader) PublicRooms(ctx context.Context) ([]int64, error) {
	return r.numbers(ctx, qPublicRooms)
}

// ForwardExtremities lists the events that will be prev_events of the room's next
// event.
func (r *Reader) ForwardExtremities(ctx context.Context, roomNID int64) ([]int64, error) {
	return r.numbers(ctx, qForwardExtremities, roomNID)
}

// ReplaceForwardExtremities makes an event the forward extremity in place of its
// prev_events.
func (w *Writer) ReplaceForwardExtremities(ctx context.Context, roomNID int64, followed []int64, by int64) error {
	if len(followed) == 1 { // nearly always
		return w.enqueue(ctx, qReplaceForwardExtremity, roomNID, followed[0], by)
	}
	if len(followed) > 0 {
		if err := w.enqueue(ctx, qDeleteForwardExtremities, roomNID, followed); err != nil {
			return err
		}
	}
	return w.enqueue(ctx, qInsertForwardExtremity, roomNID, by)
}

// InsertBackwardExtremity stores that a stored event has a missing event as prev_event.
func (w *Writer) InsertBackwardExtremity(ctx context.Context, roomNID int64, missing id.EventID, eventNID int64) error {
	return w.enqueue(ctx, qInsertBackwardExtremity, roomNID, missing, eventNID)
}

// DeleteBackwardExtremity stores that a missing event has arrived. It reports whether a
// stored event has it as prev_event, so that it is no forward extremity.
func (w *Writer) DeleteBackwardExtremity(ctx context.Context, roomNID int64, arrived id.EventID) (followed bool, err error) {
	n, err := w.exec(ctx, qDeleteBackwardExtremity, roomNID, arrived)
	return n > 0, err
}

// An Alias is a local alias of a room.
type Alias struct {
	Alias     id.RoomAlias
	RoomNID   int64
	Creator   id.UserID
	CreatedAt int64 // milliseconds
}

// InsertAlias makes an alias. ErrExists when it is taken.
func (w *Writer) InsertAlias(ctx context.Context, a Alias) error {
	_, err := w.exec(ctx, qInsertAlias, a.Alias, a.RoomNID, a.Creator, a.CreatedAt)
	return err
}

// Alias returns one alias.
func (r *Reader) Alias(ctx context.Context, alias id.RoomAlias) (*Alias, error) {
	a := Alias{Alias: alias}
	if err := r.row(ctx, qAlias, []any{alias}, &a.RoomNID, &a.Creator, &a.CreatedAt); err != nil {
		return nil, err
	}
	return &a, nil
}

// AliasRooms returns the rooms to which those of several aliases lead that exist.
func (r *Reader) AliasRooms(ctx context.Context, aliases []id.RoomAlias) (map[id.RoomAlias]int64, error) {
	rooms := make(map[id.RoomAlias]int64, len(aliases))
	err := r.rows(ctx, qAliasRooms, []any{aliases}, func(scan scanFunc) error {
		var alias Text
		var nid int64
		err := scan(&alias, &nid)
		rooms[id.RoomAlias(alias)] = nid
		return err
	})
	return rooms, err
}

// Aliases lists the local aliases of a room.
func (r *Reader) Aliases(ctx context.Context, roomNID int64) (list []id.RoomAlias, err error) {
	err = r.rows(ctx, qAliases, []any{roomNID}, func(scan scanFunc) error {
		var alias id.RoomAlias
		if err := scan(&alias); err != nil {
			return err
		}
		list = append(list, alias)
		return nil
	})
	return list, err
}

// DeleteAlias removes an alias. ErrNotFound when there is none.
func (w *Writer) DeleteAlias(ctx context.Context, alias id.RoomAlias) error {
	return w.execOne(ctx, qDeleteAlias, alias)
}
