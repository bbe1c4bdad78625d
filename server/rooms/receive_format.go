// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"

	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// checkFormat reads the event in the format of its room's version and checks whether it
// was received before.
//
// Spec: server-server "Checks performed on receipt of a PDU", 1.
func (a *inbound) checkFormat(ctx context.Context) error {
	ev, err := event.Parse(a.rules, a.pdu)
	if err != nil {
		return &drop{err}
	}
	if ev.RoomID != a.room.ID {
		return dropped("the event is of room %s", ev.RoomID)
	}
	a.ev = ev
	return a.loadStored(ctx)
}

// answerKnown ends the checks of an event that is part of the room already.
func (a *inbound) answerKnown(row *storage.Event) error {
	a.outcome, a.check, a.reason = Accepted, 0, nil
	switch {
	case row.Rejected:
		a.outcome = Rejected
	case row.SoftFailed:
		a.outcome = SoftFailed
	}
	return errKnown
}

// loadStored reads the event's stored row. An event that is part of the room keeps its
// verdict; an outlier and a rejected one are checked again.
func (a *inbound) loadStored(ctx context.Context) error {
	var row *storage.Event
	err := a.r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		row, err = tx.Event(ctx, a.ev.ID)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if row.RoomNID != a.room.NID {
		return dropped("the event is known as one of another room")
	}
	if !row.Outlier && !row.Rejected {
		return a.answerKnown(row)
	}
	a.wasRejected, a.wasRejectedOutlier = !row.Outlier, row.Rejected
	// The bytes that were stored first stay, whatever was sent now. Only the policy
	// server's signature may be new.
	a.receivedSignatures = event.Member(a.ev.PDU(), "signatures")
	if a.ev, err = event.Trusted(a.rules, row.ID, row.PDU); err != nil {
		return err
	}
	a.row = row
	return a.findSigners(ctx)
}
