// SPDX-License-Identifier: Apache-2.0

// Package accountdata is what clients keep at the server for their user, of a
// room or of none. It must not know what any of it means, but for the types that
// the server manages.
package accountdata

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

var _ clientapi.AccountData = (*AccountData)(nil)

// Deps are what AccountData works with.
type Deps struct {
	DB   *storage.DB
	Feed *feed.Feed
	// PushRules is the content of m.push_rules, which another slice keeps.
	PushRules func(ctx context.Context, user id.UserID) ([]byte, error)
	// EmptyDeletes takes setting an empty object for deleting (MSC3391).
	EmptyDeletes bool
}

// AccountData serves account data and tags.
type AccountData struct{ Deps }

// New returns the account data of a server's users.
func New(d Deps) *AccountData { return &AccountData{d} }

// The types that the server manages, globally and in rooms.
const (
	typePushRules = "m.push_rules"
	typeFullyRead = "m.fully_read"
	typeTag       = "m.tag"
)

// maxType bounds the type of account data, in bytes.
const maxType = 255

// GetAccountData returns global account data.
//
// Spec: client-server getAccountData.
func (a *AccountData) GetAccountData(ctx context.Context, who api.Caller, req *clientapi.GetAccountDataRequest) (*clientapi.GetAccountDataResponse, error) {
	if err := own(who, req.UserID); err != nil {
		return nil, err
	}
	var body []byte
	var err error
	if req.Type == typePushRules {
		body, err = a.PushRules(ctx, who.User)
	} else {
		body, err = a.read(ctx, who.User, "", req.Type)
	}
	if err != nil {
		return nil, err
	}
	return &clientapi.GetAccountDataResponse{Body: body}, nil
}

// SetAccountData sets global account data.
//
// Spec: client-server setAccountData.
func (a *AccountData) SetAccountData(ctx context.Context, who api.Caller, req *clientapi.SetAccountDataRequest) (*api.Empty, error) {
	return a.set(ctx, who, req.UserID, "", req.Type, req.Body)
}

// GetAccountDataPerRoom returns account data of a room.
//
// Spec: client-server getAccountDataPerRoom.
func (a *AccountData) GetAccountDataPerRoom(ctx context.Context, who api.Caller, req *clientapi.GetAccountDataPerRoomRequest) (*clientapi.GetAccountDataPerRoomResponse, error) {
	if err := own(who, req.UserID); err != nil {
		return nil, err
	}
	body, err := a.read(ctx, who.User, req.RoomID, req.Type)
	if err != nil {
		return nil, err
	}
	return &clientapi.GetAccountDataPerRoomResponse{Body: body}, nil
}

// SetAccountDataPerRoom sets account data of a room.
//
// Spec: client-server setAccountDataPerRoom.
func (a *AccountData) SetAccountDataPerRoom(ctx context.Context, who api.Caller, req *clientapi.SetAccountDataPerRoomRequest) (*api.Empty, error) {
	return a.set(ctx, who, req.UserID, req.RoomID, req.Type, req.Body)
}

func own(who api.Caller, user id.UserID) error {
	if who.User != user {
		return api.Forbidden("That is not your account data")
	}
	return nil
}

// read returns what is set, of a room or of none.
func (a *AccountData) read(ctx context.Context, user id.UserID, room id.RoomID, typ string) (body []byte, err error) {
	none := api.NotFound("You have no %q there", typ)
	err = a.DB.Read(ctx, func(tx *storage.Reader) error {
		nid, err := roomOf(ctx, tx, user, room)
		if err != nil {
			return err
		}
		d, err := tx.AccountData(ctx, user, nid, typ)
		if err == nil {
			body = d.Content
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) || err == nil && len(body) == 0 {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("account data of %s: %w", user, err)
	}
	return body, nil
}

func (a *AccountData) set(ctx context.Context, who api.Caller, user id.UserID, room id.RoomID, typ string, body []byte) (*api.Empty, error) {
	if err := own(who, user); err != nil {
		return nil, err
	}
	if err := settable(typ); err != nil {
		return nil, err
	}
	if a.EmptyDeletes && isEmpty(body) {
		body = nil
	}
	return a.change(ctx, who.User, room, typ, func(context.Context, *storage.Writer, int64) ([]byte, error) { return body, nil })
}

// settable refuses the types that the server manages.
//
// Spec: client-server "Client Config", "Server Behaviour".
func settable(typ string) error {
	if typ == typePushRules || typ == typeFullyRead {
		return api.Errorf(http.StatusMethodNotAllowed, "M_BAD_JSON", "The server manages %s; it is set in its own way", typ)
	}
	if len(typ) > maxType {
		return api.InvalidParam("The type is longer than %d bytes", maxType)
	}
	return nil
}

// change sets account data to what next returns, nil for nothing, and tells the
// user's devices. Changes of the same data come one after the other.
func (a *AccountData) change(ctx context.Context, user id.UserID, room id.RoomID, typ string,
	next func(ctx context.Context, tx *storage.Writer, nid int64) ([]byte, error),
) (*api.Empty, error) {
	var pos int64
	err := a.DB.Write(ctx, func(tx *storage.Writer) error {
		nid, err := roomOf(ctx, tx.Reader, user, room)
		if err != nil {
			return err
		}
		content, err := next(ctx, tx, nid)
		if err != nil {
			return err
		}
		if pos, err = tx.ReservePosition(ctx); err != nil {
			return err
		}
		err = tx.PutAccountData(ctx, &storage.AccountData{UserID: user, RoomNID: nid, Type: typ, Content: content, Pos: pos})
		if err != nil {
			return err
		}
		return tx.InsertChange(ctx, storage.Change{Pos: pos, Kind: string(feed.KindAccountData), RoomNID: nid, UserID: string(user)})
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, api.NotFound("You have nothing to do with room %s", room)
	}
	if err == nil {
		err = a.Feed.WaitFor(ctx, pos)
	}
	if err != nil && !errors.Is(err, feed.ErrBehind) {
		return nil, fmt.Errorf("account data of %s: %w", user, err)
	}
	return &api.Empty{}, nil
}

// roomOf is the row of a room that the user has to do with, 0 for no room.
// Nothing is kept about others: whether they exist is not the user's to know.
func roomOf(ctx context.Context, tx *storage.Reader, user id.UserID, room id.RoomID) (int64, error) {
	if room == "" {
		return 0, nil
	}
	r, err := tx.Room(ctx, room)
	if err != nil {
		return 0, err
	}
	_, err = tx.Membership(ctx, r.NID, user)
	return r.NID, err
}
