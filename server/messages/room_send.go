// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"context"
	"errors"
	"net/http"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
)

var (
	_ clientapi.RoomSend  = (*Messages)(nil)
	_ clientapi.RoomState = (*Messages)(nil)
)

// SendMessage puts one message event into a room the caller has joined. A
// repeated transaction ID returns the first event and sends nothing.
//
// Spec: client-server sendMessage.
func (m *Messages) SendMessage(ctx context.Context, who api.Caller, req *clientapi.SendMessageRequest) (*clientapi.SendMessageResponse, error) {
	if req.EventType == event.TypeRedaction {
		return m.sendRedaction(ctx, who, req)
	}
	d := rooms.Draft{Sender: who.User, Type: req.EventType, Content: req.Body}
	eventID, err := m.Rooms.Send(ctx, req.RoomID, d, rooms.Txn{Device: who.Device, Endpoint: "send/" + req.EventType, ID: req.TxnID})
	if err != nil {
		return nil, sendError(err, req.RoomID)
	}
	return &clientapi.SendMessageResponse{EventID: eventID}, nil
}

// SetRoomStateWithKey puts one state event into a room the caller has joined.
//
// Spec: client-server setRoomStateWithKey.
func (m *Messages) SetRoomStateWithKey(ctx context.Context, who api.Caller, req *clientapi.SetRoomStateWithKeyRequest) (*clientapi.SetRoomStateWithKeyResponse, error) {
	if err := m.checkAliases(ctx, req); err != nil {
		return nil, err
	}
	d := rooms.Draft{Sender: who.User, Type: req.EventType, StateKey: &req.StateKey, Content: req.Body, Guest: who.Guest}
	eventID, err := m.Rooms.Send(ctx, req.RoomID, d, rooms.Txn{})
	if err != nil {
		return nil, sendError(err, req.RoomID)
	}
	return &clientapi.SetRoomStateWithKeyResponse{EventID: eventID}, nil
}

// sendError is the answer where the client wrote the event itself.
//
// Spec: client-server setRoomStateWithKey: 400 is for a request that is
// malformed, 403 for a lack of permission.
func sendError(err error, roomID id.RoomID) error {
	var refusal *rooms.Refusal
	if errors.As(err, &refusal) && refusal.Malformed {
		return &api.Error{Status: http.StatusBadRequest, ErrCode: "M_BAD_JSON", Msg: refusal.Reason, Err: err}
	}
	return roomerrors.ToClient(err, roomID)
}
