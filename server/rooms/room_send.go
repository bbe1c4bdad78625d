// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"bytes"
	"context"
	"errors"

	"touchstone.example/api"
	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
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
	if err := r.mayInviteByState(ctx, who, req.EventType, req.StateKey, req.Body); err != nil {
		return nil, err
	}
	eventID, err := r.send(ctx, who, req.RoomID, d, "", "")
	if err != nil {
		return nil, err
	}
	return &clientapi.SetRoomStateWithKeyResponse{EventID: eventID}, nil
}

// membershipIn reads the membership in content as a client wrote it, or
// nothing where there is none.
func membershipIn(content api.Raw) string {
	m, err := members(content)
	if err != nil {
		return ""
	}
	raw, _ := m["membership"].(api.Raw)
	membership, _ := event.Text(raw)
	return membership
}

// send puts one event into a room. With an endpoint and a transaction ID, the
// same request again has no further effect.
func (r *Rooms) send(ctx context.Context, who api.Caller, roomID id.RoomID, d draft, endpoint, txnID string) (id.EventID, error) {
	if err := fits(d.Content); err != nil {
		return "", err
	}
	nid, err := r.roomNID(ctx, roomID)
	if err != nil {
		return "", err
	}
	ids, err := r.add(ctx, nid, func(ctx context.Context, h *head) (*plan, error) {
		d := d // it may run again
		if d.StateKey != nil && d.Type == event.TypeMember && membershipIn(d.Content) == "join" {
			if err := r.admitGuest(ctx, h, who); err != nil {
				return nil, err
			}
			if d.Content, err = r.vouchByState(ctx, h, d); err != nil {
				return nil, err
			}
		}
		p, err := r.extend(ctx, h, d)
		if err != nil {
			return nil, badEvent(err)
		}
		if r.departs.StateIdempotent && p.changesNothing() {
			return &plan{same: p.replaces.ID}, nil
		}
		if endpoint != "" {
			p.txn = transaction(who, endpoint, nid, txnID)
		}
		leaves, rest, err := r.dismissGuests(ctx, h, p)
		return &plan{events: append([]*planned{p}, leaves...), also: rest}, err
	})
	return r.sent(ctx, ids, err, transaction(who, endpoint, nid, txnID))
}

// fits refuses content that no event can hold before anything is done for it.
// What counts is its size as it is stored, without the white space and the
// escapes of the client.
//
// Spec: client-server "Size limits".
func fits(content api.Raw) error {
	if len(content) <= event.MaxSize {
		return nil
	}
	canonical, err := canonjson.Append(nil, content, canonjson.Lenient)
	if err != nil || len(canonical) <= event.MaxSize {
		return nil // what else is wrong, the rules of the room's version say
	}
	return api.TooLarge("The content of the event has %d bytes; an event has at most %d", len(canonical), event.MaxSize)
}

// badEvent tells what nobody may send from what this user may not.
//
// Spec: client-server setRoomStateWithKey: 400 is for a request that is
// malformed, 403 for a lack of permission.
func badEvent(err error) error {
	var rejection *eventauth.Rejection
	if errors.As(err, &rejection) && rejection.Malformed {
		return &api.Error{Status: 400, ErrCode: "M_BAD_JSON", Msg: rejection.Reason, Err: err}
	}
	return err
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
	var refused *api.Error
	if key.TxnID == "" || !errors.As(err, &refused) {
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
func (p *planned) changesNothing() bool {
	return p.branch == nil && p.replaces != nil && p.replaces.Sender == p.Sender && bytes.Equal(p.replaces.Content, p.Content)
}
