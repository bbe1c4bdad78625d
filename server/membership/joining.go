// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

var _ clientapi.Joining = (*Membership)(nil)

// JoinRoomByID joins the caller to a room that this server is in.
//
// Spec: client-server joinRoomById.
func (m *Membership) JoinRoomByID(ctx context.Context, who api.Caller, req *clientapi.JoinRoomByIDRequest) (*clientapi.JoinRoomByIDResponse, error) {
	if err := m.join(ctx, who, req.RoomID, clientapi.JoinRoomBody(req.Body)); err != nil {
		return nil, err
	}
	return &clientapi.JoinRoomByIDResponse{RoomID: req.RoomID}, nil
}

// JoinRoom joins the caller to a room by its ID or an alias.
//
// Spec: client-server joinRoom.
func (m *Membership) JoinRoom(ctx context.Context, who api.Caller, req *clientapi.JoinRoomRequest) (*clientapi.JoinRoomResponse, error) {
	roomID, err := m.resolveRoom(ctx, req.RoomIDOrAlias)
	if err != nil {
		return nil, err
	}
	if err := m.join(ctx, who, roomID, req.Body); err != nil {
		return nil, err
	}
	return &clientapi.JoinRoomResponse{RoomID: roomID}, nil
}

// resolveRoom finds the room that an ID or alias names.
func (m *Membership) resolveRoom(ctx context.Context, name string) (id.RoomID, error) {
	if strings.HasPrefix(name, "!") {
		roomID, err := id.ParseRoomID(name)
		if err != nil {
			return "", api.InvalidParam("%s", err)
		}
		return roomID, nil
	}
	alias, err := id.ParseRoomAlias(name)
	if err != nil {
		return "", api.InvalidParam("%s", err)
	}
	var roomID id.RoomID
	err = m.DB.Read(ctx, func(tx *storage.Reader) error {
		a, err := tx.Alias(ctx, alias)
		if err != nil {
			return err
		}
		room, err := tx.RoomByNID(ctx, a.RoomNID)
		if err == nil {
			roomID = room.ID
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return "", api.NotFound("Room alias %s is unknown", alias)
	}
	if err != nil {
		return "", fmt.Errorf("find alias %s: %w", alias, err)
	}
	return roomID, nil
}

func (m *Membership) join(ctx context.Context, who api.Caller, roomID id.RoomID, body clientapi.JoinRoomBody) error {
	c := rooms.MemberChange{User: who.User, Membership: "join", Reason: body.Reason, Idempotent: true, Extra: raw.Object{}}
	if m.JoinExtraContent {
		for name, value := range body.Extra {
			switch name {
			case "membership", "join_authorised_via_users_server", "third_party_invite":
			default:
				c.Extra[name] = value
			}
		}
	}
	if signed := body.ThirdPartySigned; signed != nil {
		c.ThirdParty = &rooms.ThirdPartySigned{Sender: signed.Sender, Token: signed.Token, Signed: signed.AppendJSON(nil)}
	}
	_, err := m.change(ctx, who, roomID, c)
	if errors.Is(err, rooms.ErrUnknownRoom) {
		return api.NotFound("Room %s is unknown to this server", roomID)
	}
	return err
}
