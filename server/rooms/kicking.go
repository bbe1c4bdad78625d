// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
)

var (
	_ clientapi.Kicking = (*Rooms)(nil)
	_ clientapi.Banning = (*Rooms)(nil)
)

// Kick takes another user out of a room. The authorization rules would also
// let it pass for users who are not there; the operation does not.
//
// Spec: client-server kick.
func (r *Rooms) Kick(ctx context.Context, who api.Caller, req *clientapi.KickRequest) (*api.Empty, error) {
	return done(r.move(ctx, who, req.RoomID, transition{
		target: req.Body.UserID, membership: "leave", reason: req.Body.Reason,
		check: only(req.Body.UserID, "join", "invite", "knock"),
	}))
}

// Ban keeps a user out of a room.
//
// Spec: client-server ban.
func (r *Rooms) Ban(ctx context.Context, who api.Caller, req *clientapi.BanRequest) (*api.Empty, error) {
	return done(r.move(ctx, who, req.RoomID, transition{
		target: req.Body.UserID, membership: "ban", reason: req.Body.Reason,
	}))
}

// Unban lets a banned user be invited or join again.
//
// Spec: client-server unban.
func (r *Rooms) Unban(ctx context.Context, who api.Caller, req *clientapi.UnbanRequest) (*api.Empty, error) {
	return done(r.move(ctx, who, req.RoomID, transition{
		target: req.Body.UserID, membership: "leave", reason: req.Body.Reason,
		check: only(req.Body.UserID, "ban"),
	}))
}

// only lets a transition start from some memberships.
func only(target id.UserID, from ...string) func(string) (bool, error) {
	return func(was string) (bool, error) {
		for _, m := range from {
			if m == was {
				return false, nil
			}
		}
		if was == "" {
			was = "not in the room"
		}
		return false, api.Forbidden("The membership of %s is %s", target, was)
	}
}
