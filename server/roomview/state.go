// SPDX-License-Identifier: Apache-2.0

package roomview

import (
	"context"
	"errors"
	"math"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/storage"
)

// ErrHidden says that the user may not see what was asked for.
var ErrHidden = errors.New("roomview: not for the user to see")

// A State is the newest state of a room that a user may read: the current one, or that
// at the user's leave.
type State struct {
	Room *storage.Room
	Root string
	UpTo int64 // its position; the highest possible for the current state
}

// ReadableState finds the state of a room that a user may read. ErrHidden: none.
func ReadableState(ctx context.Context, tx *storage.Reader, roomNID int64, user id.UserID) (*State, error) {
	room, err := tx.RoomByNID(ctx, roomNID)
	if err != nil {
		return nil, err
	}
	access, err := AccessOf(ctx, tx, roomNID, user)
	if err != nil {
		return nil, err
	}
	until, err := access.StateUntil(ctx, room)
	switch {
	case err != nil:
		return nil, err
	case until == math.MaxInt64:
		return &State{room, room.StateRoot, until}, nil
	case until == 0:
		return nil, ErrHidden
	}
	root, err := tx.RoomStateAt(ctx, roomNID, until)
	return &State{room, root, until}, err
}

// StateAt is the state of a room at an earlier position. ErrHidden: the user may not
// read it.
//
// Spec: client-server "Room History Visibility".
func StateAt(ctx context.Context, tx *storage.Reader, roomNID int64, user id.UserID, pos int64) (root string, err error) {
	if root, err = tx.RoomStateAt(ctx, roomNID, pos); err != nil {
		return "", err
	}
	access, err := AccessOf(ctx, tx, roomNID, user)
	if err != nil {
		return "", err
	}
	ok, err := access.CanSeeStateAt(ctx, roomNID, pos, root)
	if err == nil && !ok {
		err = ErrHidden
	}
	return root, err
}

// leftAt returns the position at which a user last left a room. A later invitation or
// ban does not change it.
func leftAt(ctx context.Context, tx *storage.Reader, nid int64, user id.UserID) (pos int64, err error) {
	events, err := tx.MemberEvents(ctx, nid, user)
	if err != nil {
		return 0, err
	}
	for i, e := range events {
		was := i > 0 && MembershipOf(events[i-1]) == "join"
		if was && MembershipOf(e) != "join" {
			pos = e.Pos
		}
	}
	return pos, nil
}

// WholeState reads all events of a state, in the order of their rows.
func WholeState(ctx context.Context, tx *storage.Reader, root string, class storage.StateClass) ([]*storage.Event, error) {
	nids, err := tx.StateLoad(ctx, root, class)
	if err != nil {
		return nil, err
	}
	slices.Sort(nids)
	return tx.ViewsByNID(ctx, nids)
}

// List returns events, which the user may see, in the client format.
func (v *View) List(ctx context.Context, tx *storage.Reader, events []*storage.Event, roomID id.RoomID) ([]raw.Raw, error) {
	if len(events) == 0 {
		return []raw.Raw{}, nil
	}
	if err := v.LoadOthers(ctx, tx, events); err != nil {
		return nil, err
	}
	access, err := AccessOf(ctx, tx, events[0].RoomNID, v.User)
	if err != nil {
		return nil, err
	}
	if err := v.Hide(ctx, access, events); err != nil {
		return nil, err
	}
	out := make([]raw.Raw, len(events))
	for i, e := range events {
		out[i] = v.Event(e, roomID)
	}
	return out, nil
}
