// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// checkAuthEvents rejects an event that its own auth events do not allow. Missing auth
// events are fetched. If they cannot be had, the event is dropped: it may be checked
// later.
//
// Spec: server-server "Checks performed on receipt of a PDU", 4.
func (a *inbound) checkAuthEvents(ctx context.Context) error {
	missing, err := a.loadAuthEvents(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 && a.r.remote != nil {
		chain, err := a.r.remote.EventAuth(ctx, a.origin, a.room.ID, a.ev.ID)
		if err != nil {
			a.r.log.InfoContext(ctx, "no auth chain to be had", "server", a.origin, "event", a.ev.ID, "error", err)
		}
		if err := a.storeOutliers(ctx, chain); err != nil {
			return err
		}
		if missing, err = a.loadAuthEvents(ctx); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return dropped("its auth event %s is missing", missing[0])
	}
	return a.judgeByAuthEvents(ctx)
}

// loadAuthEvents reads the event's stored auth events and returns the IDs of the
// missing ones.
func (a *inbound) loadAuthEvents(ctx context.Context) (missing []id.EventID, err error) {
	found, err := a.find(ctx, a.ev.AuthEvents)
	a.auth, a.otherRoomAuth = nil, nil
	for i, eventID := range a.ev.AuthEvents {
		switch row := found[eventID]; {
		case slices.Contains(a.ev.AuthEvents[:i], eventID):
		case row == nil:
			missing = append(missing, eventID)
		case row.RoomNID != a.room.NID:
			a.otherRoomAuth = append(a.otherRoomAuth, row)
		default:
			a.auth = append(a.auth, row)
		}
	}
	return missing, err
}

// load reads events of the room, in the order of ids, and returns the IDs of the
// missing ones.
func (a *inbound) load(ctx context.Context, ids []id.EventID) (rows []*storage.Event, missing []id.EventID, err error) {
	found, err := a.find(ctx, ids)
	for i, eventID := range ids {
		switch row := found[eventID]; {
		case slices.Contains(ids[:i], eventID):
		case row == nil || row.RoomNID != a.room.NID:
			missing = append(missing, eventID)
		default:
			rows = append(rows, row)
		}
	}
	return rows, missing, err
}

// find reads events of any room.
func (a *inbound) find(ctx context.Context, ids []id.EventID) (map[id.EventID]*storage.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var found []*storage.Event
	err := a.r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		found, err = tx.EventsByID(ctx, ids)
		return err
	})
	byID := make(map[id.EventID]*storage.Event, len(found))
	for _, row := range found {
		byID[row.ID] = row
	}
	return byID, err
}

func (a *inbound) judgeByAuthEvents(ctx context.Context) error {
	events := make(map[id.EventID]*event.Event, len(a.ev.AuthEvents))
	rejected := map[id.EventID]bool{}
	a.authEvents = make([]*event.Event, len(a.auth))
	for i, row := range a.auth {
		var err error
		if a.authEvents[i], err = eventOf(a.rules, row); err != nil {
			return err
		}
		events[row.ID], rejected[row.ID] = a.authEvents[i], row.Rejected
	}
	if err := a.decodeOtherRoomAuth(ctx, events); err != nil {
		return err
	}
	cited := make([]*event.Event, 0, len(a.ev.AuthEvents))
	for _, eventID := range a.ev.AuthEvents { // as often as they are named
		if ev := events[eventID]; ev != nil {
			cited = append(cited, ev)
		}
	}
	err := eventauth.CheckAuthEvents(a.rules, a.ev, cited, func(eventID id.EventID) bool { return rejected[eventID] })
	if err == nil {
		state := eventauth.StateOf(a.authEvents...)
		if err := a.addCreateEvent(ctx, state); err != nil {
			return err
		}
		err = eventauth.Check(a.rules, a.ev, state, a.verify)
	}
	return a.applyRules(Rejected, 4, err)
}

// decodeOtherRoomAuth reads auth events of other rooms, by the rules of theirs.
func (a *inbound) decodeOtherRoomAuth(ctx context.Context, into map[id.EventID]*event.Event) error {
	for _, row := range a.otherRoomAuth {
		var room *storage.Room
		err := a.r.db.Read(ctx, func(tx *storage.Reader) (err error) {
			room, err = tx.RoomByNID(ctx, row.RoomNID)
			return err
		})
		if err != nil {
			return err
		}
		rules, err := roomver.Of(room.RoomVersion)
		if err != nil {
			return err
		}
		if into[row.ID], err = eventOf(rules, row); err != nil {
			return err
		}
	}
	return nil
}

// addCreateEvent adds the create event that the room's ID names.
//
// Spec: room version 12, "The room_id implies this instead".
func (a *inbound) addCreateEvent(ctx context.Context, state eventauth.StateMap) error {
	if !a.rules.CreateEventImplied || a.ev.Type == event.TypeCreate {
		return nil
	}
	rows, _, err := a.load(ctx, []id.EventID{id.EventID("$" + a.room.ID[1:])})
	if err != nil || len(rows) == 0 || rows[0].Rejected {
		return err
	}
	create, err := eventOf(a.rules, rows[0])
	if err == nil {
		state[create.Key()] = create
	}
	return err
}

// storeOutliers stores events that the room's graph does not have, such as those
// of an auth chain: after the first four checks, each after its auth events.
// What does not pass the first three is left out.
func (a *inbound) storeOutliers(ctx context.Context, pdus [][]byte) error {
	events := make(map[id.EventID]*inbound, len(pdus))
	var order []id.EventID
	for _, pdu := range pdus {
		o := &inbound{r: a.r, origin: a.origin, room: a.room, rules: a.rules, pdu: pdu, outcome: Accepted}
		if err := o.checkFormat(ctx); err != nil {
			if !isVerdict(err) {
				return err
			}
			continue
		}
		if o.row == nil && events[o.ev.ID] == nil {
			events[o.ev.ID] = o
			order = append(order, o.ev.ID)
		}
	}
	return visitInOrder(order, events, func(o *inbound) []id.EventID { return o.ev.AuthEvents }, func(o *inbound) error {
		err := o.checkOutlier(ctx)
		if isVerdict(err) {
			return nil
		}
		return err
	})
}

// isVerdict reports whether an error is a verdict on an event, not a failure of the
// checks.
func isVerdict(err error) bool {
	var d *drop
	return errors.Is(err, errKnown) || errors.As(err, &d)
}

// visitInOrder visits events, each after those that it refers to. A cycle is entered at
// any event, which then lacks one of its auth events.
func visitInOrder(order []id.EventID, events map[id.EventID]*inbound, refs func(*inbound) []id.EventID, visit func(*inbound) error) error {
	seen := make(map[id.EventID]bool, len(events))
	type step struct {
		event id.EventID
		left  bool // its references are visited
	}
	for _, from := range order {
		stack := []step{{event: from}}
		for len(stack) > 0 {
			s := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if s.left {
				if err := visit(events[s.event]); err != nil {
					return err
				}
				continue
			}
			if seen[s.event] {
				continue
			}
			seen[s.event] = true
			stack = append(stack, step{s.event, true})
			for _, ref := range refs(events[s.event]) {
				if events[ref] != nil && !seen[ref] {
					stack = append(stack, step{event: ref})
				}
			}
		}
	}
	return nil
}

func (a *inbound) checkOutlier(ctx context.Context) error {
	if err := a.checkSignatures(ctx); err != nil {
		return err
	}
	if err := a.checkHashes(ctx); err != nil {
		return err
	}
	missing, err := a.loadAuthEvents(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return dropped("its auth event %s is missing", missing[0])
	}
	if err := a.judgeByAuthEvents(ctx); err != nil {
		return err
	}
	return a.storeOutlier(ctx)
}
