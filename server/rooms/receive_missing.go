// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/storage"
)

// maxMissing is how many missing events are requested at a time.
const maxMissing = 20

// findPrevious finds the event's prev_events, and the state after each. Missing ones
// are fetched; if some stay missing, the state after them is fetched. Without it the
// event is dropped, since the state before it is not known. An event that its auth
// events reject stays rejected, as an outlier.
//
// Spec: server-server "Backfilling and retrieving missing events".
func (a *inbound) findPrevious(ctx context.Context) error {
	err := a.findStates(ctx)
	switch {
	case a.outcome != Rejected || !errors.As(err, new(*drop)):
		return err
	case a.wasRejected:
		return a.answerKnown(a.row)
	}
	a.stateBefore, a.states = "", nil
	if err := a.storeOutlier(ctx); err != nil {
		return err
	}
	return errStored
}

func (a *inbound) findStates(ctx context.Context) error {
	if err := a.loadPrevious(ctx); err != nil {
		return err
	}
	if len(a.missing) > 0 && a.r.remote != nil && !a.fetched {
		if err := a.fetchMissing(ctx); err != nil {
			return err
		}
		if err := a.loadPrevious(ctx); err != nil {
			return err
		}
	}
	a.states, a.partialState = nil, false
	for _, row := range a.previous {
		a.states = append(a.states, row.StateAfter)
		a.partialState = a.partialState || row.Partial
	}
	for _, missing := range a.missing {
		state, err := a.stateAfterMissing(ctx, missing)
		if err != nil {
			return err
		}
		a.states = append(a.states, state)
	}
	return nil
}

func (a *inbound) loadPrevious(ctx context.Context) error {
	rows, missing, err := a.load(ctx, a.ev.PrevEvents)
	if err != nil {
		return err
	}
	a.previous, a.missing = nil, missing
	for _, row := range rows {
		if row.Outlier {
			a.missing = append(a.missing, row.ID)
		} else {
			a.previous = append(a.previous, row)
		}
	}
	return nil
}

// fetchMissing asks for the events of a gap and receives them, each after those that it
// follows.
func (a *inbound) fetchMissing(ctx context.Context) error {
	earliest, err := a.r.extremities(ctx, a.room.NID)
	if err != nil {
		return err
	}
	pdus, err := a.r.remote.MissingEvents(ctx, a.origin, a.room.ID, earliest, []id.EventID{a.ev.ID}, maxMissing)
	if err != nil {
		a.r.log.InfoContext(ctx, "no missing events to be had", "server", a.origin, "event", a.ev.ID, "error", err)
		return nil
	}
	events := map[id.EventID]*inbound{}
	var order []id.EventID
	for _, pdu := range pdus[:min(len(pdus), maxMissing)] {
		ev, err := event.Parse(a.rules, pdu)
		if err != nil || ev.ID == a.ev.ID || events[ev.ID] != nil {
			continue // not what was asked for
		}
		events[ev.ID] = &inbound{r: a.r, origin: a.origin, room: a.room, rules: a.rules, pdu: pdu, fetched: true, ev: ev}
		order = append(order, ev.ID)
	}
	return visitInOrder(order, events, func(p *inbound) []id.EventID { return p.ev.PrevEvents }, func(p *inbound) error {
		_, err := a.r.receive(ctx, p)
		return err
	})
}

// extremities reads the room's forward extremities.
func (r *Rooms) extremities(ctx context.Context, roomNID int64) (out []id.EventID, err error) {
	err = r.db.Read(ctx, func(tx *storage.Reader) error {
		nids, err := tx.ForwardExtremities(ctx, roomNID)
		if err != nil {
			return err
		}
		ids, err := tx.EventIDs(ctx, nids)
		for _, nid := range nids {
			out = append(out, ids[nid])
		}
		return err
	})
	return out, err
}

// stateAfterMissing asks for the state after an event that is not part of the
// room here: the state before it, and it itself if the rules allow it there.
func (a *inbound) stateAfterMissing(ctx context.Context, missing id.EventID) (string, error) {
	if a.r.remote == nil {
		return "", dropped("its previous event %s is missing", missing)
	}
	state, auth, err := a.r.remote.State(ctx, a.origin, a.room.ID, missing)
	if err != nil {
		return "", dropped("its previous event %s is missing, and so is the state there: %w", missing, err)
	}
	pdu, err := a.r.remote.Event(ctx, a.origin, missing)
	if err != nil {
		return "", dropped("its previous event %s is missing: %w", missing, err)
	}
	all := append(append(append([][]byte{}, auth...), state...), pdu)
	if err := a.storeOutliers(ctx, all); err != nil {
		return "", err
	}
	root, entries, err := a.rootOf(ctx, state)
	if err != nil {
		return "", err
	}
	rows, _, err := a.load(ctx, []id.EventID{missing})
	if err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "", dropped("its previous event %s is missing", missing)
	}
	return a.applyMissing(ctx, rows[0], root, entries)
}

// rootOf stores a state that another server sent, with the events that passed the first
// four checks.
func (a *inbound) rootOf(ctx context.Context, state [][]byte) (string, eventauth.StateMap, error) {
	ids := make([]id.EventID, 0, len(state))
	for _, pdu := range state {
		if ev, err := event.Parse(a.rules, pdu); err == nil {
			ids = append(ids, ev.ID)
		}
	}
	entries := eventauth.StateMap{}
	var sets []storage.StateSet
	for len(ids) > 0 {
		n := min(len(ids), eventsPerQuery)
		rows, _, err := a.load(ctx, ids[:n])
		if err != nil {
			return "", nil, err
		}
		ids = ids[n:]
		for _, row := range rows {
			ev, err := eventOf(a.rules, row)
			if err != nil {
				return "", nil, err
			}
			if row.Rejected || !ev.IsState() || row.RoomNID != a.room.NID {
				continue
			}
			entries[ev.Key()] = ev
			sets = append(sets, storage.StateSet{StateKey: storage.StateKey{Type: row.Type, Key: *row.StateKey}, NID: row.NID})
		}
	}
	root, err := a.r.applied(ctx, "", sets)
	return root, entries, err
}

func (a *inbound) applyMissing(ctx context.Context, row *storage.Event, root string, entries eventauth.StateMap) (string, error) {
	if row.StateKey == nil || row.Rejected {
		return root, nil
	}
	ev, err := eventOf(a.rules, row)
	if err != nil {
		return "", err
	}
	// Its signatures were checked before it was stored.
	if eventauth.Check(a.rules, ev, entries, nil) != nil {
		return root, nil
	}
	return a.r.applied(ctx, root, []storage.StateSet{{StateKey: storage.StateKey{Type: row.Type, Key: *row.StateKey}, NID: row.NID}})
}
