// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"slices"

	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// A room may have more extremities than an event can name: servers that cannot
// reach each other go on separately. Then an event of ours follows some of them.
// The state before it is what those resolve to, and the room's current state is
// resolved again after it, as with an event of another server. The oldest ones
// are followed first, so that a room that goes on here has fewer with each event.

// isWide tells whether a room has more extremities than one event can follow.
func (h *head) isWide() bool { return len(h.tips) > event.MaxPrevEvents }

// commitWide runs jobs in a wide room, each by itself. After a conflict, those
// that are left are the caller's.
func (r *Rooms) commitWide(ctx context.Context, h *head, jobs []*job) (left []*job, err error) {
	for ; len(jobs) > 0; jobs = jobs[1:] {
		j := jobs[0]
		if j.err = r.commitNarrow(ctx, h, j); isConflict(j.err) {
			return jobs, j.err
		}
	}
	r.heads.put(h)
	return nil, nil
}

// commitNarrow plans a job on some of a room's extremities, and gives each of
// its events a place.
func (r *Rooms) commitNarrow(ctx context.Context, h *head, j *job) error {
	part, previous, err := r.narrow(ctx, h)
	if err != nil {
		return err
	}
	j.ids = nil
	if j.plan, err = j.build(ctx, part); err != nil {
		return err
	}
	if len(j.plan.events) == 0 {
		j.ids = append(j.ids, j.plan.same)
	}
	for _, p := range j.plan.events {
		a := &arrival{
			r: r, origin: r.name, room: h.room, rules: h.rules, ev: p.Event, trusted: true,
			previous: previous, before: part.room.StateRoot, states: []string{part.room.StateRoot}, outcome: Accepted,
		}
		if err := r.placeOwn(ctx, h, a, p); err != nil {
			return err
		}
		j.ids, j.pos = append(j.ids, p.ID), a.row.Pos
		previous = []*storage.Event{a.row}
		part.room.StateRoot = a.row.StateAfter
	}
	return nil
}

// narrow is a head that has as many of the extremities as an event can follow,
// and the rows of those.
func (r *Rooms) narrow(ctx context.Context, h *head) (*head, []*storage.Event, error) {
	tips := slices.Clone(h.tips)
	slices.SortFunc(tips, func(a, b *stored) int { return int(a.nid - b.nid) })
	tips = tips[:min(len(tips), event.MaxPrevEvents)] // jobs before may have left fewer
	var rows []*storage.Event
	err := r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		rows, err = tx.EventsByNID(ctx, numbers(tips))
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	roots := make([]string, len(rows))
	for i, row := range rows {
		roots[i] = row.StateAfter
	}
	room := *h.room
	if room.StateRoot, err = r.resolve(ctx, h.rules, roots); err != nil {
		return nil, nil, err
	}
	return &head{room: &room, rules: h.rules, tips: tips, state: map[event.StateKey]*stored{}}, rows, nil
}

// placeOwn gives an event of ours its place, if the room's current state allows
// it as well.
func (r *Rooms) placeOwn(ctx context.Context, h *head, a *arrival, p *planned) error {
	if _, err := a.loadAuthEvents(ctx); err != nil {
		return err
	}
	if err := a.soften(ctx, h); err != nil {
		return err
	}
	if a.outcome != Accepted {
		return rejected(a.why)
	}
	if err := a.keep(ctx); err != nil {
		return err
	}
	pl := &placing{arrival: a, h: h, root: h.room.StateRoot, txn: p}
	if err := pl.plan(ctx); err != nil {
		return err
	}
	p.nid = a.row.NID
	return pl.write(ctx)
}
