// SPDX-License-Identifier: Apache-2.0

// Package devicelists writes down that a user's list of devices has changed, and
// for whom that is news: it is part of whatever transaction changes devices with
// keys. It must not know what has changed.
//
// Spec: client-server "Tracking the device list for a user".
package devicelists

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// Changed writes that the devices of a user, or their keys, have changed: for those
// who share a room with the user, and for the user's own devices. It is the last of
// a transaction's writes but for others with positions, and returns its position.
func Changed(ctx context.Context, tx *storage.Writer, user id.UserID) (pos int64, err error) {
	rooms, err := tx.MembershipsOf(ctx, user, "join")
	if err != nil {
		return 0, fmt.Errorf("rooms of %s: %w", user, err)
	}
	if pos, err = tx.ReservePosition(ctx); err != nil {
		return 0, err
	}
	if err = tx.PutDeviceList(ctx, user, pos); err != nil {
		return 0, err
	}
	change := storage.Change{Pos: pos, Kind: string(feed.KindDevices), UserID: string(user)}
	if err = tx.InsertChange(ctx, change); err != nil {
		return 0, err
	}
	for _, m := range rooms {
		change.RoomNID = m.RoomNID
		if err = tx.InsertChange(ctx, change); err != nil {
			return 0, err
		}
	}
	return pos, nil
}

// Renamed is Changed where a device that has keys got another name.
func Renamed(ctx context.Context, tx *storage.Writer, user id.UserID, device id.DeviceID) (pos int64, err error) {
	if _, err = tx.DeviceKeys(ctx, user, device); errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return Changed(ctx, tx, user)
}

// Deleted deletes the keys of devices that go, and is Changed if they had any.
func Deleted(ctx context.Context, tx *storage.Writer, user id.UserID, devices []id.DeviceID) (pos int64, err error) {
	with, err := tx.DevicesWithKeys(ctx, user)
	if err != nil {
		return 0, err
	}
	if err = tx.DeleteDeviceKeys(ctx, user, devices); err != nil {
		return 0, err
	}
	for _, d := range devices {
		for _, w := range with {
			if d == w {
				return Changed(ctx, tx, user)
			}
		}
	}
	return 0, nil
}
