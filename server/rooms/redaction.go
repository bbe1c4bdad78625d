// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/storage"
)

var _ clientapi.Redaction = (*Rooms)(nil)

// RedactEvent strips an event of what its room version does not protect.
//
// Spec: client-server redactEvent.
func (r *Rooms) RedactEvent(ctx context.Context, who api.Caller, req *clientapi.RedactEventRequest) (*clientapi.RedactEventResponse, error) {
	content := object{}
	if req.Body.Reason.Set {
		content["reason"] = req.Body.Reason.Value
	}
	d := draft{Sender: who.User, Type: event.TypeRedaction, Content: content.encode(), Redacts: req.EventID}
	eventID, err := r.redact(ctx, who, req.RoomID, d, "redact/"+string(req.EventID), req.TxnID)
	if err != nil {
		return nil, err
	}
	return &clientapi.RedactEventResponse{EventID: api.Some(eventID)}, nil
}

// sendRedaction is a redaction through the operation for any event.
//
// Spec: client-server sendMessage, "redactions since v1.18".
func (r *Rooms) sendRedaction(ctx context.Context, who api.Caller, req *clientapi.SendMessageRequest) (*clientapi.SendMessageResponse, error) {
	content, err := members(req.Body)
	if err != nil {
		return nil, api.BadJSON("%s", err)
	}
	raw, _ := content["redacts"].(api.Raw)
	target, ok := event.Text(raw)
	if !ok {
		return nil, api.BadJSON("redacts is missing")
	}
	redacts, err := id.ParseEventID(target)
	if err != nil {
		return nil, api.BadJSON("redacts: %s", err)
	}
	delete(content, "redacts") // the room version says where it stands
	d := draft{Sender: who.User, Type: event.TypeRedaction, Content: content.encode(), Redacts: redacts}
	eventID, err := r.redact(ctx, who, req.RoomID, d, "send/"+event.TypeRedaction, req.TxnID)
	if err != nil {
		return nil, err
	}
	return &clientapi.SendMessageResponse{EventID: eventID}, nil
}

func (r *Rooms) redact(ctx context.Context, who api.Caller, roomID id.RoomID, d draft, endpoint, txnID string) (id.EventID, error) {
	nid, err := r.roomNID(ctx, roomID)
	if err != nil {
		return "", err
	}
	ids, err := r.add(ctx, nid, func(ctx context.Context, h *head) (*plan, error) {
		p, err := r.extend(ctx, h, d)
		if err != nil {
			return nil, err
		}
		if p.redacts, err = r.redactable(ctx, h, p.Event, d.Redacts); err != nil {
			return nil, err
		}
		p.txn = transaction(who, endpoint, nid, txnID)
		leaves, rest, err := r.dismissGuests(ctx, h, p)
		return &plan{events: append([]*planned{p}, leaves...), also: rest}, err
	})
	return r.sent(ctx, ids, err, transaction(who, endpoint, nid, txnID))
}

// redactable finds the event that a redaction names and checks that its sender
// may redact it: their own, or with the level for it anybody's.
//
// Spec: room version 3 "Handling redactions"; client-server "Redactions".
func (r *Rooms) redactable(ctx context.Context, h *head, ev *event.Event, target id.EventID) (*stored, error) {
	if err := h.ensure(ctx, r.db, keyCreate, keyPowerLevels); err != nil {
		return nil, err
	}
	var found *stored
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		row, err := tx.Event(ctx, target)
		if err != nil {
			return err
		}
		if row.RoomNID != h.room.NID || row.Rejected || row.Outlier {
			return storage.ErrNotFound
		}
		evs, err := readEvents(ctx, tx, h.rules, []int64{row.NID})
		if err != nil {
			return err
		}
		found = evs[0]
		return nil
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, api.NotFound("Event %s is not in this room", target)
	}
	if err != nil {
		return nil, fmt.Errorf("find event %s: %w", target, err)
	}
	if found.Sender != ev.Sender && eventauth.PowerLevelsOf(h.rules, h).User(ev.Sender) < eventauth.PowerLevelsOf(h.rules, h).Redact() {
		return nil, api.Forbidden("Your power level is too low to redact events of others")
	}
	return found, nil
}
