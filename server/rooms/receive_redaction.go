// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// A redaction is one that applies: target loses what its version does not
// protect.
type redaction struct {
	target *stored
	by     *storage.Event
}

// findRedactions finds the redactions that apply now: the event itself, if its target
// is stored, and those that have waited for the event.
//
// Spec: room version 3 "Handling redactions".
func (p *receivedCommit) findRedactions(ctx context.Context) error {
	return p.r.db.Read(ctx, func(tx *storage.Reader) error {
		if p.row.Redacts != "" && p.outcome == Accepted {
			target, err := p.targetOf(ctx, tx)
			if err != nil {
				return err
			}
			if p.pending = target == nil; !p.pending {
				if err := p.addIfAllowed(ctx, tx, target, p.row); err != nil {
					return err
				}
			}
		}
		if p.outcome == Rejected {
			return nil
		}
		waiting, err := tx.WaitingRedactions(ctx, p.row.ID)
		if err != nil {
			return err
		}
		own := &stored{Event: p.ev, nid: p.row.NID}
		for _, by := range waiting {
			if by = p.now(by); by.RoomNID == p.room.NID && !by.Rejected {
				if err := p.addIfAllowed(ctx, tx, own, by); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// now is an event's current verdict, if that differs from the stored one.
func (p *receivedCommit) now(row *storage.Event) *storage.Event {
	if now := p.verdicts[row.ID]; now != nil {
		return now
	}
	return row
}

// targetOf reads the event that the redaction names, nil if it is not here, or was
// rejected.
func (p *receivedCommit) targetOf(ctx context.Context, tx *storage.Reader) (*stored, error) {
	rows, err := tx.EventsByID(ctx, []id.EventID{p.row.Redacts})
	if err != nil || len(rows) == 0 || rows[0].RoomNID != p.room.NID || rows[0].Outlier || rows[0].NID == p.row.NID || p.now(rows[0]).Rejected {
		return nil, err
	}
	ev, err := eventOf(p.rules, rows[0])
	if err != nil {
		return nil, err
	}
	return &stored{Event: ev, nid: rows[0].NID}, nil
}

// addIfAllowed adds a redaction if it may be applied.
func (p *receivedCommit) addIfAllowed(ctx context.Context, tx *storage.Reader, target *stored, by *storage.Event) error {
	ok := p.rules.RedactionNeedsAuth || by.Sender.Server() == target.Sender.Server()
	if !ok {
		found, err := stateEvents(ctx, tx, p.rules, by.StateBefore, []storage.StateKey{{Type: event.TypeCreate}, {Type: event.TypePowerLevels}})
		if err != nil {
			return err
		}
		state := eventauth.StateMap{}
		for _, s := range found {
			state[s.Key()] = s.Event
		}
		levels := eventauth.PowerLevelsOf(p.rules, state)
		ok = levels.User(by.Sender) >= levels.Redact()
	}
	if ok {
		p.redacts = append(p.redacts, redaction{target, by})
	}
	return nil
}

// isHiddenRedaction reports whether the event is a redaction that clients must not see:
// it does not apply, or its target is missing.
//
// Spec: room version 3 "Handling redactions": "they should not be sent to
// clients until both the redaction event and the event the redaction affects
// have been received, and can be validated".
func (p *receivedCommit) isHiddenRedaction() bool {
	if p.outcome != Accepted || p.row.Redacts == "" || p.rules.RedactionNeedsAuth {
		return false
	}
	for _, red := range p.redacts {
		if red.by == p.row {
			return false
		}
	}
	return true
}

// writeRedaction applies a redaction. One that has waited for its target becomes
// visible at the returned position.
func (p *receivedCommit) writeRedaction(ctx context.Context, tx *storage.Writer, red redaction) (int64, error) {
	if err := p.r.writeRedacted(ctx, tx, p.room.NID, red.target, red.by.NID); err != nil {
		return 0, err
	}
	if red.target.nid == p.row.NID {
		p.unread = unread{} // it is redacted as it arrives
	}
	if red.target.IsState() && red.target.Key() == keyGuestAccess { // what is left lets no guest in
		if err := p.r.removeGuestsLater(p.room.NID)(ctx, tx); err != nil {
			return 0, err
		}
	}
	if red.by == p.row {
		return 0, nil
	}
	if err := tx.DeleteWaitingRedaction(ctx, p.row.ID, red.by.NID); err != nil || !red.by.SoftFailed {
		return 0, err
	}
	shown := *red.by
	shown.SoftFailed = false
	var err error
	if shown.Pos, err = tx.ReservePosition(ctx); err != nil {
		return 0, err
	}
	if err := tx.PutVerdict(ctx, &shown); err != nil {
		return 0, err
	}
	return shown.Pos, tx.InsertChange(ctx, storage.Change{Pos: shown.Pos, Kind: string(feed.KindEvent), RoomNID: p.room.NID, Ref: shown.NID})
}
