// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// A Membership is a row of memberships: a user's current membership of a room.
type Membership struct {
	RoomNID    int64
	UserID     id.UserID
	Membership string
	EventNID   int64
	Sender     id.UserID // sender of the membership event
	Pos        int64     // position at which it became so
	Local      bool      // the user is on this server
	Forgotten  bool
}

const membershipColumns = `room_nid, user_id, membership, event_nid, sender, pos, local, forgotten`

var (
	qPutMembership = q("put_membership", `INSERT INTO memberships (`+membershipColumns+`, server, rules_version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, COALESCE((SELECT u.rules_version FROM users u WHERE u.user_id = $2 FOR SHARE), 0))
		ON CONFLICT (room_nid, user_id) DO UPDATE SET membership = excluded.membership, event_nid = excluded.event_nid,
			sender = excluded.sender, pos = excluded.pos, local = excluded.local, forgotten = excluded.forgotten`)
	qMembership    = q("membership", `SELECT `+membershipColumns+` FROM memberships WHERE room_nid = $1 AND user_id = $2`)
	qMembershipsOf = q("memberships_of", `SELECT `+membershipColumns+` FROM memberships
		WHERE user_id = $1 AND membership = ANY($2) AND NOT forgotten ORDER BY room_nid`)
	qMembershipsSince = q("memberships_since", `SELECT `+membershipColumns+` FROM memberships
		WHERE user_id = $1 AND pos > $2 ORDER BY room_nid`)
	qRoomsAfter = q("rooms_after", `SELECT room_nid FROM memberships
		WHERE user_id = $1 AND membership = $2 AND room_nid > $3 ORDER BY room_nid LIMIT $4`)
	qMembers = q("members", `SELECT `+membershipColumns+` FROM memberships
		WHERE room_nid = $1 AND membership = ANY($2) ORDER BY user_id`)
	qLocalMembers = q("local_members", `SELECT user_id FROM memberships
		WHERE room_nid = $1 AND membership = $2 AND local AND local = TRUE ORDER BY user_id`)
	qLocalMembersOfKind = q("local_members_of_kind", `SELECT m.user_id FROM memberships m JOIN users u ON u.user_id = m.user_id
		WHERE m.room_nid = $1 AND m.membership = $2 AND m.local AND m.local = TRUE AND u.kind = $3 ORDER BY m.user_id`)
	qServerJoined = q("server_joined", `SELECT user_id FROM memberships
		WHERE room_nid = $1 AND server = $2 AND membership = 'join' LIMIT 1`)
	qMarkRead     = q("mark_read", `UPDATE memberships SET read_pos = $3 WHERE room_nid = $1 AND user_id = $2 AND read_pos < $3`)
	qCountMembers = q("count_members", `SELECT room_nid, membership, COUNT(*) FROM memberships
		WHERE room_nid = ANY($1) AND membership = ANY($2) GROUP BY room_nid, membership ORDER BY room_nid, membership`)
	qMembershipsIn = q("memberships_in", `SELECT `+membershipColumns+` FROM memberships
		WHERE user_id = $1 AND room_nid = ANY($2) ORDER BY room_nid`)
	qForgetRoom = q("forget_room", `UPDATE memberships SET forgotten = TRUE
		WHERE room_nid = $1 AND user_id = $2 AND membership IN ('leave', 'ban')`)
)

func (m *Membership) scan(scan scanFunc) error {
	var userID, sender Text
	err := scan(&m.RoomNID, &userID, &m.Membership, &m.EventNID, &sender, &m.Pos, &m.Local, &m.Forgotten)
	m.UserID, m.Sender = id.UserID(userID), id.UserID(sender)
	return err
}

// PutMembership sets a user's membership of a room. Until the transaction ends, the
// user's rules do not change: a change that comes later finds the row. See ChangeRules.
func (w *Writer) PutMembership(ctx context.Context, m *Membership) error {
	return w.enqueue(ctx, qPutMembership, m.RoomNID, m.UserID, m.Membership, m.EventNID, m.Sender, m.Pos, m.Local, m.Forgotten,
		m.UserID.Server())
}

// ForgetRoom marks a room that a user has left as forgotten, until the user's next
// membership. ErrNotFound if the user has not left, or has come back.
func (w *Writer) ForgetRoom(ctx context.Context, roomNID int64, userID id.UserID) error {
	return w.execOne(ctx, qForgetRoom, roomNID, userID)
}

// Membership returns a user's membership of a room, ErrNotFound if there never was any.
func (r *Reader) Membership(ctx context.Context, roomNID int64, userID id.UserID) (*Membership, error) {
	var m Membership
	err := m.scan(func(dst ...any) error { return r.row(ctx, qMembership, []any{roomNID, userID}, dst...) })
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// MembershipsOf lists a user's memberships that are one of these and not forgotten.
func (r *Reader) MembershipsOf(ctx context.Context, userID id.UserID, memberships ...string) ([]*Membership, error) {
	return r.memberships(ctx, qMembershipsOf, userID, memberships)
}

// MembershipsSince lists a user's memberships that changed after a position, forgotten
// ones too.
func (r *Reader) MembershipsSince(ctx context.Context, userID id.UserID, after int64) ([]*Membership, error) {
	return r.memberships(ctx, qMembershipsSince, userID, after)
}

// RoomsAfter lists the rooms in which a user has a membership, in the order of their
// numbers, after one.
func (r *Reader) RoomsAfter(ctx context.Context, userID id.UserID, membership string, after int64, limit int) ([]int64, error) {
	return r.numbers(ctx, qRoomsAfter, userID, membership, after, int64(limit))
}

// MembershipsIn returns a user's memberships of several rooms, forgotten ones too.
func (r *Reader) MembershipsIn(ctx context.Context, userID id.UserID, roomNIDs []int64) ([]*Membership, error) {
	return r.memberships(ctx, qMembershipsIn, userID, roomNIDs)
}

// Members lists the users with one of these memberships of a room.
func (r *Reader) Members(ctx context.Context, roomNID int64, memberships ...string) ([]*Membership, error) {
	return r.memberships(ctx, qMembers, roomNID, memberships)
}

func (r *Reader) memberships(ctx context.Context, q *query, args ...any) (list []*Membership, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		m := new(Membership)
		list = append(list, m)
		return m.scan(scan)
	})
	return list, err
}

// LocalMembers lists the users of this server with a membership of a room.
func (r *Reader) LocalMembers(ctx context.Context, roomNID int64, membership string) ([]id.UserID, error) {
	return r.userIDs(ctx, qLocalMembers, roomNID, membership)
}

// LocalMembersOfKind lists the users of this server with a membership of a room and an
// account of this kind.
func (r *Reader) LocalMembersOfKind(ctx context.Context, roomNID int64, membership, kind string) ([]id.UserID, error) {
	return r.userIDs(ctx, qLocalMembersOfKind, roomNID, membership, kind)
}

func (r *Reader) userIDs(ctx context.Context, q *query, args ...any) (list []id.UserID, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		var userID Text
		err := scan(&userID)
		list = append(list, id.UserID(userID))
		return err
	})
	return list, err
}

// ServerJoined reports whether any user of a server is in a room.
func (r *Reader) ServerJoined(ctx context.Context, roomNID int64, server id.ServerName) (bool, error) {
	users, err := r.userIDs(ctx, qServerJoined, roomNID, server)
	return len(users) > 0, err
}

// MarkRead notes that a user has read a room, its threads too, up to a position.
func (w *Writer) MarkRead(ctx context.Context, roomNID int64, userID id.UserID, pos int64) error {
	return w.enqueue(ctx, qMarkRead, roomNID, userID, pos)
}

// CountMembers counts the users with each of these memberships in several rooms:
// counts[roomNID][membership].
func (r *Reader) CountMembers(ctx context.Context, roomNIDs []int64, memberships ...string) (map[int64]map[string]int64, error) {
	counts := make(map[int64]map[string]int64, len(roomNIDs))
	err := r.rows(ctx, qCountMembers, []any{roomNIDs, memberships}, func(scan scanFunc) error {
		var roomNID, n int64
		var membership string
		if err := scan(&roomNID, &membership, &n); err != nil {
			return err
		}
		if counts[roomNID] == nil {
			counts[roomNID] = map[string]int64{}
		}
		counts[roomNID][membership] = n
		return nil
	})
	return counts, err
}
