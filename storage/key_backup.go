// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// A KeyBackup is one version of a user's backup of room keys.
type KeyBackup struct {
	UserID    id.UserID
	Version   int64
	Algorithm string
	AuthData  []byte // JSON
	Etag      int64  // incremented with each change of its keys
	Keys      int64  // number of keys
	Deleted   bool
}

// A BackedUpKey is one key of a backup.
type BackedUpKey struct {
	RoomID            id.RoomID
	SessionID         string
	FirstMessageIndex int64
	ForwardedCount    int64
	Verified          bool
	SessionData       []byte // JSON
}

const (
	keyBackupColumns   = `user_id, version, algorithm, auth_data, etag, keys, deleted`
	backedUpKeyColumns = `room_id, session_id, first_message_index, forwarded_count, is_verified, session_data`
)

var (
	qNextKeyBackup   = q("next_key_backup", `SELECT COALESCE(MAX(version), 0) + 1 FROM key_backups WHERE user_id = $1`)
	qInsertKeyBackup = q("insert_key_backup", `INSERT INTO key_backups (`+keyBackupColumns+`)
		VALUES ($1, $2, $3, $4, 0, 0, FALSE)`)
	qKeyBackup        = q("key_backup", `SELECT `+keyBackupColumns+` FROM key_backups WHERE user_id = $1 AND version = $2`)
	qCurrentKeyBackup = q("current_key_backup", `SELECT `+keyBackupColumns+` FROM key_backups
		WHERE user_id = $1 AND NOT deleted ORDER BY version DESC LIMIT 1`)
	qLockKeyBackup = q("lock_key_backup", `SELECT `+keyBackupColumns+` FROM key_backups
		WHERE user_id = $1 AND version = $2 FOR UPDATE`)
	qPutKeyBackupAuthData = q("put_key_backup_auth_data", `UPDATE key_backups SET auth_data = $3
		WHERE user_id = $1 AND version = $2`)
	qPutKeyBackupKeys = q("put_key_backup_keys", `UPDATE key_backups SET etag = etag + 1, keys = keys + $3
		WHERE user_id = $1 AND version = $2`)
	qDeleteKeyBackup = q("delete_key_backup", `UPDATE key_backups
		SET auth_data = $3, keys = 0, etag = etag + 1, deleted = TRUE WHERE user_id = $1 AND version = $2`)

	qPutBackedUpKey = q("put_backed_up_key", `INSERT INTO backed_up_keys (user_id, version, `+backedUpKeyColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET first_message_index = excluded.first_message_index,
			forwarded_count = excluded.forwarded_count, is_verified = excluded.is_verified, session_data = excluded.session_data`)
	qBackedUpKeys = q("backed_up_keys", `SELECT `+backedUpKeyColumns+` FROM backed_up_keys
		WHERE user_id = $1 AND version = $2 ORDER BY room_id, session_id`)
	qBackedUpKeysOfRoom = q("backed_up_keys_of_room", `SELECT `+backedUpKeyColumns+` FROM backed_up_keys
		WHERE user_id = $1 AND version = $2 AND room_id = $3 ORDER BY session_id`)
	qBackedUpKeysIn = q("backed_up_keys_in", `SELECT `+backedUpKeyColumns+` FROM backed_up_keys
		WHERE user_id = $1 AND version = $2 AND room_id = $3 AND session_id = ANY($4)`)
	qDeleteBackedUpKeys       = q("delete_backed_up_keys", `DELETE FROM backed_up_keys WHERE user_id = $1 AND version = $2`)
	qDeleteBackedUpKeysOfRoom = q("delete_backed_up_keys_of_room", `DELETE FROM backed_up_keys
		WHERE user_id = $1 AND version = $2 AND room_id = $3`)
	qDeleteBackedUpKey = q("delete_backed_up_key", `DELETE FROM backed_up_keys
		WHERE user_id = $1 AND version = $2 AND room_id = $3 AND session_id = $4`)
)

// InsertKeyBackup makes the user's next version and returns its number. It fails
// with ErrExists where another transaction has just made it.
func (w *Writer) InsertKeyBackup(ctx context.Context, userID id.UserID, algorithm string, authData []byte) (version int64, err error) {
	if err := w.row(ctx, qNextKeyBackup, []any{userID}, &version); err != nil {
		return 0, err
	}
	_, err = w.exec(ctx, qInsertKeyBackup, userID, version, algorithm, authData)
	return version, err
}

// KeyBackup returns one version, deleted or not.
func (r *Reader) KeyBackup(ctx context.Context, userID id.UserID, version int64) (*KeyBackup, error) {
	return r.keyBackup(ctx, qKeyBackup, userID, version)
}

// CurrentKeyBackup returns the newest version that is not deleted.
func (r *Reader) CurrentKeyBackup(ctx context.Context, userID id.UserID) (*KeyBackup, error) {
	return r.keyBackup(ctx, qCurrentKeyBackup, userID)
}

// LockKeyBackup is KeyBackup for a transaction that changes it or its keys. Called
// first, it lets only one such transaction run at a time.
func (w *Writer) LockKeyBackup(ctx context.Context, userID id.UserID, version int64) (*KeyBackup, error) {
	return w.keyBackup(ctx, qLockKeyBackup, userID, version)
}

func (r *Reader) keyBackup(ctx context.Context, q *query, args ...any) (*KeyBackup, error) {
	var b KeyBackup
	var algorithm Text
	err := r.row(ctx, q, args, &b.UserID, &b.Version, &algorithm, &b.AuthData, &b.Etag, &b.Keys, &b.Deleted)
	if err != nil {
		return nil, err
	}
	b.Algorithm = string(algorithm)
	return &b, nil
}

// PutKeyBackupAuthData sets a version's auth_data.
func (w *Writer) PutKeyBackupAuthData(ctx context.Context, userID id.UserID, version int64, authData []byte) error {
	return w.enqueue(ctx, qPutKeyBackupAuthData, userID, version, authData)
}

// DeleteKeyBackup deletes a version with its keys.
func (w *Writer) DeleteKeyBackup(ctx context.Context, userID id.UserID, version int64) error {
	if err := w.enqueue(ctx, qDeleteBackedUpKeys, userID, version); err != nil {
		return err
	}
	return w.enqueue(ctx, qDeleteKeyBackup, userID, version, []byte{})
}

// PutBackedUpKey adds a key to a version or replaces it.
func (w *Writer) PutBackedUpKey(ctx context.Context, userID id.UserID, version int64, k *BackedUpKey) error {
	return w.enqueue(ctx, qPutBackedUpKey, userID, version, k.RoomID, k.SessionID,
		k.FirstMessageIndex, k.ForwardedCount, k.Verified, k.SessionData)
}

// PutKeyBackupKeys counts a change of a version's keys and adds to their number.
func (w *Writer) PutKeyBackupKeys(ctx context.Context, userID id.UserID, version, more int64) error {
	return w.enqueue(ctx, qPutKeyBackupKeys, userID, version, more)
}

// BackedUpKeys lists all keys of a version.
func (r *Reader) BackedUpKeys(ctx context.Context, userID id.UserID, version int64) ([]*BackedUpKey, error) {
	return r.backedUpKeys(ctx, qBackedUpKeys, userID, version)
}

// BackedUpKeysOfRoom lists the keys that a version has of one room.
func (r *Reader) BackedUpKeysOfRoom(ctx context.Context, userID id.UserID, version int64, roomID id.RoomID) ([]*BackedUpKey, error) {
	return r.backedUpKeys(ctx, qBackedUpKeysOfRoom, userID, version, roomID)
}

// BackedUpKeysIn lists the keys of those sessions of a room that a version has.
func (r *Reader) BackedUpKeysIn(ctx context.Context, userID id.UserID, version int64, roomID id.RoomID, sessionIDs []string) ([]*BackedUpKey, error) {
	return r.backedUpKeys(ctx, qBackedUpKeysIn, userID, version, roomID, sessionIDs)
}

func (r *Reader) backedUpKeys(ctx context.Context, q *query, args ...any) (list []*BackedUpKey, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		k := new(BackedUpKey)
		list = append(list, k)
		var roomID, sessionID Text
		err := scan(&roomID, &sessionID, &k.FirstMessageIndex, &k.ForwardedCount, &k.Verified, &k.SessionData)
		k.RoomID, k.SessionID = id.RoomID(roomID), string(sessionID)
		return err
	})
	return list, err
}

// DeleteBackedUpKeys deletes all keys of a version and says how many.
func (w *Writer) DeleteBackedUpKeys(ctx context.Context, userID id.UserID, version int64) (int64, error) {
	return w.exec(ctx, qDeleteBackedUpKeys, userID, version)
}

// DeleteBackedUpKeysOfRoom deletes the keys of one room and says how many.
func (w *Writer) DeleteBackedUpKeysOfRoom(ctx context.Context, userID id.UserID, version int64, roomID id.RoomID) (int64, error) {
	return w.exec(ctx, qDeleteBackedUpKeysOfRoom, userID, version, roomID)
}

// DeleteBackedUpKey deletes one key and says whether it was there.
func (w *Writer) DeleteBackedUpKey(ctx context.Context, userID id.UserID, version int64, roomID id.RoomID, sessionID string) (int64, error) {
	return w.exec(ctx, qDeleteBackedUpKey, userID, version, roomID, sessionID)
}
