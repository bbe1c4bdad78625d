// SPDX-License-Identifier: Apache-2.0

// Package stateres implements state resolution: from the states of a room on
// several branches it computes the resolved state, by the algorithm of the
// room's version. It also computes auth differences. It is pure: events come
// from a Source, which may read memory or a database.
//
// Spec: room version 1 "State resolution" (algorithm 1), room version 2 "State
// resolution" (algorithm 2), room version 12 "State resolution" (algorithm
// 2.1).
package stateres

import (
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// State is the state of a room: a map from (type, state key) to event ID.
type State = map[event.StateKey]id.EventID

// An Entry is what a Source returns for an event.
type Entry struct {
	Event    *event.Event // nil if the source does not have it
	Rejected bool         // the event was rejected when it was received
}

// A Source returns events of a room. Each call asks for many events, so that a
// source that reads a database needs few queries.
type Source interface {
	// Load sets into[i] to the event ids[i]. It may not keep either slice. An
	// error ends the resolution, which returns it; a missing event is not an
	// error.
	Load(ids []id.EventID, into []Entry) error
}

// Events is a Source that holds its events in memory.
type Events map[id.EventID]Entry

// Load implements Source.
func (m Events) Load(ids []id.EventID, into []Entry) error {
	for i, eventID := range ids {
		into[i] = m[eventID]
	}
	return nil
}

// A Fork answers the questions of a resolution about states and auth chains,
// for callers with storage that can answer without reading whole states and
// chains. AuthDifference and ConflictedSubgraph help to implement it.
type Fork interface {
	Source
	// Shared sets into[i] to the event that every state has for keys[i], and to
	// the empty ID if the states have none or differ.
	Shared(keys []event.StateKey, into []id.EventID) error
	// AuthDifference returns the events that are in the auth chains of some of
	// the states but not of all.
	AuthDifference() ([]id.EventID, error)
	// Between returns the events on all paths of auth events that lead from one
	// of these events to another. It may return further events.
	Between(events []id.EventID) ([]id.EventID, error)
}

// Resolve returns the resolved state: the state before an event whose previous
// events left these states. The order of the states and duplicates among them
// make no difference. Neither rules nor the states are changed.
//
// A missing event can neither win nor authorize another, but stays where all
// states share it. In algorithm 2 the same holds for an event that is in its
// own auth chain. A rejected event takes part like any other, except that it
// authorizes nothing as another's auth event.
//
// If trace is not nil, it is filled with the steps of the resolution.
func Resolve(rules *roomver.Rules, sets []State, src Source, trace *Trace) (State, error) {
	s := splitStates(sets)
	r := newResolver(rules, &s.unshared, &memoryChains{src: src, stateSplit: s}, trace)
	if trace != nil {
		r.trace.begin(rules, r.conflicts, len(s.shared))
	}
	if err := r.resolve(s.shared); err != nil {
		return nil, err
	}
	return s.shared, nil
}

// ResolveFork is Resolve for states that are given without their shared
// entries: conflicts has only what the states do not all share. It returns only
// what the resolved state has in addition to the shared entries.
func ResolveFork(rules *roomver.Rules, conflicts []State, fork Fork, trace *Trace) (State, error) {
	r := newResolver(rules, entriesOf(conflicts), &forkChains{fork: fork}, trace)
	if trace != nil {
		r.trace.begin(rules, r.conflicts, 0)
	}
	resolved := make(State, len(r.conflicts.list))
	if err := r.resolve(resolved); err != nil {
		return nil, err
	}
	return resolved, nil
}

// resolve runs the algorithm of the room's version and adds the resolved
// entries to a state.
func (r *resolver) resolve(to State) error {
	some := len(r.conflicts.list) > 0
	var err error
	switch r.rules.StateResolution {
	case roomver.StateResolutionV1:
		if some {
			err = r.resolveV1()
		}
	case roomver.StateResolutionV2, roomver.StateResolutionV21:
		if some {
			err = r.resolveV2()
		}
	default:
		err = fmt.Errorf("stateres: no algorithm %q", r.rules.StateResolution)
	}
	if err != nil {
		return err
	}
	for key, n := range r.state {
		to[key] = r.g.ids[n]
	}
	if r.trace != nil {
		r.trace.finish(r, to)
	}
	return nil
}
