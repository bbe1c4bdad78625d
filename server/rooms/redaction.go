// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
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
	content := raw.Object{}
	if req.Body.Reason.Set {
		content["reason"] = req.Body.Reason.Value
	}
	d := Draft{Sender: who.User, Type: event.TypeRedaction, Content: content.Encode(), Redacts: req.EventID}
	eventID, err := r.Send(ctx, req.RoomID, d, Txn{who.Device, "redact/" + string(req.EventID), req.TxnID})
	if err != nil {
		return nil, answerRedaction(err, req.RoomID, d.Redacts)
	}
	return &clientapi.RedactEventResponse{EventID: api.Some(eventID)}, nil
}

// sendRedaction is a redaction through the operation for any event.
//
// Spec: client-server sendMessage, "redactions since v1.18".
func (r *Rooms) sendRedaction(ctx context.Context, who api.Caller, req *clientapi.SendMessageRequest) (*clientapi.SendMessageResponse, error) {
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
	d := Draft{Sender: who.User, Type: event.TypeRedaction, Content: content.Encode(), Redacts: redacts}
	eventID, err := r.Send(ctx, req.RoomID, d, Txn{who.Device, "send/" + event.TypeRedaction, req.TxnID})
	if err != nil {
		return nil, answerRedaction(err, req.RoomID, d.Redacts)
	}
	return &clientapi.SendMessageResponse{EventID: eventID}, nil
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
		return nil, ErrUnknownEvent
	}
	if err != nil {
		return nil, fmt.Errorf("find event %s: %w", target, err)
	}
	if found.Sender != ev.Sender && eventauth.PowerLevelsOf(h.rules, h).User(ev.Sender) < eventauth.PowerLevelsOf(h.rules, h).Redact() {
		return nil, refuse(RuleRedaction, "Your power level is too low to redact events of others")
	}
	return found, nil
}
