// SPDX-License-Identifier: Apache-2.0

package roomview

import (
	"context"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/storage"
)

// ReadEvent returns one event of a room in the client format. An event that the user
// may not see is ErrNotFound, like one that does not exist.
func (v *View) ReadEvent(ctx context.Context, tx *storage.Reader, roomID id.RoomID, eventID id.EventID) (raw.Raw, error) {
	e, err := tx.Event(ctx, eventID)
	if err != nil {
		return nil, err
	}
	room, err := tx.RoomByNID(ctx, e.RoomNID)
	if err != nil {
		return nil, err
	}
	relayed, err := isRelayed(ctx, tx, room, e)
	if err != nil {
		return nil, err
	}
	if room.ID != roomID || !relayed {
		return nil, storage.ErrNotFound
	}
	access, err := AccessOf(ctx, tx, room.NID, v.User)
	if err != nil {
		return nil, err
	}
	seen, err := access.Filter(ctx, []*storage.Event{e}, v.Memberships)
	if err != nil {
		return nil, err
	}
	if len(seen) == 0 {
		return nil, storage.ErrNotFound
	}
	if err := v.LoadOthers(ctx, tx, seen); err != nil {
		return nil, err
	}
	if err := v.Hide(ctx, access, seen); err != nil {
		return nil, err
	}
	return v.Event(e, roomID), nil
}

// isRelayed reports whether clients may be sent an event at all. A soft-failed event
// may be only if it is in the room's state.
//
// Spec: server-server "Rejection" and "Soft failure".
func isRelayed(ctx context.Context, tx *storage.Reader, room *storage.Room, e *storage.Event) (bool, error) {
	switch {
	case e.Rejected || e.Outlier:
		return false, nil
	case !e.SoftFailed:
		return true, nil
	case e.StateKey == nil:
		return false, nil
	}
	key := storage.StateKey{Type: e.Type, Key: *e.StateKey}
	found, err := tx.StateGet(ctx, room.StateRoot, key)
	return found[key] == e.NID, err
}
