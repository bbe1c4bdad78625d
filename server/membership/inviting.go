// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/rooms"
)

var _ clientapi.Inviting = (*Membership)(nil)

// InviteUser invites a user to a room the caller has joined.
//
// Spec: client-server inviteUser.
func (m *Membership) InviteUser(ctx context.Context, who api.Caller, req *clientapi.InviteUserRequest) (*api.Empty, error) {
	return m.change(ctx, who, req.RoomID, rooms.MemberChange{
		User: req.Body.UserID, Membership: "invite", Reason: req.Body.Reason,
	})
}
