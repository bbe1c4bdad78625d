// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// A resolver is the working data of one resolution.
type resolver struct {
	rules     *roomver.Rules
	g         *graph
	chains    chains
	conflicts *entries
	state     map[event.StateKey]int32 // what has been resolved so far, in addition to start
	start     map[event.StateKey]int32 // entries that were read from the initial state; -1: no such entry
	empty     bool                     // the initial state is empty, not the unconflicted state map
	fallback  bool                     // where the state lacks an entry, the event's auth events provide it
	room      id.RoomID                // the room whose create event is create
	create    int32
	err       error // first error of the source during a check
	trace     *tracer
	view      view // the state for the event that is being checked
}

func newResolver(rules *roomver.Rules, conflicts *entries, chains chains, trace *Trace) *resolver {
	r := &resolver{
		rules: rules, conflicts: conflicts, chains: chains,
		g:     newGraph(chains.source(), conflicts.events),
		state: make(map[event.StateKey]int32, len(conflicts.list)),
		start: map[event.StateKey]int32{},
	}
	r.view.r = r
	for _, e := range conflicts.list {
		r.g.mark(e.n, conflicted)
	}
	if trace != nil {
		r.trace = &tracer{Trace: trace}
	}
	return r
}

// A view is the state that one event is checked against. It implements
// eventauth.State.
type view struct {
	r *resolver
	n int32
}

// Event returns the event of the resolved state, or else the auth event of the
// checked event.
//
// Spec: room version 2, "Iterative auth checks"; room version 12, the create
// event is implied by the room ID.
func (v *view) Event(typ, stateKey string) *event.Event {
	r, key := v.r, event.StateKey{Type: typ, Key: stateKey}
	if n := r.lookup(key); n >= 0 {
		r.trace.uses(key, r.g.ids[n], fromState)
		return r.g.nodes[n].ev
	}
	if !r.fallback {
		return nil
	}
	for _, a := range r.g.auth(v.n) {
		if at := &r.g.nodes[a]; at.ev != nil && !at.rejected && at.ev.IsStateOf(typ, stateKey) {
			r.trace.uses(key, r.g.ids[a], fromAuthEvents)
			return at.ev
		}
	}
	if typ == event.TypeCreate && stateKey == "" {
		if n := r.impliedCreate(v.n); n >= 0 && !r.g.nodes[n].rejected {
			r.trace.uses(key, r.g.ids[n], fromRoomID)
			return r.g.nodes[n].ev
		}
	}
	return nil
}

// lookup returns the event that the resolved state has for a key, -1 if it has
// none or if the event is missing.
func (r *resolver) lookup(key event.StateKey) int32 {
	n, ok := r.state[key]
	if !ok && !r.empty {
		n, ok = r.lookupStart(key)
	}
	if !ok || n < 0 || r.g.nodes[n].ev == nil {
		return -1
	}
	return n
}

func (r *resolver) lookupStart(key event.StateKey) (n int32, ok bool) {
	if whole := r.chains.whole(); whole != nil {
		if eventID := whole[key]; eventID != "" {
			n, ok = r.g.numbers[eventID]
		}
		return n, ok
	}
	if n, ok = r.start[key]; !ok {
		ok = !r.fail(r.preload([]event.StateKey{key}))
		n = r.start[key]
	}
	return n, ok
}

// preload reads entries of the initial state, all in one call.
func (r *resolver) preload(keys []event.StateKey) error {
	ids := make([]id.EventID, len(keys))
	if err := r.chains.shared(keys, ids); err != nil {
		return err
	}
	load := make([]int32, 0, len(keys))
	for i, key := range keys {
		r.start[key] = -1
		if ids[i] != "" {
			n := r.g.add(ids[i])
			r.start[key] = n
			load = append(load, n)
		}
	}
	return r.g.load(load)
}

// preloadFor preloads the entries that the checks of these events need.
func (r *resolver) preloadFor(numbers []int32) error {
	if r.empty || r.chains.whole() != nil {
		return nil
	}
	var keys []event.StateKey
	want := func(key event.StateKey) {
		if _, known := r.start[key]; !known {
			r.start[key] = -1
			keys = append(keys, key)
		}
	}
	want(event.StateKey{Type: event.TypeCreate})
	for _, n := range numbers {
		for _, key := range eventauth.AuthKeysOf(r.g.nodes[n].ev) {
			want(key)
		}
	}
	return r.preload(keys)
}

// impliedCreate returns the create event that the room ID of an event names, -1
// if it names none or if the create event is missing.
//
// Spec: room version 12, "The room_id (being the m.room.create event's ID)
// implies this instead".
func (r *resolver) impliedCreate(n int32) int32 {
	room := r.g.nodes[n].ev.RoomID
	if !r.rules.CreateEventImplied || len(room) == 0 {
		return -1
	}
	if room != r.room {
		r.room, r.create = room, r.g.add(id.EventID("$"+room[1:]))
		if r.fail(r.g.load([]int32{r.create})) {
			return -1
		}
	}
	if ev := r.g.nodes[r.create].ev; ev == nil || !ev.IsStateOf(event.TypeCreate, "") {
		return -1
	}
	return r.create
}

// fail remembers the first error of the source.
func (r *resolver) fail(err error) bool {
	if r.err == nil {
		r.err = err
	}
	return r.err != nil
}

// check reports whether the rules allow an event in the state resolved so far.
func (r *resolver) check(n int32) error {
	r.view.n = n
	return eventauth.Check(r.rules, r.g.nodes[n].ev, &r.view, nil)
}
