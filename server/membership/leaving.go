// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

var _ clientapi.Leaving = (*Membership)(nil)

// LeaveRoom takes the caller out of a room, or turns down an invitation or
// takes back a knock.
//
// Spec: client-server leaveRoom.
func (m *Membership) LeaveRoom(ctx context.Context, who api.Caller, req *clientapi.LeaveRoomRequest) (*api.Empty, error) {
	return m.change(ctx, who, req.RoomID, rooms.MemberChange{
		User: who.User, Membership: "leave", Reason: req.Body.Reason,
	})
}

// ForgetRoom stops showing a room that the caller has left.
//
// Spec: client-server forgetRoom.
func (m *Membership) ForgetRoom(ctx context.Context, who api.Caller, req *clientapi.ForgetRoomRequest) (*api.Empty, error) {
	nid, err := m.Rooms.NID(ctx, req.RoomID)
	if err != nil {
		return nil, roomerrors.ToClient(err, req.RoomID)
	}
	return empty(m.DB.Write(ctx, func(tx *storage.Writer) error {
		_, err := tx.Membership(ctx, nid, who.User)
		if errors.Is(err, storage.ErrNotFound) {
			return api.Forbidden("You were never in room %s", req.RoomID)
		}
		if err != nil {
			return fmt.Errorf("membership of %s: %w", who.User, err)
		}
		err = tx.ForgetRoom(ctx, nid, who.User)
		if errors.Is(err, storage.ErrNotFound) {
			return api.Unknown("You have not left room %s", req.RoomID)
		}
		return err
	}))
}
