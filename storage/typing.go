// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"

	"touchstone.example/api/id"
)

// A Typing is a row of typing: that a user types in a room, or has typed.
type Typing struct {
	RoomNID int64
	UserID  id.UserID
	Until   int64 // milliseconds; 0: the user has stopped
	Pos     int64 // where the user began or stopped
}

var (
	qPutTyping = q("put_typing", `INSERT INTO typing (room_nid, user_id, until, pos) VALUES ($1, $2, $3, $4)
		ON CONFLICT (room_nid, user_id) DO UPDATE SET until = excluded.until, pos = excluded.pos`)
	qExtendTyping = q("extend_typing", `UPDATE typing SET until = $3 WHERE room_nid = $1 AND user_id = $2 AND until > $4`)
	qEndTyping    = q("end_typing", `UPDATE typing SET until = 0 WHERE room_nid = $1 AND user_id = $2 AND NOT (until = 0 OR until > $3)`)
	qTyping       = q("typing", `SELECT room_nid, user_id, until, pos FROM typing WHERE room_nid = $1 AND user_id = $2`)
	qTypingSince  = q("typing_since", `SELECT room_nid, user_id, until, pos FROM typing
		WHERE room_nid = ANY($1) AND pos > $2 AND pos <= $3 ORDER BY room_nid, pos`)
	// The membership is an expression so that no index but the primary key is used.
	qTypingIn = q("typing_in", `SELECT t.room_nid, t.user_id, t.until, t.pos FROM typing t
		WHERE t.room_nid = ANY($1) AND t.until > 0 AND t.until > $2 AND EXISTS (SELECT 1 FROM memberships m
			WHERE m.room_nid = t.room_nid AND m.user_id = t.user_id AND m.membership || '' = 'join') ORDER BY t.room_nid, t.until`)
	qTypingUntil = q("typing_until", `SELECT room_nid, user_id, until, pos FROM typing
		WHERE until > 0 AND until <= $1 ORDER BY until LIMIT $2`)
	qNextTyping = q("next_typing", `SELECT until FROM typing WHERE until > 0 ORDER BY until LIMIT 1`)
)

// PutTyping notes that a user has begun or stopped.
func (w *Writer) PutTyping(ctx context.Context, t *Typing) error {
	return w.enqueue(ctx, qPutTyping, t.RoomNID, t.UserID, t.Until, t.Pos)
}

// ExtendTyping has a user who is still typing go on. ErrNotFound: the user is not.
func (w *Writer) ExtendTyping(ctx context.Context, roomNID int64, userID id.UserID, until, now int64) error {
	return w.execOne(ctx, qExtendTyping, roomNID, userID, until, now)
}

// EndTyping takes it upon the caller to tell that a user has stopped by some time.
// ErrNotFound: the user goes on, or somebody else tells.
func (w *Writer) EndTyping(ctx context.Context, roomNID int64, userID id.UserID, by int64) error {
	return w.execOne(ctx, qEndTyping, roomNID, userID, by)
}

// Typing returns what a user does in a room, ErrNotFound for nothing ever.
func (r *Reader) Typing(ctx context.Context, roomNID int64, userID id.UserID) (*Typing, error) {
	t := &Typing{}
	err := t.scan(func(dst ...any) error { return r.row(ctx, qTyping, []any{roomNID, userID}, dst...) })
	if err != nil {
		return nil, err
	}
	return t, nil
}

// TypingSince lists who began or stopped in (after, upTo] in some rooms.
func (r *Reader) TypingSince(ctx context.Context, roomNIDs []int64, after, upTo int64) ([]*Typing, error) {
	return r.typing(ctx, qTypingSince, roomNIDs, after, upTo)
}

// TypingIn lists the members of some rooms who are typing.
func (r *Reader) TypingIn(ctx context.Context, roomNIDs []int64, now int64) ([]*Typing, error) {
	return r.typing(ctx, qTypingIn, roomNIDs, now)
}

// TypingUntil lists those whose typing ends at a time or before, the earliest
// first.
func (r *Reader) TypingUntil(ctx context.Context, until int64, limit int) ([]*Typing, error) {
	return r.typing(ctx, qTypingUntil, until, int64(limit))
}

// NextTyping is when somebody's typing ends next, 0 for never.
func (r *Reader) NextTyping(ctx context.Context) (until int64, err error) {
	err = r.row(ctx, qNextTyping, nil, &until)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return until, err
}

func (r *Reader) typing(ctx context.Context, q *query, args ...any) (list []*Typing, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		t := &Typing{}
		list = append(list, t)
		return t.scan(scan)
	})
	return list, err
}

func (t *Typing) scan(scan scanFunc) error {
	var userID Text
	err := scan(&t.RoomNID, &userID, &t.Until, &t.Pos)
	t.UserID = id.UserID(userID)
	return err
}
