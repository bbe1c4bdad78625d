// SPDX-License-Identifier: Apache-2.0

// Package membership serves joins, invitations, leaves, kicks and bans. Package rooms
// checks membership events. It must not know what is sent in a room.
package membership

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/idclient"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

// Deps are what Membership works with.
type Deps struct {
	DB    *storage.DB
	Rooms *rooms.Rooms
	// Identity asks the identity servers that clients name.
	Identity *idclient.Client
	// JoinExtraContent is the strictness rule of that name: members of a join's body
	// go into the event.
	JoinExtraContent bool
}

// Membership serves the memberships of users in rooms.
type Membership struct{ Deps }

// New returns Membership.
func New(d Deps) *Membership { return &Membership{d} }

// change changes a membership for the caller.
func (m *Membership) change(ctx context.Context, who api.Caller, roomID id.RoomID, c rooms.MemberChange) (*api.Empty, error) {
	c.Sender, c.Guest = who.User, who.Guest
	return empty(roomerrors.ToClient(m.Rooms.SetMember(ctx, roomID, c), roomID))
}

// empty answers an operation that returns nothing.
func empty(err error) (*api.Empty, error) {
	if err != nil {
		return nil, err
	}
	return &api.Empty{}, nil
}
