// SPDX-License-Identifier: Apache-2.0

// Package roomcreate serves createRoom: it decides which events a request implies, and
// in which order. Package rooms builds and writes them. It must not know what happens
// to a room afterwards.
package roomcreate

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/env"
	"touchstone.example/server/idclient"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// Deps are what RoomCreate works with.
type Deps struct {
	DB    *storage.DB
	Env   *env.Env
	Name  id.ServerName
	Rooms *rooms.Rooms
	// Identity asks the identity servers that clients name.
	Identity *idclient.Client
	// DefaultVersion is the version of a room if the client chooses none.
	DefaultVersion string
	// CreatorPowerLevel is the strictness rule of that name: it notes that a new
	// room's power levels name a creator where they may not, and reports whether that
	// is left out of them. Nil: it is not.
	CreatorPowerLevel func(context.Context) bool
}

// RoomCreate serves the making of rooms.
type RoomCreate struct{ Deps }

// New returns RoomCreate.
func New(d Deps) *RoomCreate { return &RoomCreate{d} }

var _ clientapi.CreateRoom = (*RoomCreate)(nil)

// CreateRoom makes a room with all the events that the request implies, in the
// order that the specification gives, in one transaction.
//
// Spec: client-server createRoom.
func (r *RoomCreate) CreateRoom(ctx context.Context, who api.Caller, req *clientapi.CreateRoomRequest) (*clientapi.CreateRoomResponse, error) {
	c, err := r.newCreation(ctx, who, &req.Body)
	if err != nil {
		return nil, err
	}
	// Where the room's ID is taken it is planned again. Whom identity servers have
	// found is known then, and they store no invitation before the ID is known to be
	// free.
	roomID, err := r.Rooms.Create(ctx, rooms.NewRoom{Creator: who.User, Rules: c.rules, Public: c.public}, c.plan)
	var answer *api.Error
	if err != nil && !errors.As(err, &answer) {
		err = fmt.Errorf("create room: %w", err)
	}
	return &clientapi.CreateRoomResponse{RoomID: roomID}, err
}

// One transaction writes all events of a new room, and delays all later positions of
// the stream. So the events that a request asks for, and the bytes of all events, are
// limited.
const (
	maxRequested = 256
	maxRoomBytes = 1 << 20
)

// checkSize refuses a request that asks for too many events.
func checkSize(body *clientapi.CreateRoomBody) error {
	if len(body.InitialState)+len(body.Invite)+len(body.Invite3PID) > maxRequested {
		return api.TooLarge("initial_state, invite and invite_3pid: more than %d entries together", maxRequested)
	}
	return nil
}

// A creation is one request for a room.
type creation struct {
	*RoomCreate
	who    api.Caller
	body   *clientapi.CreateRoomBody
	rules  *roomver.Rules
	preset string
	public bool
	alias  id.RoomAlias // empty if none was asked for

	// invited are the users to invite. pending are the addresses that are
	// nobody's yet.
	invited []id.UserID
	pending []idclient.Address
}

func (r *RoomCreate) newCreation(ctx context.Context, who api.Caller, body *clientapi.CreateRoomBody) (*creation, error) {
	if err := checkSize(body); err != nil {
		return nil, err
	}
	version := body.RoomVersion.Or(r.DefaultVersion)
	rules, ok := roomver.Get(version)
	if !ok {
		return nil, api.UnsupportedRoomVersion("Room version %q is unknown", version)
	}
	c := &creation{RoomCreate: r, who: who, body: body, rules: rules, public: body.Visibility.Or("private") == "public"}
	c.preset = string(body.Preset.Value)
	switch {
	case body.Preset.Set:
	case c.public:
		c.preset = "public_chat"
	default:
		c.preset = "private_chat"
	}
	for _, u := range body.Invite {
		if err := r.Rooms.MayInvite(u); err != nil {
			return nil, roomerrors.ToClient(err, "")
		}
	}
	for _, st := range body.InitialState {
		if err := r.Rooms.MayInviteByState(st.Type, st.StateKey.Value, st.Content); err != nil {
			return nil, roomerrors.ToClient(err, "")
		}
	}
	if body.RoomAliasName.Set {
		var err error
		if c.alias, err = r.aliasOf(body.RoomAliasName.Value); err != nil {
			return nil, err
		}
	}
	return c, c.lookUp(ctx)
}

// aliasOf makes an alias of this server from its localpart.
//
// Spec: appendices "Room Aliases": any characters but a colon and U+0000.
func (r *RoomCreate) aliasOf(localpart string) (id.RoomAlias, error) {
	alias, err := id.ParseRoomAlias("#" + localpart + ":" + string(r.Name))
	if err == nil && (localpart == "" || alias.Localpart() != localpart) {
		err = errors.New("it is empty or has a colon")
	}
	if err != nil {
		return "", api.InvalidParam("room_alias_name: %s", err)
	}
	return alias, nil
}
