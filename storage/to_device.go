// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"math"

	"touchstone.example/api/id"
)

// A ToDevice is a row of to_device: a message to one device.
type ToDevice struct {
	UserID   id.UserID
	DeviceID id.DeviceID
	Pos      int64
	Sender   id.UserID
	Type     string
	Content  []byte // a JSON object
}

var (
	qInsertToDevice = q("insert_to_device", `INSERT INTO to_device (user_id, device_id, pos, sender, type, content)
		VALUES ($1, $2, $3, $4, $5, $6)`)
	qToDevice = q("to_device", `SELECT pos, sender, type, content FROM to_device
		WHERE user_id = $1 AND device_id = $2 AND pos > $3 AND pos <= $4 ORDER BY pos LIMIT $5`)
	qDevicesOf = q("devices_of", `SELECT user_id, device_id FROM devices WHERE user_id = ANY($1) ORDER BY user_id, device_id`)

	qDeleteToDevice = q("delete_to_device", `DELETE FROM to_device WHERE user_id = $1 AND device_id = $2 AND pos <= $3
		AND pos <= COALESCE((SELECT t.pos FROM to_device t WHERE t.user_id = $1 AND t.device_id = $2
			ORDER BY t.pos LIMIT 1 OFFSET $4), $3)`)
	qForgetToDevice = q("forget_to_device", `DELETE FROM to_device WHERE user_id = $1 AND device_id = $2
		AND pos <= COALESCE((SELECT t.pos FROM to_device t WHERE t.user_id = $1 AND t.device_id = $2
			ORDER BY t.pos LIMIT 1 OFFSET $3), $4)
		AND NOT EXISTS (SELECT d.device_id FROM devices d WHERE d.user_id = $1 AND d.device_id = $2)`)
	qToDeviceBound = q("to_device_bound", `SELECT pos FROM to_device WHERE user_id = $1 AND device_id = $2
		ORDER BY pos DESC LIMIT 1 OFFSET $3`)
	qToDeviceBoundOf = q("to_device_bound_of", `SELECT pos FROM to_device WHERE user_id = $1 AND device_id = $2 AND type = $3
		ORDER BY pos DESC LIMIT 1 OFFSET $4`)
	qDeleteToDeviceOf = q("delete_to_device_of", `DELETE FROM to_device WHERE user_id = $1 AND device_id = $2 AND type = $3 AND pos <= $4`)
	qToDeviceDevice   = q("to_device_device", `SELECT device_id FROM to_device WHERE user_id = $1 AND device_id > $2 ORDER BY device_id LIMIT 1`)
)

// InsertToDevice stores a message to a device.
func (w *Writer) InsertToDevice(ctx context.Context, m *ToDevice) error {
	return w.enqueue(ctx, qInsertToDevice, m.UserID, m.DeviceID, m.Pos, m.Sender, m.Type, m.Content)
}

// ToDevice lists messages to a device in (after, upTo], in the order of their
// arrival.
func (r *Reader) ToDevice(ctx context.Context, userID id.UserID, deviceID id.DeviceID, after, upTo int64, limit int) (list []*ToDevice, err error) {
	err = r.rows(ctx, qToDevice, []any{userID, deviceID, after, upTo, int64(limit)}, func(scan scanFunc) error {
		m := &ToDevice{UserID: userID, DeviceID: deviceID}
		var sender, typ Text
		err := scan(&m.Pos, &sender, &typ, &m.Content)
		m.Sender, m.Type = id.UserID(sender), string(typ)
		list = append(list, m)
		return err
	})
	return list, err
}

// DevicesOf lists the devices of some users.
func (r *Reader) DevicesOf(ctx context.Context, users []id.UserID) (map[id.UserID][]id.DeviceID, error) {
	devices := map[id.UserID][]id.DeviceID{}
	err := r.rows(ctx, qDevicesOf, []any{users}, func(scan scanFunc) error {
		var userID, deviceID Text
		err := scan(&userID, &deviceID)
		devices[id.UserID(userID)] = append(devices[id.UserID(userID)], id.DeviceID(deviceID))
		return err
	})
	return devices, err
}

// DeleteToDevice deletes messages to a device up to a position, the oldest first,
// and says how many: fewer than limit when none is left.
func (w *Writer) DeleteToDevice(ctx context.Context, userID id.UserID, deviceID id.DeviceID, upTo int64, limit int) (int64, error) {
	return w.exec(ctx, qDeleteToDevice, userID, deviceID, upTo, int64(limit-1))
}

// ForgetToDevice deletes messages to a device that does not exist, no more than
// limit at once, and says how many.
func (w *Writer) ForgetToDevice(ctx context.Context, userID id.UserID, deviceID id.DeviceID, limit int) (int64, error) {
	return w.exec(ctx, qForgetToDevice, userID, deviceID, int64(limit-1), int64(math.MaxInt64))
}

// ToDeviceBound returns the position of the message to a device that has n newer ones,
// ErrNotFound if there are not so many.
func (r *Reader) ToDeviceBound(ctx context.Context, userID id.UserID, deviceID id.DeviceID, n int) (pos int64, err error) {
	err = r.row(ctx, qToDeviceBound, []any{userID, deviceID, int64(n)}, &pos)
	return pos, err
}

// TrimToDevice deletes all messages of a type to a device except the newest n.
func (w *Writer) TrimToDevice(ctx context.Context, userID id.UserID, deviceID id.DeviceID, typ string, n int) (int64, error) {
	var pos int64
	err := w.row(ctx, qToDeviceBoundOf, []any{userID, deviceID, typ, int64(n)}, &pos)
	if err == ErrNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return w.exec(ctx, qDeleteToDeviceOf, userID, deviceID, typ, pos)
}

// ToDeviceDevice returns the first device after one, in the order of their names,
// to which there are messages, ErrNotFound when there is none.
func (r *Reader) ToDeviceDevice(ctx context.Context, userID id.UserID, after id.DeviceID) (id.DeviceID, error) {
	var deviceID Text
	err := r.row(ctx, qToDeviceDevice, []any{userID, after}, &deviceID)
	return id.DeviceID(deviceID), err
}
