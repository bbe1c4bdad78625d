// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"slices"

	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/storage"
)

// A room may have more extremities than an event can name: servers that cannot
// reach each other go on separately. Then an event of ours follows some of them.
// The state before it is what those resolve to, and the room's current state is
// resolved again after it, as with an event of another server. The oldest ones
// are followed first, so that a room that goes on here has fewer with each event.

// A branch is what is known of an event that follows only some extremities.
type branch struct {
	before, after string    // the states around the event
	root          string    // the room's current state from then on
	others        []*stored // the extremities that the event does not follow
}

// tooManyExtremities tells whether a room has more extremities than one event can follow.
func (h *head) tooManyExtremities() bool { return len(h.extremities) > event.MaxPrevEvents }

// chooseBase is the head that the next event is built on: h itself, or that of a
// branch of a wide room. What the same plan has added is followed first, then the
// oldest extremities.
func (r *Rooms) chooseBase(ctx context.Context, h *head) (*head, error) {
	if !h.tooManyExtremities() {
		return h, nil
	}
	tips := slices.Clone(h.extremities)
	slices.SortStableFunc(tips, func(a, b *stored) int { return int(h.extremityAge(a) - h.extremityAge(b)) })
	tips = tips[:event.MaxPrevEvents]
	roots, err := r.statesAfter(ctx, h, tips)
	if err != nil {
		return nil, err
	}
	room := *h.room
	if room.StateRoot, err = r.resolvePlanned(ctx, h, roots); err != nil {
		return nil, err
	}
	return &head{room: &room, rules: h.rules, extremities: tips, state: map[event.StateKey]*stored{}, branched: h.branched}, nil
}

// extremityAge orders extremities: what is planned comes before all that is stored.
func (h *head) extremityAge(tip *stored) int64 {
	if h.plannedBy(tip) != nil {
		return 0
	}
	return tip.nid
}

// plannedBy is the planned event behind an extremity, nil for one that is stored.
func (h *head) plannedBy(tip *stored) *Planned {
	for _, p := range h.branched {
		if p.stored == tip {
			return p
		}
	}
	return nil
}

// statesAfter are the states after extremities.
func (r *Rooms) statesAfter(ctx context.Context, h *head, tips []*stored) (roots []string, err error) {
	var nids []int64
	for _, tip := range tips {
		if p := h.plannedBy(tip); p != nil {
			roots = append(roots, p.branch.after)
		} else {
			nids = append(nids, tip.nid)
		}
	}
	err = r.db.Read(ctx, func(tx *storage.Reader) error {
		rows, err := tx.EventsByNID(ctx, nids)
		for _, row := range rows {
			roots = append(roots, row.StateAfter)
		}
		return err
	})
	return roots, err
}

// resolvePlanned resolves states that may hold what is planned on a head.
func (r *Rooms) resolvePlanned(ctx context.Context, h *head, roots []string, more ...*Planned) (string, error) {
	fresh := append(slices.Clip(h.branched), more...)
	return r.resolveBy(ctx, h.rules, roots, func(row *storage.Event) bool { return row.Rejected }, fresh...)
}

// mergeBranch finds what an event built on a branch makes of the room, if the room's
// current state allows it as well.
func (r *Rooms) mergeBranch(ctx context.Context, h, base *head, p *Planned, load []event.StateKey) (err error) {
	if err := h.ensure(ctx, r.db, load...); err != nil {
		return err
	}
	if err := eventauth.Check(h.rules, p.Event, h, r.verify); err != nil {
		return rejected(h.rules, err)
	}
	b := &branch{before: base.room.StateRoot, after: base.room.StateRoot}
	for _, tip := range h.extremities {
		if !slices.Contains(base.extremities, tip) {
			b.others = append(b.others, tip)
		}
	}
	if p.IsState() { // which needs its number to be part of a state
		err := r.db.Write(ctx, func(tx *storage.Writer) (err error) {
			if p.nid, err = tx.NextID(ctx, "events"); err != nil {
				return err
			}
			key := storage.StateKey{Type: p.Type, Key: *p.StateKey}
			b.after, err = tx.StateApply(ctx, b.before, storage.StateSet{StateKey: key, NID: p.nid})
			return err
		})
		if err != nil {
			return err
		}
	}
	roots, err := r.statesAfter(ctx, h, b.others)
	if err != nil {
		return err
	}
	if b.root, err = r.resolvePlanned(ctx, h, append(roots, b.after), p); err != nil {
		return err
	}
	p.branch = b
	if p.delta, err = r.stateDelta(ctx, h, b.root, p.stored); err != nil {
		return err
	}
	p.unread, err = r.countUnreadLate(ctx, h, p.Event, &storage.Event{
		ID: p.ID, RoomNID: h.room.NID, Type: p.Type, StateKey: p.StateKey, Sender: p.Sender, Depth: p.depth,
		Client: p.SyncJSON(), StateBefore: b.before, StateAfter: b.after, Forked: b.before != h.root(),
	})
	return err
}
