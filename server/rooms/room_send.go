// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"bytes"
	"context"
	"errors"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/storage"
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
	d := Draft{Sender: who.User, Type: req.EventType, Content: req.Body}
	if d.Type == event.TypeRedaction {
		return r.sendRedaction(ctx, who, req)
	}
	eventID, err := r.Send(ctx, req.RoomID, d, Txn{who.Device, "send/" + req.EventType, req.TxnID})
	if err != nil {
		return nil, answerSent(err, req.RoomID)
	}
	return &clientapi.SendMessageResponse{EventID: eventID}, nil
}

// SetRoomStateWithKey puts one state event into a room the caller has joined.
//
// Spec: client-server setRoomStateWithKey.
func (r *Rooms) SetRoomStateWithKey(ctx context.Context, who api.Caller, req *clientapi.SetRoomStateWithKeyRequest) (*clientapi.SetRoomStateWithKeyResponse, error) {
	d := Draft{Sender: who.User, Type: req.EventType, StateKey: &req.StateKey, Content: req.Body, Guest: who.Guest}
	if err := r.checkState(ctx, req); err != nil {
		return nil, err
	}
	if err := r.MayInviteByState(req.EventType, req.StateKey, req.Body); err != nil {
		return nil, answerTo(err, req.RoomID)
	}
	eventID, err := r.Send(ctx, req.RoomID, d, Txn{})
	if err != nil {
		return nil, answerSent(err, req.RoomID)
	}
	return &clientapi.SetRoomStateWithKeyResponse{EventID: eventID}, nil
}

// membershipIn reads the membership in content as a client wrote it, or
// nothing where there is none.
func membershipIn(content raw.Raw) string {
	m, err := raw.Members(content)
	if err != nil {
		return ""
	}
	value, _ := m["membership"].(raw.Raw)
	membership, _ := event.Text(value)
	return membership
}

// sent returns the event of a request, or, where the request is refused, that
// of an earlier one with the same transaction ID: what may no longer be done
// has been done.
//
// Spec: client-server "Transaction identifiers".
func (r *Rooms) sent(ctx context.Context, ids []id.EventID, err error, key *storage.TxnKey) (id.EventID, error) {
	if err == nil {
		return ids[0], nil
	}
	if key == nil || !Refused(err) {
		return "", err
	}
	var earlier id.EventID
	found := r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		earlier, err = sentBefore(ctx, tx, key)
		return err
	})
	switch {
	case found == nil:
		return earlier, nil
	case errors.Is(found, storage.ErrNotFound):
		return "", err
	}
	return "", found
}

// sentBefore is the event that a request with this transaction ID has sent,
// storage.ErrNotFound if there was none.
func sentBefore(ctx context.Context, tx *storage.Reader, key *storage.TxnKey) (id.EventID, error) {
	used, err := tx.Txn(ctx, *key)
	if err != nil {
		return "", err
	}
	events, err := tx.EventIDs(ctx, []int64{used.EventNID})
	return events[used.EventNID], err
}

// changesNothing reports whether an event sets state to what it is already. What
// one of several branches has need not be the room's state.
func (p *Planned) changesNothing() bool {
	return p.branch == nil && p.replaces != nil && p.replaces.Sender == p.Sender && bytes.Equal(p.replaces.Content, p.Content)
}
