// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/storage"
)

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
