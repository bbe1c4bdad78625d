// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/identityapi"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
)

var _ clientapi.ThirdPartyMembership = (*Membership)(nil)

// InviteBy3PID invites the owner of a third-party identifier: the user to whom the
// identity server has bound it, else the user who later proves to own it.
//
// Spec: client-server inviteBy3PID; "Third-party Invites", "Server behaviour".
func (m *Membership) InviteBy3PID(ctx context.Context, who api.Caller, req *clientapi.InviteBy3PIDRequest) (*api.Empty, error) {
	address, err := idclient.Read(&req.Body)
	if err != nil {
		return nil, err
	}
	about, err := m.describeInvite(ctx, who.User, req.RoomID)
	if err != nil {
		return nil, roomerrors.ToClient(err, req.RoomID)
	}
	var user id.UserID
	var stored *identityapi.StoreInviteV2Response
	err = idclient.WithTimeout(ctx, func(ctx context.Context) (err error) {
		if user, err = m.Identity.Lookup(ctx, address); err == nil && user == "" {
			stored, err = m.Identity.StoreInvite(ctx, address, about)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if user != "" {
		return m.change(ctx, who, req.RoomID, rooms.MemberChange{User: user, Membership: "invite"})
	}
	_, err = m.Rooms.Change(ctx, req.RoomID, func(ctx context.Context, head *rooms.Head) (*rooms.Plan, error) {
		p, err := head.Build(ctx, thirdPartyInvite(who.User, stored))
		return &rooms.Plan{Events: []*rooms.Planned{p}}, err
	})
	return empty(roomerrors.ToClient(err, req.RoomID))
}

// describeInvite is what the identity server is told of the room. Nobody is asked,
// and no mail sent, for a user who may not invite.
func (m *Membership) describeInvite(ctx context.Context, sender id.UserID, roomID id.RoomID) (about identityapi.StoreInviteV2Body, err error) {
	_, err = m.Rooms.Change(ctx, roomID, func(ctx context.Context, head *rooms.Head) (*rooms.Plan, error) {
		if _, err := head.Build(ctx, thirdPartyInvite(sender, &identityapi.StoreInviteV2Response{})); err != nil {
			return nil, err
		}
		about, err = idclient.DescribeInvite(ctx, m.DB, head, sender)
		return &rooms.Plan{}, err
	})
	return about, err
}

// thirdPartyInvite is the event of a pending third-party invitation.
func thirdPartyInvite(sender id.UserID, stored *identityapi.StoreInviteV2Response) rooms.Draft {
	return rooms.Draft{
		Sender: sender, Type: event.TypeThirdPartyInvite, StateKey: &stored.Token, Content: idclient.InviteContent(stored),
	}
}
