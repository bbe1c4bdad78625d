// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

var (
	qPutDeviceList = q("put_device_list", `INSERT INTO device_lists (user_id, pos) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET pos = excluded.pos`)
	qDeviceListsChanged = q("device_lists_changed", `SELECT user_id FROM device_lists WHERE pos > $1 AND pos <= $2 ORDER BY user_id`)
	qRoomsOf            = q("rooms_of", `SELECT user_id, room_nid, pos FROM memberships
		WHERE user_id = ANY($1) AND membership = ANY($2) ORDER BY user_id, room_nid`)
	qPutSignedUser = q("put_signed_user", `INSERT INTO signed_users (user_id, signed, pos) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, signed) DO UPDATE SET pos = excluded.pos`)
	qSignedUsers  = q("signed_users", `SELECT signed FROM signed_users WHERE user_id = $1 AND pos > $2 AND pos <= $3 ORDER BY signed`)
	qMembersSince = q("members_since", `SELECT `+membershipColumns+` FROM memberships
		WHERE room_nid = ANY($1) AND membership = $2 AND pos > $3 ORDER BY room_nid, membership, pos`)
)

// PutDeviceList sets the position at which a user's devices or their keys last changed.
func (w *Writer) PutDeviceList(ctx context.Context, userID id.UserID, pos int64) error {
	return w.enqueue(ctx, qPutDeviceList, userID, pos)
}

// DeviceListsChanged lists the users whose list of devices last changed in (after,
// upTo].
func (r *Reader) DeviceListsChanged(ctx context.Context, after, upTo int64) ([]id.UserID, error) {
	return r.userIDs(ctx, qDeviceListsChanged, after, upTo)
}

// RoomsOf calls each for the rooms that some users are in, with the position at
// which they came.
func (r *Reader) RoomsOf(ctx context.Context, users []id.UserID, each func(user id.UserID, roomNID, pos int64)) error {
	return r.rows(ctx, qRoomsOf, []any{users, []string{"join"}}, func(scan scanFunc) error {
		var userID Text
		var roomNID, pos int64
		err := scan(&userID, &roomNID, &pos)
		if err == nil {
			each(id.UserID(userID), roomNID, pos)
		}
		return err
	})
}

// MembersSince lists those who became this to some rooms after a position.
func (r *Reader) MembersSince(ctx context.Context, roomNIDs []int64, membership string, after int64) ([]*Membership, error) {
	return r.memberships(ctx, qMembersSince, roomNIDs, membership, after)
}

// PutSignedUser sets the position at which a user last signed another's master key.
func (w *Writer) PutSignedUser(ctx context.Context, userID, signed id.UserID, pos int64) error {
	return w.enqueue(ctx, qPutSignedUser, userID, signed, pos)
}

// SignedUsers lists the users whose master key a user last signed in (after, upTo].
func (r *Reader) SignedUsers(ctx context.Context, userID id.UserID, after, upTo int64) ([]id.UserID, error) {
	return r.userIDs(ctx, qSignedUsers, userID, after, upTo)
}
