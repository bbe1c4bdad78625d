// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"cmp"
	"context"
	"net/http"
	"slices"

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
		check: only("M_FORBIDDEN", req.Body.UserID, "join", "invite", "knock"),
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
// Spec: client-server unban; "Other error codes", M_BAD_STATE.
func (r *Rooms) Unban(ctx context.Context, who api.Caller, req *clientapi.UnbanRequest) (*api.Empty, error) {
	return done(r.move(ctx, who, req.RoomID, transition{
		target: req.Body.UserID, membership: "leave", reason: req.Body.Reason,
		check: only("M_BAD_STATE", req.Body.UserID, "ban"),
	}))
}

// only lets a transition start from some memberships.
func only(errcode string, target id.UserID, from ...string) func(string) (bool, error) {
	return func(was string) (bool, error) {
		if slices.Contains(from, was) {
			return false, nil
		}
		return false, api.Errorf(http.StatusForbidden, errcode, "The membership of %s is %s", target, cmp.Or(was, "leave"))
	}
}
