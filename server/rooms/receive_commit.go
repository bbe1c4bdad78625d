// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// storeOutlier stores the event as an outlier: with its row it has a number, which the
// state after it needs, and nothing of it shows yet. Another process may have
// done so meanwhile.
func (a *inbound) storeOutlier(ctx context.Context) error {
	row := a.newRow()
	err := a.r.db.Write(ctx, func(tx *storage.Writer) (err error) {
		if a.row != nil {
			row.NID = a.row.NID
		} else if row.NID, err = tx.NextID(ctx, "events"); err != nil {
			return err
		}
		if err := a.setStates(ctx, tx, row); err != nil {
			return err
		}
		if a.row == nil {
			return insert(ctx, tx, row)
		}
		still, err := tx.PutOutlier(ctx, row)
		if err == nil && !still {
			err = storage.ErrExists
		}
		return err
	})
	if errors.Is(err, storage.ErrExists) {
		switch err := a.loadStored(ctx); {
		case err != nil:
			return err
		case a.wasRejected: // it has been rejected meanwhile
			return a.answerKnown(a.row)
		}
		return a.storeOutlier(ctx)
	}
	if err == nil {
		a.row = row
	}
	return err
}

// newRow is the event's row as an outlier.
func (a *inbound) newRow() *storage.Event {
	row := &storage.Event{
		ID: a.ev.ID, RoomNID: a.room.NID, Type: a.ev.Type, StateKey: a.ev.StateKey, Sender: a.ev.Sender,
		Depth: a.depth(), OriginServerTS: a.ev.OriginServerTS, Redacts: a.ev.Redacts(),
		PDU: a.ev.PDU(), Client: a.ev.SyncJSON(), Outlier: true, Rejected: a.outcome == Rejected,
	}
	for _, auth := range a.auth {
		row.AuthNIDs = append(row.AuthNIDs, auth.NID)
	}
	return row
}

// depth is the event's depth in the room: greater than that of all its prev_events,
// whatever the event itself says. Its own depth counts if not all prev_events are
// known.
func (a *inbound) depth() int64 {
	var behind int64
	for _, row := range a.previous {
		behind = max(behind, row.Depth)
	}
	if len(a.missing) == 0 {
		return event.DepthAfter(a.rules, behind)
	}
	return max(a.ev.Depth, event.DepthAfter(a.rules, behind))
}

// setStates puts the states before and after the event into its row.
func (a *inbound) setStates(ctx context.Context, tx *storage.Writer, row *storage.Event) (err error) {
	row.StateBefore, row.StateAfter, row.ReplacesNID = a.stateBefore, a.stateBefore, 0
	if row.StateKey == nil || len(a.states) == 0 && a.ev.Type != event.TypeCreate {
		return nil
	}
	key := storage.StateKey{Type: row.Type, Key: *row.StateKey}
	found, err := tx.StateGet(ctx, a.stateBefore, key)
	if err != nil {
		return err
	}
	row.ReplacesNID = found[key]
	if !row.Rejected {
		row.StateAfter, err = tx.StateApply(ctx, a.stateBefore, storage.StateSet{StateKey: key, NID: row.NID})
	}
	return err
}

// commitReceived runs the last check on an event and makes it part of its room, in one
// transaction with everything that follows from that.
func (r *Rooms) commitReceived(ctx context.Context, a *inbound) error {
	outcome, check, why := a.outcome, a.check, a.reason
	last, err := r.runAlone(ctx, a.room.NID, func(ctx context.Context, h *head) (int64, error) {
		a.outcome, a.check, a.reason = outcome, check, why // of an earlier try
		p := &receivedCommit{inbound: a, h: h, root: h.room.StateRoot}
		if err := p.plan(ctx); err != nil {
			return 0, err
		}
		if err := p.write(ctx); err != nil {
			return 0, err
		}
		return p.last, nil
	})
	if err != nil {
		return err
	}
	return r.waitPublished(ctx, last)
}

// A receivedCommit is the commit of one received event.
type receivedCommit struct {
	*inbound
	h                   *head
	followed            bool      // a stored event has it as prev_event, so that it is no forward extremity
	replacedExtremities []*stored // extremities that it replaces
	otherExtremities    []*stored // the other ones
	root                string    // the room's current state afterwards
	delta               []stateChange
	unread              unread
	redacts             []redaction
	pending             bool  // a redaction whose target is not here
	last                int64 // position of what it writes

	verdicts map[id.EventID]*storage.Event // that are about to be stored
}

// plan decides everything and writes nothing.
func (p *receivedCommit) plan(ctx context.Context) error {
	err := p.r.db.Read(ctx, func(tx *storage.Reader) error {
		now, err := tx.Event(ctx, p.row.ID)
		if err != nil {
			return err
		}
		if !now.Outlier {
			return p.answerKnown(now)
		}
		if p.followed, err = tx.HasSuccessors(ctx, p.room.NID, p.row.ID); err != nil {
			return err
		}
		return p.verdictsUnchanged(ctx, tx)
	})
	if err != nil {
		return err
	}
	if err := p.checkSoftFail(ctx, p.h); err != nil {
		return err
	}
	if p.outcome == Accepted {
		if err := p.findExtremities(ctx); err != nil {
			return err
		}
	}
	if err := p.findRedactions(ctx); err != nil {
		return err
	}
	p.row.Outlier, p.row.SoftFailed, p.row.Partial = false, p.outcome == SoftFailed || p.isHiddenRedaction(), p.partialState
	p.row.Forked = p.row.StateBefore != p.h.room.StateRoot
	if !p.visible() {
		return nil
	}
	p.unread, err = p.r.countUnreadLate(ctx, p.h, p.ev, p.row)
	return err
}

// verdictsUnchanged returns errStaleVerdicts if an auth event or prev_event has been
// rejected, accepted or resolved again since the checks read it.
func (p *receivedCommit) verdictsUnchanged(ctx context.Context, tx *storage.Reader) error {
	was := make(map[int64]*storage.Event, len(p.auth)+len(p.previous))
	var nids []int64
	for _, row := range slices.Concat(p.auth, p.previous) {
		was[row.NID] = row
		nids = append(nids, row.NID)
	}
	now, err := tx.EventsByNID(ctx, nids)
	for _, row := range now {
		if w := was[row.NID]; w.Rejected != row.Rejected || w.StateAfter != row.StateAfter || w.Partial != row.Partial {
			return errStaleVerdicts
		}
	}
	return err
}

// visible reports whether clients are sent the event.
func (p *receivedCommit) visible() bool { return p.outcome == Accepted && !p.isHiddenRedaction() }

// findExtremities finds the room's extremities and its current state with the event.
func (p *receivedCommit) findExtremities(ctx context.Context) error {
	behind, err := p.effectivePrevEvents(ctx)
	if err != nil {
		return err
	}
	for _, tip := range p.h.extremities {
		if behind[tip.nid] {
			p.replacedExtremities = append(p.replacedExtremities, tip)
		} else {
			p.otherExtremities = append(p.otherExtremities, tip)
		}
	}
	if p.followed && len(p.replacedExtremities) == 0 {
		return nil // history: what follows it is here already
	}
	nids := numbers(p.otherExtremities)
	var roots []string
	if !p.followed {
		roots = append(roots, p.row.StateAfter)
	}
	if len(nids) > 0 {
		err = p.r.db.Read(ctx, func(tx *storage.Reader) error {
			rows, err := tx.EventsByNID(ctx, nids)
			for _, row := range rows {
				roots = append(roots, row.StateAfter)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if p.root, err = p.r.resolve(ctx, p.rules, roots); err != nil {
		return err
	}
	p.delta, err = p.r.stateDelta(ctx, p.h, p.root, &stored{Event: p.ev, nid: p.row.NID})
	return err
}

// effectivePrevEvents returns the rows of the event's prev_events; where one is
// rejected or soft-failed, also that one's prev_events. None of them stays a forward
// extremity.
//
// Spec: server-server "Rejection" and "Soft failure".
func (p *receivedCommit) effectivePrevEvents(ctx context.Context) (map[int64]bool, error) {
	behind := map[int64]bool{}
	next := p.previous
	for len(next) > 0 {
		row := next[0]
		next = next[1:]
		if behind[row.NID] {
			continue
		}
		behind[row.NID] = true
		if !row.Rejected && !row.SoftFailed {
			continue
		}
		ev, err := event.Trusted(p.rules, row.ID, row.PDU)
		if err != nil {
			return nil, fmt.Errorf("stored event %s: %w", row.ID, err)
		}
		rows, _, err := p.load(ctx, ev.PrevEvents)
		if err != nil {
			return nil, err
		}
		next = append(next, rows...)
	}
	return behind, nil
}

// write writes everything, if the room's version is unchanged.
func (p *receivedCommit) write(ctx context.Context) error {
	room := *p.h.room
	err := p.r.db.Write(ctx, func(tx *storage.Writer) error {
		room = *p.h.room
		if p.unrejects() && (room.ReevaluateFrom == 0 || p.row.NID < room.ReevaluateFrom) {
			room.ReevaluateFrom = p.row.NID
		}
		room.StateRoot, room.MaxDepth = p.root, max(room.MaxDepth, p.row.Depth)
		room.OutOfOrder = room.OutOfOrder || p.outOfOrder()
		p.row.Pos, p.last = 0, 0
		if err := tx.CommitRoom(ctx, &room); err != nil {
			return err
		}
		if err := p.writeGraph(ctx, tx); err != nil {
			return err
		}
		if err := p.r.removeGuestsAfter(ctx, tx, room.NID, p.delta); err != nil {
			return err
		}
		for _, red := range p.redacts {
			pos, err := p.writeRedaction(ctx, tx, red)
			if err != nil {
				return err
			}
			p.last = max(p.last, pos)
		}
		if p.visible() {
			return p.writeVisible(ctx, tx, &room)
		}
		return p.writeHidden(ctx, tx, &room)
	})
	if err != nil {
		return err
	}
	room.Version++
	p.h.room = &room
	if p.outcome == Accepted && !(p.followed && len(p.replacedExtremities) == 0) {
		p.h.extremities = p.otherExtremities
		if !p.followed {
			p.h.extremities = append(slices.Clone(p.otherExtremities), &stored{Event: p.ev, nid: p.row.NID, depth: p.row.Depth})
		}
	}
	p.h.applyDelta(p.delta)
	for _, red := range p.redacts {
		p.h.redactInHead(red.target)
	}
	return nil
}

// outOfOrder reports whether clients will receive an event out of topological order:
// this event, or a redaction that waited for it. At the same depth the row's number
// decides, which grows with time only within one process.
func (p *receivedCommit) outOfOrder() bool {
	return p.visible() && p.row.Depth <= p.h.room.MaxDepth ||
		slices.ContainsFunc(p.redacts, func(red redaction) bool { return red.by != p.row })
}

// unrejects reports whether the event was rejected as an outlier and is not now: others
// may have been rejected because of it.
func (p *receivedCommit) unrejects() bool { return p.wasRejectedOutlier && p.outcome != Rejected }

// writeGraph updates the forward and backward extremities.
func (p *receivedCommit) writeGraph(ctx context.Context, tx *storage.Writer) error {
	if p.followed {
		if _, err := tx.DeleteBackwardExtremity(ctx, p.room.NID, p.row.ID); err != nil {
			return err
		}
	}
	for _, missing := range p.missing {
		if err := tx.InsertBackwardExtremity(ctx, p.room.NID, missing, p.row.NID); err != nil {
			return err
		}
	}
	if p.pending {
		if err := tx.InsertWaitingRedaction(ctx, p.row.Redacts, p.row.NID); err != nil {
			return err
		}
	}
	for _, tip := range p.replacedExtremities {
		if err := tx.DeleteForwardExtremity(ctx, p.room.NID, tip.nid); err != nil {
			return err
		}
	}
	if p.outcome == Accepted && !p.followed {
		return tx.InsertForwardExtremity(ctx, p.room.NID, p.row.NID)
	}
	return nil
}

// writeHidden writes an event that clients do not see. What it does to the room's
// state they do: branches may meet in a redaction that is hidden.
func (p *receivedCommit) writeHidden(ctx context.Context, tx *storage.Writer, room *storage.Room) (err error) {
	if err := tx.PutVerdict(ctx, p.row); err != nil || len(p.delta) == 0 {
		return err
	}
	if p.last, err = tx.ReservePosition(ctx); err != nil {
		return err
	}
	at := &storage.Event{RoomNID: room.NID, Pos: p.last}
	if err := p.r.writeDelta(ctx, tx, at, room.StateRoot, p.delta); err != nil {
		return err
	}
	return announceDelta(ctx, tx, at, p.delta)
}

// writeVisible writes the rows with the event's position.
func (p *receivedCommit) writeVisible(ctx context.Context, tx *storage.Writer, room *storage.Room) (err error) {
	if p.row.Pos, err = tx.ReservePosition(ctx); err != nil {
		return err
	}
	p.last = p.row.Pos
	if err := tx.PutVerdict(ctx, p.row); err != nil {
		return err
	}
	if err := p.r.announce(ctx, tx, p.row, p.unread); err != nil {
		return err
	}
	if err := p.r.writeDelta(ctx, tx, p.row, room.StateRoot, p.delta); err != nil {
		return err
	}
	return announceDelta(ctx, tx, p.row, p.delta)
}
