// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"context"
	"errors"
	"net/http"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/rooms"
)

var _ clientapi.Banning = (*Membership)(nil)

// Ban keeps a user out of a room.
//
// Spec: client-server ban.
func (m *Membership) Ban(ctx context.Context, who api.Caller, req *clientapi.BanRequest) (*api.Empty, error) {
	return m.change(ctx, who, req.RoomID, rooms.MemberChange{
		User: req.Body.UserID, Membership: "ban", Reason: req.Body.Reason,
	})
}

// Unban lets a banned user be invited or join again.
//
// Spec: client-server unban; "Other error codes", M_BAD_STATE.
func (m *Membership) Unban(ctx context.Context, who api.Caller, req *clientapi.UnbanRequest) (*api.Empty, error) {
	done, err := m.change(ctx, who, req.RoomID, rooms.MemberChange{
		User: req.Body.UserID, Membership: "leave", Reason: req.Body.Reason, From: []string{"ban"},
	})
	var refusal *rooms.Refusal
	if errors.As(err, &refusal) && refusal.Rule == rooms.RuleMembership {
		return nil, api.Errorf(http.StatusForbidden, "M_BAD_STATE", "%s", refusal.Reason)
	}
	return done, err
}
