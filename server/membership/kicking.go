// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/rooms"
)

var _ clientapi.Kicking = (*Membership)(nil)

// Kick takes another user out of a room. The authorization rules would also
// let it pass for users who are not there; the operation does not.
//
// Spec: client-server kick.
func (m *Membership) Kick(ctx context.Context, who api.Caller, req *clientapi.KickRequest) (*api.Empty, error) {
	return m.change(ctx, who, req.RoomID, rooms.MemberChange{
		User: req.Body.UserID, Membership: "leave", Reason: req.Body.Reason,
		From: []string{"join", "invite", "knock"},
	})
}
