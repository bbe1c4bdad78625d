// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"fmt"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// Verdicts change: a key turns up that shows a signature to be good, or the
// state of a room is known that was partly missing. What was decided by the old
// verdict is then decided again: the events that the event authorises or comes
// before, the room's extremities, its current state and its members.

// A reevaluation checks the events of a room again from one on. Everything is decided
// first and then written in one transaction.
type reevaluation struct {
	r        *Rooms
	h        *head
	from     int64            // the first event's row
	starts   map[int64]string // states before events that are known better now
	complete bool             // the room's state is not partial any more
	signers  signers

	rows       map[id.EventID]*storage.Event // as they are now thought of
	events     map[int64]*event.Event
	changed    []*storage.Event  // those that are thought of differently, earliest first
	visible    []*storage.Event  // those of them that become visible to clients
	unrejected []*storage.Event  // those of them that are no longer rejected
	redacts    []*receivedCommit // what is redacted because of that
}

// signers are who has signed events, by row. Keys may have to come over the
// network, so it is found out before the room's lane is entered.
type signers map[int64]map[id.ServerName]bool

// reevaluate checks the events of a room again from one on.
func (r *Rooms) reevaluate(ctx context.Context, room *storage.Room, from int64, starts map[int64]string, complete bool) error {
	found, err := r.findSigners(ctx, room, from)
	if err != nil {
		return err
	}
	last, err := r.runAlone(ctx, room.NID, func(ctx context.Context, h *head) (int64, error) {
		c := &reevaluation{
			r: r, h: h, from: from, starts: starts, complete: complete, signers: found,
			rows: map[id.EventID]*storage.Event{}, events: map[int64]*event.Event{},
		}
		if err := c.each(ctx, from, c.look); err != nil {
			return 0, err
		}
		return c.conclude(ctx)
	})
	if err != nil {
		return err
	}
	return r.waitPublished(ctx, last)
}

// findSigners finds out who has signed the rejected events from one on.
func (r *Rooms) findSigners(ctx context.Context, room *storage.Room, from int64) (signers, error) {
	rules, err := roomver.Of(room.RoomVersion)
	if err != nil {
		return nil, err
	}
	c := &reevaluation{r: r, h: &head{room: room, rules: rules}, events: map[int64]*event.Event{}}
	found := signers{}
	err = c.each(ctx, from, func(ctx context.Context, row *storage.Event) error {
		if !row.Rejected {
			return nil
		}
		a := c.inbound(row)
		err := a.findSigners(ctx)
		found[row.NID] = a.signed
		return err
	})
	return found, err
}

// each visits the room's events from one on, in the order in which they were stored:
// each after its auth events, and after its prev_events except late ones.
func (c *reevaluation) each(ctx context.Context, from int64, visit func(context.Context, *storage.Event) error) error {
	var nids []int64
	err := c.r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		nids, err = tx.EventNIDsFrom(ctx, c.h.room.NID, from)
		return err
	})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(nids, eventsPerQuery) {
		var rows []*storage.Event
		err := c.r.db.Read(ctx, func(tx *storage.Reader) (err error) {
			rows, err = tx.EventsByNID(ctx, some)
			return err
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if c.events[row.NID], err = event.Trusted(c.h.rules, row.ID, row.PDU); err != nil {
				return fmt.Errorf("stored event %s: %w", row.ID, err)
			}
			if err := visit(ctx, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// inbound is an event as the checks see it.
func (c *reevaluation) inbound(row *storage.Event) *inbound {
	return &inbound{
		r: c.r, room: c.h.room, rules: c.h.rules, ev: c.events[row.NID], row: row, outcome: Accepted, signed: c.signers[row.NID],
	}
}

// look checks one event again, if a verdict or state that it depends on has changed.
func (c *reevaluation) look(ctx context.Context, row *storage.Event) error {
	c.rows[row.ID] = row
	a := c.inbound(row)
	a.trusted = !row.Rejected
	if _, err := a.loadAuthEvents(ctx); err != nil {
		return err
	}
	c.update(a.auth)
	before, err := c.before(ctx, a)
	if err != nil {
		return err
	}
	partial := row.Partial && !c.complete
	rejected := slices.ContainsFunc(a.auth, func(auth *storage.Event) bool { return auth.Rejected })
	if !row.Rejected && !rejected && before == row.StateBefore && partial == row.Partial {
		return nil
	}
	if err := c.applyRules(ctx, a, before, partial); err != nil {
		return err
	}
	return c.recordVerdict(ctx, a, before, partial)
}

// update puts what is now thought of events in the place of what is stored.
func (c *reevaluation) update(rows []*storage.Event) {
	for i, row := range rows {
		if now := c.rows[row.ID]; now != nil {
			rows[i] = now
		}
	}
}

// before is the state before an event, as it is now. Where not all of its
// previous events are here, the state that was told when it came stays.
func (c *reevaluation) before(ctx context.Context, a *inbound) (string, error) {
	if root, ok := c.starts[a.row.NID]; ok || a.row.Outlier {
		return root, nil
	}
	if err := a.loadPrevious(ctx); err != nil {
		return "", err
	}
	if len(a.missing) > 0 || len(a.previous) == 0 {
		return a.row.StateBefore, nil
	}
	c.update(a.previous)
	roots := make([]string, len(a.previous))
	for i, row := range a.previous {
		roots[i] = row.StateAfter
	}
	return c.r.resolveBy(ctx, c.h.rules, roots, c.verdict)
}

// verdict reports whether an event is now rejected.
func (c *reevaluation) verdict(row *storage.Event) bool {
	if now := c.rows[row.ID]; now != nil {
		return now.Rejected
	}
	return row.Rejected
}

// applyRules does the fourth and the fifth check again.
func (c *reevaluation) applyRules(ctx context.Context, a *inbound, before string, partial bool) error {
	if err := a.judgeByAuthEvents(ctx); err != nil || a.row.Outlier || a.outcome != Accepted {
		return err
	}
	known, err := c.r.stateFor(ctx, a.rules, before, a.ev)
	if err != nil {
		return err
	}
	var state eventauth.State = known
	if partial {
		state = a.withAuthEvents(known)
	}
	return a.applyRules(Rejected, 5, eventauth.Check(a.rules, a.ev, state, a.verify))
}

// recordVerdict records the new verdict on an event, and the states before and after
// it.
func (c *reevaluation) recordVerdict(ctx context.Context, a *inbound, before string, partial bool) error {
	now := *a.row
	now.Rejected, now.Partial, now.Forked = a.outcome == Rejected, partial, true
	if !now.Outlier {
		a.stateBefore, a.states = before, []string{before}
		err := c.r.db.Write(ctx, func(tx *storage.Writer) error { return a.setStates(ctx, tx, &now) })
		if err != nil {
			return err
		}
	}
	if now.Rejected == a.row.Rejected && now.Partial == a.row.Partial && now.StateAfter == a.row.StateAfter && now.StateBefore == a.row.StateBefore {
		return nil
	}
	c.rows[now.ID] = &now
	c.changed = append(c.changed, &now)
	if a.row.Rejected && !now.Rejected && !now.Outlier {
		c.unrejected = append(c.unrejected, &now)
		return c.checkSoftFail(ctx, a, &now)
	}
	return nil
}

// checkSoftFail does the checks by current state on an event that is rejected no more.
// What has come to be accepted before it belongs to that state.
func (c *reevaluation) checkSoftFail(ctx context.Context, a *inbound, now *storage.Event) error {
	roots := []string{c.h.room.StateRoot}
	for _, row := range c.visible {
		roots = append(roots, row.StateAfter)
	}
	root, err := c.r.resolveBy(ctx, a.rules, roots, c.verdict)
	if err != nil {
		return err
	}
	state, err := c.r.stateFor(ctx, a.rules, root, a.ev)
	if err != nil {
		return err
	}
	if err := a.applyRules(SoftFailed, 6, eventauth.Check(a.rules, a.ev, state, a.verify)); err != nil {
		return err
	}
	by, err := c.r.policyNow(ctx, a.rules, a.room.NID)
	if err != nil {
		return err
	}
	if by.via != "" && !a.ev.IsStateOf(typePolicy, "") {
		if why := by.check(a.ev); why != nil {
			a.refuse(SoftFailed, 7, why)
		}
	}
	if now.SoftFailed = a.outcome == SoftFailed; now.SoftFailed {
		return nil
	}
	c.visible = append(c.visible, now)
	return c.h.ensure(ctx, c.r.db, keyCreate, keyPowerLevels) // for countUnread
}
