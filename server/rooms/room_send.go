// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"bytes"
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
)

var (
	_ clientapi.RoomSend  = (*Rooms)(nil)
	_ clientapi.RoomState = (*Rooms)(nil)
)

// SendMessage puts one message event into a room the caller has joined. A
// repeated transaction ID returns the first event and sends nothing.
//
// Spec: client-server sendMessage.
func (r *Rooms) SendMessage(ctx context.Context, who api.Caller, req *clientapi.SendMessageRequest) (*clientapi.SendMessageResponse, error) {
	d := draft{Sender: who.User, Type: req.EventType, Content: req.Body}
	if d.Type == event.TypeRedaction {
		return r.sendRedaction(ctx, who, req)
	}
	eventID, err := r.send(ctx, who, req.RoomID, d, "send/"+req.EventType, req.TxnID)
	if err != nil {
		return nil, err
	}
	return &clientapi.SendMessageResponse{EventID: eventID}, nil
}

// SetRoomStateWithKey puts one state event into a room the caller has joined.
//
// Spec: client-server setRoomStateWithKey.
func (r *Rooms) SetRoomStateWithKey(ctx context.Context, who api.Caller, req *clientapi.SetRoomStateWithKeyRequest) (*clientapi.SetRoomStateWithKeyResponse, error) {
	d := draft{Sender: who.User, Type: req.EventType, StateKey: &req.StateKey, Content: req.Body}
	if err := r.checkState(ctx, req); err != nil {
		return nil, err
	}
	eventID, err := r.send(ctx, who, req.RoomID, d, "", "")
	if err != nil {
		return nil, err
	}
	return &clientapi.SetRoomStateWithKeyResponse{EventID: eventID}, nil
}

// send puts one event into a room. With an endpoint and a transaction ID, the
// same request again has no further effect.
func (r *Rooms) send(ctx context.Context, who api.Caller, roomID id.RoomID, d draft, endpoint, txnID string) (id.EventID, error) {
	nid, err := r.roomNID(ctx, roomID)
	if err != nil {
		return "", err
	}
	ids, err := r.add(ctx, nid, func(ctx context.Context, h *head) (*plan, error) {
		p, err := r.extend(ctx, h, d)
		if err != nil {
			return nil, err
		}
		if r.departs.StateIdempotent && p.changesNothing() {
			return &plan{same: p.replaces.ID}, nil
		}
		if endpoint != "" {
			p.txn = transaction(who, endpoint, nid, txnID)
		}
		return &plan{events: []*planned{p}}, nil
	})
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// changesNothing reports whether an event sets state to what it is already.
func (p *planned) changesNothing() bool {
	return p.replaces != nil && p.replaces.Sender == p.Sender && bytes.Equal(p.replaces.Content, p.Content)
}
