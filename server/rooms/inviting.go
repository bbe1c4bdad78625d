// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Inviting = (*Rooms)(nil)

// InviteUser invites a user to a room the caller has joined.
//
// Spec: client-server inviteUser.
func (r *Rooms) InviteUser(ctx context.Context, who api.Caller, req *clientapi.InviteUserRequest) (*api.Empty, error) {
	if err := r.MayInvite(req.Body.UserID); err != nil {
		return nil, answerTo(err, req.RoomID)
	}
	return done(r.move(ctx, who, req.RoomID, transition{
		target: req.Body.UserID, membership: "invite", reason: req.Body.Reason,
	}))
}

// done answers an operation that returns nothing.
func done(err error) (*api.Empty, error) {
	if err != nil {
		return nil, err
	}
	return &api.Empty{}, nil
}
