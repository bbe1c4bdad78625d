// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"encoding/binary"
	"fmt"

	"touchstone.example/api/id"
)

// An Event is a row of events. Its bytes and header never change; the fields from
// Rejected on are verdicts and may change. Queries for clients leave out Redacts,
// AuthNIDs, PDU, SoftFailed, Partial and StateAfter.
type Event struct {
	NID            int64
	ID             id.EventID
	RoomNID        int64
	Type           string
	StateKey       *string
	Sender         id.UserID
	Depth          int64 // clamped; with NID, the topological position
	Pos            int64 // stream position of its stream position of its stream position of its arrival; 0 for outliers and backfill
	OriginServerTS int64
	Redacts        id.EventID // "" if it redacts nothing
	ReplacesNID    int64      // the state event that it replaced, 0 for none
	AuthNIDs       []int64
	PDU            []byte
	Client         []byte // client form without room_id and unsigned

	Rejected    bool
	SoftFailed  bool
	Outlier     bool
	Partial     bool
	Forked      bool  // on arrival, the state before it was not the room's current state
	RedactedBy  int64 // NID of the redaction that applies, 0 for none
	StateBefore string
	StateAfter  string
}

// A TopoPos is a topological position: a point in a room's order of events. The zero
// TopoPos is before all events.
type TopoPos struct{ Depth, NID int64 }

// TopoPos is the event's position in its room's order.
func (e *Event) TopoPos() TopoPos { return TopoPos{e.Depth, e.NID} }

const eventColumns = `nid, event_id, room_nid, type, state_key, sender, depth, pos, origin_server_ts, redacts, replaces_nid, auth_nids,
	pdu, client, rejected, soft_failed, outlier, partial, forked, redacted_by, state_before, state_after`

// viewColumns are the columns needed to show an event to a client.
const viewColumns = `nid, event_id, room_nid, type, state_key, sender, depth, pos, origin_server_ts, replaces_nid,
	client, rejected, outlier, forked, redacted_by, state_before`

func (e *Event) scanView(scan scanFunc) error {
	var typ, sender Text
	var stateKey *string
	var pos *int64
	err := scan(&e.NID, &e.ID, &e.RoomNID, &typ, &stateKey, &sender, &e.Depth, &pos, &e.OriginServerTS, &e.ReplacesNID,
		&e.Client, &e.Rejected, &e.Outlier, &e.Forked, &e.RedactedBy, &e.StateBefore)
	e.texts(typ, sender, stateKey, pos)
	return err
}

func (e *Event) texts(typ, sender Text, stateKey *string, pos *int64) {
	e.Type, e.Sender = string(typ), id.UserID(sender)
	if stateKey != nil {
		key := unescape(*stateKey)
		e.StateKey = &key
	}
	if pos != nil {
		e.Pos = *pos
	}
}

func (e *Event) scan(scan scanFunc) error {
	var typ, sender Text
	var stateKey *string
	var pos *int64
	var auth []byte
	err := scan(&e.NID, &e.ID, &e.RoomNID, &typ, &stateKey, &sender, &e.Depth, &pos, &e.OriginServerTS, &e.Redacts, &e.ReplacesNID, &auth,
		&e.PDU, &e.Client, &e.Rejected, &e.SoftFailed, &e.Outlier, &e.Partial, &e.Forked, &e.RedactedBy, &e.StateBefore, &e.StateAfter)
	if err != nil {
		return err
	}
	e.texts(typ, sender, stateKey, pos)
	e.AuthNIDs, err = unpackNIDs(auth)
	return err
}

var (
	qInsertEvent = q("insert_event", `INSERT INTO events (`+eventColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`)
	qEvent       = q("event", `SELECT `+eventColumns+` FROM events WHERE event_id = $1`)
	qEventsByNID = q("events_by_nid", `SELECT `+eventColumns+` FROM events WHERE nid = ANY($1) ORDER BY nid`)
	qViewsByNID  = q("views_by_nid", `SELECT `+viewColumns+` FROM events WHERE nid = ANY($1) ORDER BY nid`)
	qEventsByID  = q("events_by_id", `SELECT `+eventColumns+` FROM events WHERE event_id = ANY($1) ORDER BY nid`)
	qEventIDs    = q("event_ids", `SELECT nid, event_id FROM events WHERE nid = ANY($1) ORDER BY nid`)

	qTimelineByNID  = q("timeline_by_nid", `SELECT `+viewColumns+` FROM events WHERE nid = ANY($1) AND NOT rejected AND NOT soft_failed ORDER BY nid`)
	qTimelineNewest = q("timeline_newest", `SELECT `+viewColumns+` FROM events
		WHERE room_nid = $1 AND pos > $2 AND pos <= $3 AND NOT rejected AND NOT soft_failed ORDER BY pos DESC LIMIT $4`)
	qPageBack = q("page_back", `SELECT `+viewColumns+` FROM events
		WHERE room_nid = $1 AND (depth, nid) < ($2, $3) AND COALESCE(pos, 0) <= $4
			AND NOT outlier AND NOT rejected AND NOT soft_failed ORDER BY depth DESC, nid DESC LIMIT $5`)
	qPageForward = q("page_forward", `SELECT `+viewColumns+` FROM events
		WHERE room_nid = $1 AND (depth, nid) > ($2, $3) AND COALESCE(pos, 0) <= $4
			AND NOT outlier AND NOT rejected AND NOT soft_failed ORDER BY depth, nid LIMIT $5`)
	qLastTopoPosAt = q("last_topo_pos_at", `SELECT depth, nid FROM events
		WHERE room_nid = $1 AND +pos <= $2 ORDER BY depth DESC, nid DESC LIMIT 1`)  // + : use the topological index, not that by position
	qTopoPosAt = q("topo_pos_at", `SELECT e.depth, e.nid, r.out_of_order FROM rooms r CROSS JOIN events e
		WHERE r.nid = $1 AND e.room_nid = r.nid AND e.pos <= $2 AND NOT e.rejected AND NOT e.soft_failed ORDER BY e.pos DESC LIMIT 1`)
	qMemberEvents = q("member_events", `SELECT `+viewColumns+` FROM events
		WHERE room_nid = $1 AND state_key = $2 AND type = 'm.room.member' AND NOT rejected AND NOT outlier ORDER BY depth, nid`)

	qPutRedaction = q("put_redaction", `UPDATE events SET redacted_by = $2, client = $3 WHERE nid = $1`)
	qPutVerdict   = q("put_verdict", putVerdict)
	qPutOutlier   = q("put_outlier", putVerdict+` AND outlier`)
)

const putVerdict = `UPDATE events SET rejected = $2, soft_failed = $3, outlier = $4, partial = $5,
	state_before = $6, state_after = $7, pos = $8, depth = $9, replaces_nid = $10, forked = $11 WHERE nid = $1`

// InsertEvent stores a new event. ErrExists if there is one with that ID. The error may
// come from a later call, since statements are sent together.
func (w *Writer) InsertEvent(ctx context.Context, e *Event) error {
	return w.enqueue(ctx, qInsertEvent, e.NID, e.ID, e.RoomNID, e.Type, e.StateKey, e.Sender, e.Depth, nullable(e.Pos),
		e.OriginServerTS, e.Redacts, e.ReplacesNID, packNIDs(e.AuthNIDs), e.PDU, e.Client, e.Rejected, e.SoftFailed, e.Outlier, e.Partial, e.Forked,
		e.RedactedBy, e.StateBefore, e.StateAfter)
}

// nullable returns NULL for 0.
func nullable(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// Event returns one event by id.
func (r *Reader) Event(ctx context.Context, eventID id.EventID) (*Event, error) {
	var e Event
	err := e.scan(func(dst ...any) error { return r.row(ctx, qEvent, []any{eventID}, dst...) })
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// EventsByNID returns those events that exist, in order of their numbers.
func (r *Reader) EventsByNID(ctx context.Context, nids []int64) ([]*Event, error) {
	return r.events(ctx, qEventsByNID, nids)
}

// ViewsByNID is EventsByNID with only the columns needed to show the events to clients.
func (r *Reader) ViewsByNID(ctx context.Context, nids []int64) ([]*Event, error) {
	return r.views(ctx, qViewsByNID, nids)
}

// TimelineByNID is ViewsByNID without rejected and soft-failed events.
func (r *Reader) TimelineByNID(ctx context.Context, nids []int64) ([]*Event, error) {
	return r.views(ctx, qTimelineByNID, nids)
}

// EventsByID returns those events that exist, in order of their numbers.
func (r *Reader) EventsByID(ctx context.Context, ids []id.EventID) ([]*Event, error) {
	return r.events(ctx, qEventsByID, ids)
}

func (r *Reader) events(ctx context.Context, q *query, args ...any) (list []*Event, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		e := new(Event)
		list = append(list, e)
		return e.scan(scan)
	})
	return list, err
}

func (r *Reader) views(ctx context.Context, q *query, args ...any) (list []*Event, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		e := new(Event)
		list = append(list, e)
		return e.scanView(scan)
	})
	return list, err
}

// EventIDs translates event numbers.
func (r *Reader) EventIDs(ctx context.Context, nids []int64) (map[int64]id.EventID, error) {
	ids := make(map[int64]id.EventID, len(nids))
	err := r.rows(ctx, qEventIDs, []any{nids}, func(scan scanFunc) error {
		var eventID id.EventID
		var nid int64
		err := scan(&nid, &eventID)
		ids[nid] = eventID
		return err
	})
	return ids, err
}

// Timeline returns the last events that arrived in (after, upTo], newest first, as
// /sync shows a room. Rejected and soft-failed ones are left out.
func (r *Reader) Timeline(ctx context.Context, roomNID, after, upTo int64, limit int) ([]*Event, error) {
	return r.views(ctx, qTimelineNewest, roomNID, after, upTo, int64(limit))
}

// PageBack returns events before a topological position, latest first, of those that
// had arrived by a stream position. It serves /messages with dir=b.
func (r *Reader) PageBack(ctx context.Context, roomNID int64, before TopoPos, upTo int64, limit int) ([]*Event, error) {
	return r.views(ctx, qPageBack, roomNID, before.Depth, before.NID, upTo, int64(limit))
}

// PageForward returns events after a topological position, earliest first, of those
// that had arrived by a stream position.
func (r *Reader) PageForward(ctx context.Context, roomNID int64, after TopoPos, upTo int64, limit int) ([]*Event, error) {
	return r.views(ctx, qPageForward, roomNID, after.Depth, after.NID, upTo, int64(limit))
}

// TopoPosAt returns the highest topological position of the events that had arrived by
// a stream position, ErrNotFound if none had. That is the newest event's, except in a
// room with events out of order, where it is searched for from the room's end.
func (r *Reader) TopoPosAt(ctx context.Context, roomNID, pos int64) (p TopoPos, err error) {
	var outOfOrder bool
	err = r.row(ctx, qTopoPosAt, []any{roomNID, pos}, &p.Depth, &p.NID, &outOfOrder)
	if err == nil && outOfOrder {
		err = r.row(ctx, qLastTopoPosAt, []any{roomNID, pos}, &p.Depth, &p.NID)
	}
	return p, err
}

// MemberEvents lists a user's membership events in a room, in topological order.
func (r *Reader) MemberEvents(ctx context.Context, roomNID int64, userID id.UserID) ([]*Event, error) {
	return r.views(ctx, qMemberEvents, roomNID, userID)
}

// PutRedaction applies a redaction: clients see the event's redacted form.
func (w *Writer) PutRedaction(ctx context.Context, eventNID, redactionNID int64, client []byte) error {
	return w.enqueue(ctx, qPutRedaction, eventNID, redactionNID, client)
}

// PutVerdict stores an event's verdicts: its fields Rejected, SoftFailed, Outlier,
// Partial, Forked, StateBefore, StateAfter and ReplacesNID, and for an outlier that
// becomes part of the room, Pos and Depth.
func (w *Writer) PutVerdict(ctx context.Context, e *Event) error {
	return w.enqueue(ctx, qPutVerdict, e.verdict()...)
}

// PutOutlier is PutVerdict for an outlier. It reports whether the event still was one;
// if not, nothing is stored.
func (w *Writer) PutOutlier(ctx context.Context, e *Event) (still bool, err error) {
	n, err := w.exec(ctx, qPutOutlier, e.verdict()...)
	return n > 0, err
}

func (e *Event) verdict() []any {
	return []any{
		e.NID, e.Rejected, e.SoftFailed, e.Outlier, e.Partial, e.StateBefore, e.StateAfter, nullable(e.Pos), e.Depth, e.ReplacesNID, e.Forked,
	}
}

// packNIDs encodes row numbers into one column. Auth events are read with their event
// and never searched for, so they need no rows of their own.
func packNIDs(nids []int64) []byte {
	b := make([]byte, 0, 3*len(nids))
	for _, nid := range nids {
		b = binary.AppendUvarint(b, uint64(nid))
	}
	return b
}

func unpackNIDs(b []byte) (nids []int64, err error) {
	for len(b) > 0 {
		nid, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("packed row numbers end early")
		}
		nids, b = append(nids, int64(nid)), b[n:]
	}
	return nids, nil
}
