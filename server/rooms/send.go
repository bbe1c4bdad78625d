// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// A Txn is the transaction ID of a client's request. The zero Txn is none.
//
// Spec: client-server "Transaction identifiers": the scope is the device and
// the endpoint with its path parameters.
type Txn struct {
	Device   id.DeviceID
	Endpoint string // with its parameters, but for the room
	ID       string
}

// Send puts one event into a room and returns its ID. The same transaction ID again
// has no further effect.
func (r *Rooms) Send(ctx context.Context, roomID id.RoomID, d Draft, txn Txn) (id.EventID, error) {
	if err := fits(d.Content); err != nil {
		return "", err
	}
	nid, err := r.NID(ctx, roomID)
	if err != nil {
		return "", err
	}
	key := txnKey(d.Sender, txn, nid)
	ids, err := r.runJob(ctx, nid, func(ctx context.Context, h *head) (*Plan, error) {
		p, err := r.build(ctx, h, d)
		if err != nil {
			return nil, err
		}
		if r.stateIdempotent && p.changesNothing() {
			return &Plan{existing: p.replaces.ID}, nil
		}
		p.txn = key
		out := &Plan{Events: []*Planned{p}}
		return out, r.addConsequences(ctx, h, out)
	})
	return r.sent(ctx, ids, err, key)
}

// fits refuses content that no event can hold before anything is done for it.
// What counts is its size as it is stored, without the white space and the
// escapes of the client.
//
// Spec: client-server "Size limits".
func fits(content raw.Raw) error {
	if len(content) <= event.MaxSize {
		return nil
	}
	canonical, err := canonjson.Append(nil, content, canonjson.Lenient)
	if err != nil || len(canonical) <= event.MaxSize {
		return nil // what else is wrong, the rules of the room's version say
	}
	return &InvalidContent{
		Reason:   fmt.Sprintf("The content of the event has %d bytes; an event has at most %d", len(canonical), event.MaxSize),
		TooLarge: true,
	}
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

// transaction is the row that makes a client's transaction id idempotent, nil
// without one.
func txnKey(user id.UserID, txn Txn, roomNID int64) *storage.TxnKey {
	if txn.ID == "" {
		return nil
	}
	return &storage.TxnKey{
		UserID: user, DeviceID: txn.Device, TxnID: txn.ID,
		Operation: strconv.FormatInt(roomNID, 10) + "/" + txn.Endpoint,
	}
}
