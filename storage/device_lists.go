// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

var (
	qPutDeviceList = q("put_device_list", `INSERT INTO device_lists (user_id, pos) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET pos = excluded.pos`)
	// First by position, then by the rooms of the few users who changed. The other
	// order would read all members of all rooms.
	qDeviceListsChanged = q("device_lists_changed", `SELECT d.user_id FROM device_lists d WHERE d.pos > $2 AND d.pos <= $3
		AND (d.user_id = $1 OR EXISTS (SELECT 1 FROM memberships m JOIN memberships o ON o.room_nid = m.room_nid
			WHERE m.user_id = d.user_id AND m.membership = 'join' AND o.user_id = $1 AND o.membership = 'join'))
		ORDER BY d.user_id`)
	qSharing = q("sharing", `SELECT DISTINCT m.user_id FROM memberships m JOIN memberships o ON o.room_nid = m.room_nid
		WHERE m.user_id = ANY($2) AND m.membership = 'join' AND m.pos <= $3
			AND o.user_id = $1 AND o.membership = 'join' AND o.pos <= $3
		ORDER BY m.user_id`)
	qPutSignedUser = q("put_signed_user", `INSERT INTO signed_users (user_id, signed, pos) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, signed) DO UPDATE SET pos = excluded.pos`)
	qSignedUsers = q("signed_users", `SELECT signed FROM signed_users WHERE user_id = $1 AND pos > $2 AND pos <= $3 ORDER BY signed`)
	// Memberships that changed after a position, in rooms that a given user is in, or
	// was in until after it.
	qMembershipsAfter = q("memberships_after", `SELECT m.room_nid, m.user_id, m.membership, m.event_nid, m.sender, m.pos, m.local, m.forgotten
		FROM memberships o JOIN memberships m ON m.room_nid = o.room_nid
		WHERE o.user_id = $1 AND (o.membership = 'join' OR o.pos > $2)
			AND m.membership = ANY($3) AND m.pos > $2 ORDER BY m.room_nid, m.user_id`)
)

// PutDeviceList sets the position at which a user's devices or their keys last changed.
func (w *Writer) PutDeviceList(ctx context.Context, userID id.UserID, pos int64) error {
	return w.enqueue(ctx, qPutDeviceList, userID, pos)
}

// DeviceListsChanged lists, of a user and the users who share a room with them, those
// whose devices last changed in (after, upTo].
func (r *Reader) DeviceListsChanged(ctx context.Context, userID id.UserID, after, upTo int64) ([]id.UserID, error) {
	return r.userIDs(ctx, qDeviceListsChanged, userID, after, upTo)
}

// Sharing lists those of the users who have shared a room with a given user since a
// position.
func (r *Reader) Sharing(ctx context.Context, userID id.UserID, others []id.UserID, since int64) ([]id.UserID, error) {
	return r.userIDs(ctx, qSharing, userID, others, since)
}

// MembershipsAfter lists the memberships that changed after a position, in the rooms
// that a given user is in or was in at that position.
func (r *Reader) MembershipsAfter(ctx context.Context, userID id.UserID, after int64) ([]*Membership, error) {
	return r.memberships(ctx, qMembershipsAfter, userID, after, []string{"join", "leave", "ban", "invite", "knock"})
}

// PutSignedUser sets the position at which a user last signed another's master key.
func (w *Writer) PutSignedUser(ctx context.Context, userID, signed id.UserID, pos int64) error {
	return w.enqueue(ctx, qPutSignedUser, userID, signed, pos)
}

// SignedUsers lists the users whose master key a user last signed in (after, upTo].
func (r *Reader) SignedUsers(ctx context.Context, userID id.UserID, after, upTo int64) ([]id.UserID, error) {
	return r.userIDs(ctx, qSignedUsers, userID, after, upTo)
}
