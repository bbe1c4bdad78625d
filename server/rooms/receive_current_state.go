// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"

	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/storage"
)

// checkCurrentState soft-fails an event that the room's current state does not allow,
// and commits it, all in the room's queue.
//
// Spec: server-server "Checks performed on receipt of a PDU", 6; "Soft failure".
func (a *inbound) checkCurrentState(ctx context.Context) error {
	if a.wasRejected {
		return a.reevaluate(ctx)
	}
	if err := a.storeOutlier(ctx); err != nil {
		return err
	}
	if err := a.r.commitReceived(ctx, a); err != nil || !a.wasRejectedOutlier || a.outcome == Rejected {
		return err
	}
	return a.r.reevaluate(ctx, a.room, a.row.NID, nil, false)
}

// reevaluate ends the checks of an event that was rejected before. If it would be
// accepted now, the room's events from it on are checked again.
func (a *inbound) reevaluate(ctx context.Context) error {
	if a.outcome == Accepted {
		if err := a.r.reevaluate(ctx, a.room, a.row.NID, nil, false); err != nil {
			return err
		}
	}
	var row *storage.Event
	err := a.r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		row, err = tx.Event(ctx, a.row.ID)
		return err
	})
	if err != nil {
		return err
	}
	return a.answerKnown(row)
}

// checkSoftFail applies the checks by current state to an event that was not rejected.
func (a *inbound) checkSoftFail(ctx context.Context, h *head) error {
	keys := append(eventauth.AuthKeysOf(a.ev), keyCreate, keyPowerLevels)
	policyState := event.StateKey{Type: typePolicy}
	if err := h.ensure(ctx, a.r.db, append(keys, policyState)...); err != nil {
		return err
	}
	if a.outcome != Accepted {
		return nil
	}
	var state eventauth.State = h
	if h.room.Partial {
		state = a.withAuthEvents(h)
	}
	if err := a.applyRules(SoftFailed, 6, eventauth.Check(a.rules, a.ev, state, a.verify)); err != nil {
		return err
	}
	if a.ev.IsStateOf(typePolicy, "") || a.origin == a.r.name {
		return nil // whose events are signed before they are sent
	}
	return a.checkPolicyVerdict(ctx, h)
}

// checkPolicyVerdict applies the verdict of the policy server, if it is still the
// room's.
func (a *inbound) checkPolicyVerdict(ctx context.Context, h *head) error {
	var now policy
	if ev := h.Event(typePolicy, ""); ev != nil {
		now = policyOf(ev)
		var in bool
		err := a.r.db.Read(ctx, func(tx *storage.Reader) (err error) {
			in, err = tx.ServerJoined(ctx, h.room.NID, now.via)
			return err
		})
		if err != nil {
			return err
		}
		if !in {
			now = policy{}
		}
	}
	if now.via != a.policy.by.via || !now.key.Equal(a.policy.by.key) {
		return errStaleVerdicts
	}
	if a.policy.reason != nil {
		a.refuse(SoftFailed, 7, a.policy.reason)
	}
	return nil
}
