// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"context"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

var _ clientapi.ListJoinedRooms = (*Membership)(nil)

// GetJoinedRooms lists the rooms that the caller is in.
//
// Spec: client-server getJoinedRooms.
func (m *Membership) GetJoinedRooms(ctx context.Context, who api.Caller, _ *clientapi.GetJoinedRoomsRequest) (*clientapi.GetJoinedRoomsResponse, error) {
	out := &clientapi.GetJoinedRoomsResponse{JoinedRooms: []id.RoomID{}}
	err := m.DB.Read(ctx, func(tx *storage.Reader) error {
		memberships, err := tx.MembershipsOf(ctx, who.User, "join")
		if err != nil {
			return err
		}
		nids := make([]int64, len(memberships))
		for i, m := range memberships {
			nids[i] = m.RoomNID
		}
		ids, err := tx.RoomIDs(ctx, nids)
		for _, nid := range nids {
			out.JoinedRooms = append(out.JoinedRooms, ids[nid])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("rooms of %s: %w", who.User, err)
	}
	return out, nil
}
