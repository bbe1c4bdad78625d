// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"

	"touchstone.example/api/id"
)

// A Presence is a row of presence.
type Presence struct {
	UserID          id.UserID
	State           string // online, unavailable, offline
	StatusMsg       string
	CurrentlyActive bool
	LastActiveAt    int64
	OnlineAt        int64 // when a device that is in use was last seen
	IdleAt          int64 // when a device that calls itself idle was
	DueAt           int64 // when time alone changes what others are told; 0: never
	Pos             int64 // where what others are told changed
}

const presenceColumns = `p.user_id, p.state, p.status_msg, p.currently_active, p.last_active_at, p.online_at, p.idle_at, p.due_at, p.pos`

// sharesRoom holds where $1 is the user of the row, or in a room with them. One
// membership is an expression so that it is looked up by the primary key; LIMIT keeps PostgreSQL from
// reading all members of all rooms first.
const sharesRoom = `(p.user_id = $1 OR (SELECT a.room_nid FROM memberships a JOIN memberships b ON b.room_nid = a.room_nid
	WHERE a.user_id = $1 AND a.membership = 'join' AND b.user_id = p.user_id AND b.membership || '' = 'join' LIMIT 1) IS NOT NULL)`

var (
	qPutPresence = q("put_presence", `INSERT INTO presence
		(user_id, state, status_msg, currently_active, last_active_at, online_at, idle_at, due_at, pos)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (user_id) DO UPDATE SET state = excluded.state, status_msg = excluded.status_msg,
			currently_active = excluded.currently_active, last_active_at = excluded.last_active_at,
			online_at = excluded.online_at, idle_at = excluded.idle_at, due_at = excluded.due_at, pos = excluded.pos`)
	qPresenceOf  = q("presence_of", `SELECT `+presenceColumns+` FROM presence p WHERE p.user_id = ANY($1) ORDER BY p.user_id`)
	qPresenceDue = q("presence_due", `SELECT `+presenceColumns+` FROM presence p
		WHERE p.due_at > 0 AND p.due_at <= $1 ORDER BY p.due_at LIMIT $2`)
	qNextPresence  = q("next_presence", `SELECT due_at FROM presence WHERE due_at > 0 ORDER BY due_at LIMIT 1`)
	qPresenceSince = q("presence_since", `SELECT `+presenceColumns+` FROM presence p
		WHERE p.pos > $2 AND p.pos <= $3 AND (p.state <> 'offline' OR $2 > 0) AND `+sharesRoom+` ORDER BY p.user_id`)
	qSharesRoom = q("shares_room", `SELECT a.room_nid FROM memberships a JOIN memberships b ON b.room_nid = a.room_nid
		WHERE a.user_id = $1 AND a.membership = 'join' AND b.user_id = $2 AND b.membership || '' = 'join' LIMIT 1`)
)

// PutPresence sets a user's presence.
func (w *Writer) PutPresence(ctx context.Context, p *Presence) error {
	return w.enqueue(ctx, qPutPresence, p.UserID, p.State, Text(p.StatusMsg), p.CurrentlyActive, p.LastActiveAt, p.OnlineAt, p.IdleAt,
		p.DueAt, p.Pos)
}

// PresenceOf lists what there is of some users, by their ids.
func (r *Reader) PresenceOf(ctx context.Context, users ...string) ([]*Presence, error) {
	return r.presence(ctx, qPresenceOf, users)
}

// PresenceDue lists whose presence time has changed, the earliest first.
func (r *Reader) PresenceDue(ctx context.Context, now int64, limit int) ([]*Presence, error) {
	return r.presence(ctx, qPresenceDue, now, int64(limit))
}

// NextPresence is when time changes somebody's presence next, 0 for never.
func (r *Reader) NextPresence(ctx context.Context) (at int64, err error) {
	err = r.row(ctx, qNextPresence, nil, &at)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return at, err
}

// PresenceSince lists whose presence changed in (after, upTo], of those who share a
// room with a user, and the user: with after 0 those who are not offline.
func (r *Reader) PresenceSince(ctx context.Context, userID id.UserID, after, upTo int64) ([]*Presence, error) {
	return r.presence(ctx, qPresenceSince, userID, after, upTo)
}

// SharesRoom reports whether two users are in a room together.
func (r *Reader) SharesRoom(ctx context.Context, a, b id.UserID) (bool, error) {
	var nid int64
	err := r.row(ctx, qSharesRoom, []any{a, b}, &nid)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (r *Reader) presence(ctx context.Context, q *query, args ...any) (list []*Presence, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		p := &Presence{}
		var userID, status Text
		err := scan(&userID, &p.State, &status, &p.CurrentlyActive, &p.LastActiveAt, &p.OnlineAt, &p.IdleAt, &p.DueAt, &p.Pos)
		p.UserID, p.StatusMsg = id.UserID(userID), string(status)
		list = append(list, p)
		return err
	})
	return list, err
}
