// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// Queries for receiving events of other servers: the graph of auth events, extremities,
// and the events whose verdicts may change.

var (
	qAuthNIDs           = q("auth_nids", `SELECT nid, auth_nids FROM events WHERE nid = ANY($1)`)
	qInsertAuthEdge     = q("insert_auth_edge", `INSERT INTO auth_edges (auth_nid, event_nid) VALUES ($1, $2)`)
	qEventsAuthorisedBy = q("events_authorised_by", `SELECT e.nid, e.type, e.state_key FROM auth_edges a JOIN events e ON e.nid = a.event_nid
		WHERE a.auth_nid = $1 AND a.event_nid < $2 ORDER BY a.event_nid DESC LIMIT $3`)
	qDeleteForwardExtremity = q("delete_forward_extremity", `DELETE FROM forward_extremities WHERE room_nid = $1 AND event_nid = $2`)
	qHasSuccessors          = q("has_successors", `SELECT event_nid FROM backward_extremities WHERE room_nid = $1 AND event_id = $2 LIMIT 1`)
	qEventNIDsFrom          = q("event_nids_from", `SELECT nid FROM events WHERE room_nid = $1 AND nid >= $2 ORDER BY nid`)
	qInsertWaitingRedaction = q("insert_waiting_redaction", `INSERT INTO waiting_redactions (redacts, event_nid) VALUES ($1, $2)`)
	qDeleteWaitingRedaction = q("delete_waiting_redaction", `DELETE FROM waiting_redactions WHERE redacts = $1 AND event_nid = $2`)
	qWaitingRedactions      = q("waiting_redactions", `SELECT `+eventColumns+` FROM events
		WHERE nid IN (SELECT event_nid FROM waiting_redactions WHERE waiting_redactions.redacts = $1) ORDER BY nid`)
)

// InsertWaitingRedaction stores that a redaction waits for its target.
func (w *Writer) InsertWaitingRedaction(ctx context.Context, redacts id.EventID, eventNID int64) error {
	return w.enqueue(ctx, qInsertWaitingRedaction, redacts, eventNID)
}

// DeleteWaitingRedaction stores that a redaction no longer waits.
func (w *Writer) DeleteWaitingRedaction(ctx context.Context, redacts id.EventID, eventNID int64) error {
	return w.enqueue(ctx, qDeleteWaitingRedaction, redacts, eventNID)
}

// WaitingRedactions lists the redactions that wait for an event.
func (r *Reader) WaitingRedactions(ctx context.Context, redacts id.EventID) ([]*Event, error) {
	return r.events(ctx, qWaitingRedactions, redacts)
}

// AuthNIDs returns the auth events of events, by row. Rows that do not exist
// are missing.
func (r *Reader) AuthNIDs(ctx context.Context, nids []int64) (map[int64][]int64, error) {
	auth := make(map[int64][]int64, len(nids))
	err := r.rows(ctx, qAuthNIDs, []any{nids}, func(scan scanFunc) error {
		var nid int64
		var packed []byte
		if err := scan(&nid, &packed); err != nil {
			return err
		}
		var err error
		auth[nid], err = unpackNIDs(packed)
		return err
	})
	return auth, err
}

// InsertAuthEdge stores that an event is an auth event of a state event.
func (w *Writer) InsertAuthEdge(ctx context.Context, authNID, eventNID int64) error {
	return w.enqueue(ctx, qInsertAuthEdge, authNID, eventNID)
}

// A StateEntry is a state event by its key.
type StateEntry struct {
	StateKey
	NID int64
}

// EventsAuthorisedBy lists the state events that have an event as auth event, latest
// first, of those stored before a given one.
func (r *Reader) EventsAuthorisedBy(ctx context.Context, authNID, before int64, limit int) (list []StateEntry, err error) {
	err = r.rows(ctx, qEventsAuthorisedBy, []any{authNID, before, int64(limit)}, func(scan scanFunc) error {
		var e StateEntry
		var typ Text
		var key string
		err := scan(&e.NID, &typ, &key)
		e.StateKey = StateKey{Type: string(typ), Key: unescape(key)}
		list = append(list, e)
		return err
	})
	return list, err
}

// InsertForwardExtremity makes an event a forward extremity of its room.
func (w *Writer) InsertForwardExtremity(ctx context.Context, roomNID, eventNID int64) error {
	return w.enqueue(ctx, qInsertForwardExtremity, roomNID, eventNID)
}

// DeleteForwardExtremity makes an event no longer a forward extremity.
func (w *Writer) DeleteForwardExtremity(ctx context.Context, roomNID, eventNID int64) error {
	return w.enqueue(ctx, qDeleteForwardExtremity, roomNID, eventNID)
}

// HasSuccessors reports whether a stored event has a missing event as prev_event.
func (r *Reader) HasSuccessors(ctx context.Context, roomNID int64, missing id.EventID) (bool, error) {
	list, err := r.numbers(ctx, qHasSuccessors, roomNID, missing)
	return len(list) > 0, err
}

// EventNIDsFrom lists a room's events from one on, outliers and rejected ones too, in
// the order in which they were stored. It scans the room's index: do not call it for
// pages.
func (r *Reader) EventNIDsFrom(ctx context.Context, roomNID, nid int64) ([]int64, error) {
	return r.numbers(ctx, qEventNIDsFrom, roomNID, nid)
}
