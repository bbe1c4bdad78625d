// SPDX-License-Identifier: Apache-2.0

// Package receipts is how far users have read rooms: receipts, of which the public
// ones are for all members, and the fully read marker. Unread counts begin where
// the receipts are, and are counted elsewhere.
package receipts

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/env"
	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/server/rooms"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

var (
	_ clientapi.Receipts    = (*Receipts)(nil)
	_ clientapi.ReadMarkers = (*Receipts)(nil)
)

const (
	kindRead        = string(clientapi.ReceiptTypeRead)
	kindReadPrivate = string(clientapi.ReceiptTypeReadPrivate)
	kindFullyRead   = string(clientapi.ReceiptTypeFullyRead)
	// threadMain is the thread of events that are in none.
	threadMain = "main"
)

// Deps are what Receipts works with.
type Deps struct {
	DB   *storage.DB
	Feed *feed.Feed
	Env  *env.Env
}

// Receipts serves receipts and read markers.
type Receipts struct{ Deps }

// New returns the receipts of a server.
func New(d Deps) *Receipts { return &Receipts{d} }

// A mark is how far a user says to have read: up to and with an event.
type mark struct {
	kind   string
	event  id.EventID
	thread string // "": the whole room
}

// PostReceipt moves one of the caller's receipts.
//
// Spec: client-server postReceipt.
func (r *Receipts) PostReceipt(ctx context.Context, who api.Caller, req *clientapi.PostReceiptRequest) (*api.Empty, error) {
	m := mark{kind: string(req.ReceiptType), event: req.EventID}
	if given := req.Body.ThreadID; given != nil {
		err := json.Unmarshal(given, &m.thread)
		switch {
		case err != nil || string(given) == "null" || m.thread == "":
			return nil, api.InvalidParam("thread_id is not a non-empty string")
		case m.kind == kindFullyRead:
			return nil, api.InvalidParam("%s is of the whole room and has no thread_id", kindFullyRead)
		}
	}
	return r.move(ctx, who, req.RoomID, m)
}

// SetReadMarker moves the caller's fully read marker, and receipts with it.
//
// Spec: client-server setReadMarker.
func (r *Receipts) SetReadMarker(ctx context.Context, who api.Caller, req *clientapi.SetReadMarkerRequest) (*api.Empty, error) {
	var marks []mark
	for _, given := range []struct {
		kind  string
		event api.Opt[string]
	}{{kindFullyRead, req.Body.FullyRead}, {kindRead, req.Body.Read}, {kindReadPrivate, req.Body.ReadPrivate}} {
		if !given.event.Set {
			continue
		}
		eventID, err := id.ParseEventID(given.event.Value)
		if err != nil {
			return nil, api.InvalidParam("%s: %s", given.kind, err)
		}
		marks = append(marks, mark{kind: given.kind, event: eventID})
	}
	return r.move(ctx, who, req.RoomID, marks...)
}

// move moves marks forward: one that is further already stays.
func (r *Receipts) move(ctx context.Context, who api.Caller, room id.RoomID, marks ...mark) (*api.Empty, error) {
	var moves []*storage.Receipt
	err := r.DB.Read(ctx, func(tx *storage.Reader) error {
		nid, err := joined(ctx, tx, who.User, room)
		if err != nil {
			return err
		}
		moves = nil
		for _, m := range marks {
			move, err := find(ctx, tx, nid, who.User, m)
			if err != nil {
				return err
			}
			if move.TS = r.Env.NowTS(); move.Kind == kindFullyRead || !furtherAlready(ctx, tx, move) {
				moves = append(moves, move)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(moves) == 0 {
		return &api.Empty{}, nil
	}
	var pos int64
	err = r.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		pos, err = write(ctx, tx, moves)
		return err
	})
	if err == nil {
		err = r.Feed.WaitFor(ctx, pos)
	}
	if err != nil && !errors.Is(err, feed.ErrBehind) {
		return nil, fmt.Errorf("receipts of %s: %w", who.User, err)
	}
	return &api.Empty{}, nil
}

// joined is the row of a room that a user is in.
func joined(ctx context.Context, tx *storage.Reader, user id.UserID, room id.RoomID) (int64, error) {
	outside := api.Forbidden("You are not in room %s", room)
	row, err := tx.Room(ctx, room)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, outside
	}
	if err != nil {
		return 0, err
	}
	m, err := tx.Membership(ctx, row.NID, user)
	if errors.Is(err, storage.ErrNotFound) || err == nil && m.Membership != "join" {
		return 0, outside
	}
	return row.NID, err
}

// find turns a mark into a receipt, if its event is there for the user and in its
// thread.
//
// Spec: client-server "Threaded read receipts": roots are in the main timeline.
func find(ctx context.Context, tx *storage.Reader, nid int64, user id.UserID, m mark) (*storage.Receipt, error) {
	unknown := api.NotFound("There is no event %s in the room", m.event)
	e, err := tx.Event(ctx, m.event)
	if errors.Is(err, storage.ErrNotFound) || err == nil && (e.RoomNID != nid || e.Rejected || e.Outlier) {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	access, err := roomview.AccessOf(ctx, tx, nid, user)
	if err != nil {
		return nil, err
	}
	if sees, _, err := access.CanSee(ctx, e); err != nil {
		return nil, err
	} else if !sees {
		return nil, unknown
	}
	out := &storage.Receipt{
		RoomNID: nid, UserID: user, ThreadNID: storage.WholeRoom, Kind: m.kind, Thread: m.thread, EventID: m.event, EventPos: e.Pos,
	}
	if m.thread == "" {
		return out, nil
	}
	if out.ThreadNID, err = rooms.ThreadOf(ctx, tx, e); err != nil {
		return nil, err
	}
	of := threadMain
	if out.ThreadNID != 0 {
		ids, err := tx.EventIDs(ctx, []int64{out.ThreadNID})
		if err != nil {
			return nil, err
		}
		of = string(ids[out.ThreadNID])
	}
	if of != m.thread {
		return nil, api.InvalidParam("thread_id: event %s is in the thread %s", m.event, of)
	}
	return out, nil
}

// furtherAlready reports whether the user's receipt is there or beyond.
func furtherAlready(ctx context.Context, tx *storage.Reader, move *storage.Receipt) bool {
	is, err := tx.Receipt(ctx, move.RoomNID, move.UserID, move.ThreadNID, move.Kind)
	return err == nil && is.EventPos >= move.EventPos
}

// write moves receipts and tells of them, at one position; 0 if nothing moves.
func write(ctx context.Context, tx *storage.Writer, moves []*storage.Receipt) (pos int64, err error) {
	var moved []*storage.Receipt
	for _, m := range moves {
		if m.Kind == kindFullyRead {
			if forward, err := marksForward(ctx, tx, m); err != nil {
				return 0, err
			} else if !forward {
				continue
			}
		}
		moved = append(moved, m)
	}
	if len(moved) == 0 {
		return 0, nil
	}
	if pos, err = tx.ReservePosition(ctx); err != nil {
		return 0, err
	}
	for _, m := range moved {
		m.Pos = pos
		if err := put(ctx, tx, m); err != nil {
			return 0, err
		}
	}
	return pos, nil
}

// put writes one receipt, or the fully read marker.
func put(ctx context.Context, tx *storage.Writer, m *storage.Receipt) (err error) {
	c := storage.Change{Pos: m.Pos, RoomNID: m.RoomNID, UserID: string(m.UserID)}
	switch m.Kind {
	case kindFullyRead:
		c.Kind = string(feed.KindAccountData)
		content := append(api.AppendString([]byte(`{"event_id":`), m.EventID), '}')
		err = tx.PutAccountData(ctx, &storage.AccountData{
			UserID: m.UserID, RoomNID: m.RoomNID, Type: kindFullyRead, Content: content, Pos: m.Pos,
		})
	case kindReadPrivate:
		c.Kind = string(feed.KindPrivateReceipt)
		err = tx.PutReceipt(ctx, m)
	default:
		c.Kind = string(feed.KindReceipt)
		err = tx.PutReceipt(ctx, m)
	}
	if err == nil && m.Kind != kindFullyRead && m.ThreadNID == storage.WholeRoom {
		err = tx.MarkRead(ctx, m.RoomNID, m.UserID, m.EventPos)
	}
	if err != nil {
		return err
	}
	return tx.InsertChange(ctx, c)
}

// marksForward reports whether the fully read marker moves forward, and keeps
// others from moving it meanwhile.
func marksForward(ctx context.Context, tx *storage.Writer, m *storage.Receipt) (bool, error) {
	d, err := tx.LockAccountData(ctx, m.UserID, m.RoomNID, kindFullyRead)
	if err != nil {
		return false, err
	}
	is, _ := event.Text(event.Member(d.Content, "event_id"))
	if is == "" {
		return true, nil
	}
	e, err := tx.Event(ctx, id.EventID(is))
	if errors.Is(err, storage.ErrNotFound) {
		return true, nil
	}
	return err == nil && e.Pos < m.EventPos, err
}
