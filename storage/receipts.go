// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// WholeRoom is the thread of a receipt that is of no thread.
const WholeRoom = -1

// A Receipt is a row of receipts: how far a user has read a room, or a thread.
type Receipt struct {
	RoomNID   int64
	UserID    id.UserID
	ThreadNID int64 // the thread's root event; 0 for the main timeline, or WholeRoom
	Kind      string
	Thread    string // what clients call the thread, "" for the whole room
	EventID   id.EventID
	EventPos  int64
	TS        int64
	Pos       int64
}

const receiptColumns = `room_nid, user_id, thread_nid, kind, thread, event_id, event_pos, ts, pos`

var (
	qPutReceipt = q("put_receipt", `INSERT INTO receipts (`+receiptColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (room_nid, user_id, thread_nid, kind) DO UPDATE SET thread = excluded.thread, event_id = excluded.event_id,
			event_pos = excluded.event_pos, ts = excluded.ts, pos = excluded.pos
		WHERE receipts.event_pos < excluded.event_pos`)
	qReceipt = q("receipt", `SELECT `+receiptColumns+` FROM receipts
		WHERE room_nid = $1 AND user_id = $2 AND thread_nid = $3 AND kind = $4`)
	qReceiptsIn = q("receipts_in", `SELECT `+receiptColumns+` FROM receipts
		WHERE room_nid = ANY($1) AND pos > $2 AND pos <= $3 AND kind = $4 AND user_id <> $5 ORDER BY room_nid, pos, user_id`)
	qReceiptsOf = q("receipts_of", `SELECT `+receiptColumns+` FROM receipts
		WHERE user_id = $1 AND pos > $2 AND pos <= $3 ORDER BY room_nid, pos`)
)

func (c *Receipt) scan(scan scanFunc) error {
	var userID, kind, thread, eventID Text
	err := scan(&c.RoomNID, &userID, &c.ThreadNID, &kind, &thread, &eventID, &c.EventPos, &c.TS, &c.Pos)
	c.UserID, c.Kind, c.Thread, c.EventID = id.UserID(userID), string(kind), string(thread), id.EventID(eventID)
	return err
}

// PutReceipt moves a receipt forward: one that is further stays as it is.
func (w *Writer) PutReceipt(ctx context.Context, c *Receipt) error {
	return w.enqueue(ctx, qPutReceipt, c.RoomNID, c.UserID, c.ThreadNID, c.Kind, c.Thread, c.EventID, c.EventPos, c.TS, c.Pos)
}

// Receipt returns one receipt, ErrNotFound where the user has sent none.
func (r *Reader) Receipt(ctx context.Context, roomNID int64, userID id.UserID, threadNID int64, kind string) (*Receipt, error) {
	c := &Receipt{}
	err := c.scan(func(dst ...any) error { return r.row(ctx, qReceipt, []any{roomNID, userID, threadNID, kind}, dst...) })
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ReceiptsIn lists the receipts of a kind that moved in (after, upTo] in some rooms,
// but for those of one user.
func (r *Reader) ReceiptsIn(ctx context.Context, roomNIDs []int64, kind string, but id.UserID, after, upTo int64) ([]*Receipt, error) {
	return r.receipts(ctx, qReceiptsIn, roomNIDs, after, upTo, kind, but)
}

// ReceiptsOf lists a user's receipts of all kinds and rooms that moved in (after, upTo].
func (r *Reader) ReceiptsOf(ctx context.Context, userID id.UserID, after, upTo int64) ([]*Receipt, error) {
	return r.receipts(ctx, qReceiptsOf, userID, after, upTo)
}

func (r *Reader) receipts(ctx context.Context, q *query, args ...any) (list []*Receipt, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		c := &Receipt{}
		list = append(list, c)
		return c.scan(scan)
	})
	return list, err
}
