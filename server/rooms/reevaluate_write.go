// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// conclude finds what follows for the room and writes everything. It returns the
// last position that it used.
func (c *reevaluation) conclude(ctx context.Context) (last int64, err error) {
	if err := c.findRedactions(ctx); err != nil {
		return 0, err
	}
	tips, err := c.forwardExtremities(ctx)
	if err != nil {
		return 0, err
	}
	roots := make([]string, len(tips))
	for i, row := range tips {
		roots[i] = row.StateAfter
	}
	root, err := c.r.resolveBy(ctx, c.h.rules, roots, c.verdict)
	if err != nil {
		return 0, err
	}
	moves, err := c.r.stateDelta(ctx, c.h, root, nil)
	if err != nil {
		return 0, err
	}
	counts := make(map[int64]unread, len(c.visible))
	for _, row := range c.visible {
		if counts[row.NID], err = c.r.countUnreadLate(ctx, c.h, c.events[row.NID], row); err != nil {
			return 0, err
		}
	}
	room := *c.h.room
	err = c.r.db.Write(ctx, func(tx *storage.Writer) (err error) {
		room = *c.h.room
		room.StateRoot, room.ReevaluateFrom, room.Partial = root, 0, room.Partial && !c.complete
		last, err = c.write(ctx, tx, &room, tips, moves, counts)
		return err
	})
	if err != nil {
		return 0, err
	}
	room.Version++
	c.h.room, c.h.extremities = &room, nil
	for _, row := range tips {
		c.h.extremities = append(c.h.extremities, &stored{Event: c.events[row.NID], nid: row.NID, depth: row.Depth})
	}
	c.h.applyDelta(moves)
	for _, p := range c.redacts {
		for _, red := range p.redacts {
			c.h.redactInHead(red.target)
		}
	}
	return last, nil
}

// write returns the last position that it used, 0 if clients see no change.
func (c *reevaluation) write(ctx context.Context, tx *storage.Writer, room *storage.Room, tips []*storage.Event, moves []stateChange, counts map[int64]unread) (int64, error) {
	room.OutOfOrder = room.OutOfOrder || len(c.visible) > 0 || len(c.redacts) > 0
	if err := tx.CommitRoom(ctx, room); err != nil {
		return 0, err
	}
	for _, tip := range c.h.extremities {
		if !slices.ContainsFunc(tips, func(row *storage.Event) bool { return row.NID == tip.nid }) {
			if err := tx.DeleteForwardExtremity(ctx, room.NID, tip.nid); err != nil {
				return 0, err
			}
		}
	}
	for _, row := range tips {
		if !slices.ContainsFunc(c.h.extremities, func(tip *stored) bool { return row.NID == tip.nid }) {
			if err := tx.InsertForwardExtremity(ctx, room.NID, row.NID); err != nil {
				return 0, err
			}
		}
	}
	at := storage.Event{RoomNID: room.NID} // where clients hear of the state
	for _, row := range c.changed {
		show := slices.Contains(c.visible, row)
		if show {
			var err error
			if row.Pos, err = tx.ReservePosition(ctx); err != nil {
				return 0, err
			}
		}
		if err := tx.PutVerdict(ctx, row); err != nil {
			return 0, err
		}
		if show {
			if err := c.r.announce(ctx, tx, row, counts[row.NID]); err != nil {
				return 0, err
			}
			at.Pos = row.Pos
		}
	}
	if len(moves) > 0 {
		if err := c.r.removeGuestsAfter(ctx, tx, room.NID, moves); err != nil {
			return 0, err
		}
		if at.Pos == 0 {
			var err error
			if at.Pos, err = tx.ReservePosition(ctx); err != nil {
				return 0, err
			}
		}
		if err := c.r.writeDelta(ctx, tx, &at, room.StateRoot, moves); err != nil {
			return 0, err
		}
		if err := announceDelta(ctx, tx, &at, moves); err != nil {
			return 0, err
		}
	}
	last, err := c.writeRedactions(ctx, tx)
	if err != nil {
		return 0, err
	}
	return max(at.Pos, last), nil
}

// findRedactions finds which redactions apply now that verdicts have changed:
// those that are rejected no more, and those that have waited for their target.
func (c *reevaluation) findRedactions(ctx context.Context) error {
	for _, row := range c.unrejected {
		p := &receivedCommit{inbound: c.inbound(row), h: c.h, verdicts: c.rows}
		if row.SoftFailed {
			p.outcome = SoftFailed
		}
		if err := p.findRedactions(ctx); err != nil {
			return err
		}
		if p.isHiddenRedaction() {
			row.SoftFailed = true
			c.visible = slices.DeleteFunc(c.visible, func(s *storage.Event) bool { return s == row })
		}
		c.redacts = append(c.redacts, p)
	}
	return nil
}

// writeRedactions returns the last position that it used.
func (c *reevaluation) writeRedactions(ctx context.Context, tx *storage.Writer) (last int64, err error) {
	for _, p := range c.redacts {
		if p.pending {
			if err := tx.InsertWaitingRedaction(ctx, p.row.Redacts, p.row.NID); err != nil {
				return 0, err
			}
		}
		for _, red := range p.redacts {
			pos, err := p.writeRedaction(ctx, tx, red)
			if err != nil {
				return 0, err
			}
			last = max(last, pos)
		}
	}
	return last, nil
}

// forwardExtremities are the room's extremities as verdicts are now: events that new ones may
// follow, and that none such follows already.
func (c *reevaluation) forwardExtremities(ctx context.Context) ([]*storage.Event, error) {
	candidates := map[int64]*storage.Event{}
	var rows []*storage.Event
	for _, tip := range c.h.extremities {
		rows = append(rows, &storage.Event{ID: tip.ID, NID: tip.nid})
	}
	if err := c.load(ctx, rows); err != nil {
		return nil, err
	}
	for _, row := range append(rows, c.visible...) {
		row = c.rows[row.ID]
		if mayFollow(row) {
			candidates[row.NID] = row
			continue
		}
		behind, err := c.effectivePrevEvents(ctx, row)
		if err != nil {
			return nil, err
		}
		for _, b := range behind {
			if mayFollow(b) {
				candidates[b.NID] = b
			}
		}
	}
	return c.unfollowed(ctx, candidates)
}

// mayFollow reports whether new events may have an event as prev_event.
func mayFollow(row *storage.Event) bool { return !row.Outlier && !row.Rejected && !row.SoftFailed }

// unfollowed drops the candidates that an event follows which new ones may
// follow.
func (c *reevaluation) unfollowed(ctx context.Context, candidates map[int64]*storage.Event) ([]*storage.Event, error) {
	oldest := c.from
	for nid := range candidates {
		oldest = min(oldest, nid)
	}
	var open []*storage.Event
	err := c.each(ctx, oldest, func(_ context.Context, row *storage.Event) error {
		if c.rows[row.ID] == nil {
			c.rows[row.ID] = row
		}
		if now := c.rows[row.ID]; mayFollow(now) {
			open = append(open, now)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, row := range open {
		behind, err := c.effectivePrevEvents(ctx, row)
		if err != nil {
			return nil, err
		}
		for _, b := range behind {
			delete(candidates, b.NID)
		}
	}
	out := make([]*storage.Event, 0, len(candidates))
	for _, row := range candidates {
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b *storage.Event) int { return int(a.NID - b.NID) })
	return out, nil
}

// effectivePrevEvents lists an event's prev_events; where one is rejected or
// soft-failed, also that one's prev_events.
func (c *reevaluation) effectivePrevEvents(ctx context.Context, row *storage.Event) ([]*storage.Event, error) {
	var out []*storage.Event
	seen := map[id.EventID]bool{row.ID: true}
	for next := []*storage.Event{row}; len(next) > 0; next = next[1:] {
		var prevs []*storage.Event
		for _, prev := range c.events[next[0].NID].PrevEvents {
			if !seen[prev] {
				seen[prev] = true
				prevs = append(prevs, &storage.Event{ID: prev})
			}
		}
		if err := c.load(ctx, prevs); err != nil {
			return nil, err
		}
		for _, prev := range prevs {
			now := c.rows[prev.ID]
			if now == nil {
				continue // not here
			}
			out = append(out, now)
			if !mayFollow(now) && !now.Outlier {
				next = append(next, now)
			}
		}
	}
	return out, nil
}

// load makes sure that rows has the events with these IDs, as far as they are
// stored.
func (c *reevaluation) load(ctx context.Context, list []*storage.Event) error {
	var missing []id.EventID
	for _, row := range list {
		if c.rows[row.ID] == nil {
			missing = append(missing, row.ID)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return c.r.db.Read(ctx, func(tx *storage.Reader) error {
		rows, err := tx.EventsByID(ctx, missing)
		for _, row := range rows {
			c.rows[row.ID] = row
			if c.events[row.NID], err = event.Trusted(c.h.rules, row.ID, row.PDU); err != nil {
				return err
			}
		}
		return err
	})
}

// CompleteState makes whole the state of a room that was joined without it: the
// state before an event, as another server tells it, with the auth chains of its
// events. What was decided by the incomplete state is decided again.
//
// Spec: server-server sendJoin, members_omitted: "the joining server should …
// complete its view of the room's state".
func (r *Rooms) CompleteState(ctx context.Context, from id.ServerName, roomID id.RoomID, before id.EventID, state, auth [][]byte) error {
	a := &inbound{r: r, origin: from}
	var row *storage.Event
	err := r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		if a.room, err = tx.Room(ctx, roomID); err != nil {
			return err
		}
		row, err = tx.Event(ctx, before)
		return err
	})
	if err != nil {
		return err
	}
	if a.rules, err = roomver.Of(a.room.RoomVersion); err != nil {
		return err
	}
	if err := a.storeOutliers(ctx, slices.Concat(auth, state)); err != nil {
		return err
	}
	root, _, err := a.rootOf(ctx, state)
	if err != nil {
		return err
	}
	return r.reevaluate(ctx, a.room, row.NID, map[int64]string{row.NID: root}, true)
}
