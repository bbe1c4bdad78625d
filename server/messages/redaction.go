// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"context"
	"errors"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
)

var _ clientapi.Redaction = (*Messages)(nil)

// RedactEvent strips an event of what its room version does not protect.
//
// Spec: client-server redactEvent.
func (m *Messages) RedactEvent(ctx context.Context, who api.Caller, req *clientapi.RedactEventRequest) (*clientapi.RedactEventResponse, error) {
	content := raw.Object{}
	if req.Body.Reason.Set {
		content["reason"] = req.Body.Reason.Value
	}
	txn := rooms.Txn{Device: who.Device, Endpoint: "redact/" + string(req.EventID), ID: req.TxnID}
	eventID, err := m.redact(ctx, who, req.RoomID, content, req.EventID, txn)
	if err != nil {
		return nil, err
	}
	return &clientapi.RedactEventResponse{EventID: api.Some(eventID)}, nil
}

// sendRedaction is a redaction through the operation for any event.
//
// Spec: client-server sendMessage, "redactions since v1.18".
func (m *Messages) sendRedaction(ctx context.Context, who api.Caller, req *clientapi.SendMessageRequest) (*clientapi.SendMessageResponse, error) {
	content, err := raw.Members(req.Body)
	if err != nil {
		return nil, api.BadJSON("%s", err)
	}
	value, _ := content["redacts"].(raw.Raw)
	target, ok := event.Text(value)
	if !ok {
		return nil, api.BadJSON("redacts is missing")
	}
	redacts, err := id.ParseEventID(target)
	if err != nil {
		return nil, api.BadJSON("redacts: %s", err)
	}
	delete(content, "redacts") // the room version says where it stands
	txn := rooms.Txn{Device: who.Device, Endpoint: "send/" + event.TypeRedaction, ID: req.TxnID}
	eventID, err := m.redact(ctx, who, req.RoomID, content, redacts, txn)
	if err != nil {
		return nil, err
	}
	return &clientapi.SendMessageResponse{EventID: eventID}, nil
}

func (m *Messages) redact(ctx context.Context, who api.Caller, roomID id.RoomID, content raw.Object, target id.EventID, txn rooms.Txn) (id.EventID, error) {
	d := rooms.Draft{Sender: who.User, Type: event.TypeRedaction, Content: content.Encode(), Redacts: target}
	eventID, err := m.Rooms.Send(ctx, roomID, d, txn)
	if errors.Is(err, rooms.ErrUnknownEvent) {
		return "", api.NotFound("Event %s is not in this room", target)
	}
	return eventID, roomerrors.ToClient(err, roomID)
}
