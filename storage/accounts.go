// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// A User is a row of users: an account here.
type User struct {
	ID            id.UserID
	Kind          string // user, guest, bot, support
	AppserviceID  string // "" for none
	PasswordHash  string // "" for no password
	Admin         bool
	Locked        bool
	Suspended     bool
	CreatedAt     int64 // milliseconds
	DeactivatedAt int64 // milliseconds; 0 while active
	Erased        bool
}

const userColumns = `user_id, kind, appservice_id, password_hash, admin, locked, suspended, created_at, deactivated_at, erased`

var (
	qInsertUser   = q("insert_user", `INSERT INTO users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`)
	qUser         = q("user", `SELECT `+userColumns+` FROM users WHERE user_id = $1`)
	qLockUser     = q("lock_user", `SELECT `+userColumns+` FROM users WHERE user_id = $1 FOR UPDATE`)
	qPutPassword  = q("put_password", `UPDATE users SET password_hash = $2 WHERE user_id = $1`)
	qUpgradeGuest = q("upgrade_guest", `UPDATE users SET kind = $2, password_hash = $3
		WHERE user_id = $1 AND kind = 'guest' AND deactivated_at = 0`)
	qPutUserFlags = q("put_user_flags", `UPDATE users SET admin = $2, locked = $3, suspended = $4 WHERE user_id = $1`)
	qDeactivate   = q("deactivate_user", `UPDATE users SET deactivated_at = $2, erased = $3, password_hash = '' WHERE user_id = $1`)
	qUsersAmong   = q("users_among", `SELECT user_id FROM users WHERE user_id = ANY($1) ORDER BY user_id`)
)

// InsertUser makes an account. ErrExists when the name is taken.
func (w *Writer) InsertUser(ctx context.Context, u *User) error {
	_, err := w.exec(ctx, qInsertUser, u.ID, u.Kind, u.AppserviceID, u.PasswordHash, u.Admin, u.Locked, u.Suspended,
		u.CreatedAt, u.DeactivatedAt, u.Erased)
	return err
}

// User returns one account.
func (r *Reader) User(ctx context.Context, userID id.UserID) (*User, error) {
	return r.user(ctx, qUser, userID)
}

// LockUser returns one account and locks it until this transaction ends. A transaction
// that gives or takes away access locks the account first: two at once would not see
// each other's rows.
func (w *Writer) LockUser(ctx context.Context, userID id.UserID) (*User, error) {
	return w.user(ctx, qLockUser, userID)
}

func (r *Reader) user(ctx context.Context, q *query, userID id.UserID) (*User, error) {
	var u User
	err := r.row(ctx, q, []any{userID}, &u.ID, &u.Kind, &u.AppserviceID, &u.PasswordHash, &u.Admin, &u.Locked, &u.Suspended,
		&u.CreatedAt, &u.DeactivatedAt, &u.Erased)
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// UsersAmong lists those of the users that have an account.
func (r *Reader) UsersAmong(ctx context.Context, users []id.UserID) ([]id.UserID, error) {
	return r.userIDs(ctx, qUsersAmong, users)
}

// PutPassword changes a password. ErrNotFound when there is no such account.
func (w *Writer) PutPassword(ctx context.Context, userID id.UserID, hash string) error {
	return w.execOne(ctx, qPutPassword, userID, hash)
}

// UpgradeGuest makes a guest's account one of another kind, with a password.
// ErrNotFound when there is no such guest.
func (w *Writer) UpgradeGuest(ctx context.Context, userID id.UserID, kind, hash string) error {
	return w.execOne(ctx, qUpgradeGuest, userID, kind, hash)
}

// PutUserFlags sets whether an account is an administrator's, locked or suspended.
func (w *Writer) PutUserFlags(ctx context.Context, userID id.UserID, admin, locked, suspended bool) error {
	return w.execOne(ctx, qPutUserFlags, userID, admin, locked, suspended)
}

// DeactivateUser closes an account for good. Its user ID stays taken.
func (w *Writer) DeactivateUser(ctx context.Context, userID id.UserID, at int64, erase bool) error {
	return w.execOne(ctx, qDeactivate, userID, at, erase)
}

// A Device is a row of devices.
type Device struct {
	UserID      id.UserID
	ID          id.DeviceID
	DisplayName string
	CreatedAt   int64 // milliseconds
	SeenAt      int64 // milliseconds
	SeenIP      string
	SeenAgent   string
}

const deviceColumns = `user_id, device_id, display_name, created_at, seen_at, seen_ip, seen_agent`

var (
	qPutDevice = q("put_device", `INSERT INTO devices (`+deviceColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (user_id, device_id) DO UPDATE SET seen_at = excluded.seen_at, seen_ip = excluded.seen_ip,
			seen_agent = excluded.seen_agent`)
	qDevice        = q("device", `SELECT `+deviceColumns+` FROM devices WHERE user_id = $1 AND device_id = $2`)
	qDevices       = q("devices", `SELECT `+deviceColumns+` FROM devices WHERE user_id = $1 ORDER BY device_id`)
	qDeviceFrom    = q("device_seen_from", `SELECT COUNT(*) FROM devices WHERE user_id = $1 AND seen_ip = $2`)
	qTouchDevice   = q("touch_device", `UPDATE devices SET seen_at = $3, seen_ip = $4, seen_agent = $5 WHERE user_id = $1 AND device_id = $2`)
	qRenameDevice  = q("rename_device", `UPDATE devices SET display_name = $3 WHERE user_id = $1 AND device_id = $2`)
	qDeleteDevices = q("delete_devices", `DELETE FROM devices WHERE user_id = $1 AND device_id = ANY($2)`)
)

func (d *Device) scan(scan scanFunc) error {
	var userID, deviceID, name, agent Text
	err := scan(&userID, &deviceID, &name, &d.CreatedAt, &d.SeenAt, &d.SeenIP, &agent)
	d.UserID, d.ID, d.DisplayName, d.SeenAgent = id.UserID(userID), id.DeviceID(deviceID), string(name), string(agent)
	return err
}

// PutDevice makes a device. If it exists, only its last-seen time and address change.
func (w *Writer) PutDevice(ctx context.Context, d *Device) error {
	return w.enqueue(ctx, qPutDevice, d.UserID, d.ID, d.DisplayName, d.CreatedAt, d.SeenAt, d.SeenIP, d.SeenAgent)
}

// Device returns one device.
func (r *Reader) Device(ctx context.Context, userID id.UserID, deviceID id.DeviceID) (*Device, error) {
	var d Device
	err := d.scan(func(dst ...any) error { return r.row(ctx, qDevice, []any{userID, deviceID}, dst...) })
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// Devices lists a user's devices.
func (r *Reader) Devices(ctx context.Context, userID id.UserID) (list []*Device, err error) {
	err = r.rows(ctx, qDevices, []any{userID}, func(scan scanFunc) error {
		d := new(Device)
		list = append(list, d)
		return d.scan(scan)
	})
	return list, err
}

// DeviceSeenFrom reports whether one of a user's devices was last seen from an
// address.
func (r *Reader) DeviceSeenFrom(ctx context.Context, userID id.UserID, ip string) (bool, error) {
	var n int64
	err := r.row(ctx, qDeviceFrom, []any{userID, ip}, &n)
	return n > 0, err
}

// TouchDevice sets when and from where a device was last seen, if it still exists.
func (w *Writer) TouchDevice(ctx context.Context, d *Device) error {
	return w.enqueue(ctx, qTouchDevice, d.UserID, d.ID, d.SeenAt, d.SeenIP, d.SeenAgent)
}

// RenameDevice changes a device's display name. ErrNotFound if there is no such device.
func (w *Writer) RenameDevice(ctx context.Context, userID id.UserID, deviceID id.DeviceID, name string) error {
	return w.execOne(ctx, qRenameDevice, userID, deviceID, name)
}

// DeleteDevices removes devices and their tokens. Their transaction IDs and the
// messages to them may be many; they are deleted later by [Writer.DeleteRowsOfDevice].
func (w *Writer) DeleteDevices(ctx context.Context, userID id.UserID, devices []id.DeviceID) error {
	for _, q := range []*query{qDeleteAccessTokensOf, qDeleteRefreshTokensOf, qDeleteDevices} {
		if err := w.enqueue(ctx, q, userID, devices); err != nil {
			return err
		}
	}
	return nil
}

// DeviceWithRows returns the next device ID, in order, that has transaction IDs or
// messages, whether the device exists or not; ErrNotFound if there is none.
func (r *Reader) DeviceWithRows(ctx context.Context, userID id.UserID, after id.DeviceID) (id.DeviceID, error) {
	sent, err := r.TxnDevice(ctx, userID, after)
	noneSent := err == ErrNotFound
	if err != nil && !noneSent {
		return "", err
	}
	waiting, err := r.ToDeviceDevice(ctx, userID, after)
	switch {
	case err == ErrNotFound && !noneSent:
		return sent, nil
	case err == nil && !noneSent:
		return min(sent, waiting), nil
	}
	return waiting, err
}

// DeleteRowsOfDevice deletes the transaction IDs of a deleted device and the messages
// to it, at most limit of each. It returns fewer than limit when nothing is left.
func (w *Writer) DeleteRowsOfDevice(ctx context.Context, userID id.UserID, deviceID id.DeviceID, limit int) (int64, error) {
	sent, err := w.DeleteTxnsOf(ctx, userID, deviceID, limit)
	if err != nil {
		return 0, err
	}
	waiting, err := w.ForgetToDevice(ctx, userID, deviceID, limit)
	return max(sent, waiting), err
}
