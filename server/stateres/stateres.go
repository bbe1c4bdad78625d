// SPDX-License-Identifier: Apache-2.0

// Package stateres resolves forks: given the states of a room that its branches
// lead to, it computes the state where they meet, as the room's version says. It
// also tells the differences of auth chains. It computes on values alone: events
// come from a Source, and what a Source costs is its own business.
//
// Spec: room version 1 "State resolution" (algorithm 1), room version 2 "State
// resolution" (algorithm 2), room version 12 "State resolution" (algorithm 2.1).
package stateres

import (
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// State is the state of a room: the ID of the event that each entry has.
type State = map[event.StateKey]id.EventID

// An Entry is what a Source knows of an event.
type Entry struct {
	Event    *event.Event // nil if the source does not have it
	Rejected bool         // by the checks on receipt
}

// A Source has the events of a room. It is asked for many events at once, so
// that one behind a database needs few queries.
type Source interface {
	// Load sets into[i] to what is known of ids[i]. Neither slice may be kept. An
	// error ends the resolution, which returns it; that an event is not there is
	// no error.
	Load(ids []id.EventID, into []Entry) error
}

// Events is a Source of events in memory.
type Events map[id.EventID]Entry

// Load is the method of Source.
func (m Events) Load(ids []id.EventID, into []Entry) error {
	for i, eventID := range ids {
		into[i] = m[eventID]
	}
	return nil
}

// A Fork answers what a resolution asks of states and auth chains, for callers
// who can tell it without listing whole states and walking whole chains.
// AuthDifference and ConflictedSubgraph of this package help to implement it.
type Fork interface {
	Source
	// Shared sets into[i] to the event of keys[i] that every state has, empty if
	// they have none or do not agree.
	Shared(keys []event.StateKey, into []id.EventID) error
	// AuthDifference returns the events that the auth chains of some of the states
	// have, and not those of all.
	AuthDifference() ([]id.EventID, error)
	// Between returns the events on all paths along auth events that lead from one
	// of these events to another. It may include more of them.
	Between(events []id.EventID) ([]id.EventID, error)
}

// Resolve returns the resolution of the states of a room: the state before an
// event whose previous events left these states. The order of the states, and
// whether one is there twice, make no difference. Neither rules nor the states
// are changed.
//
// An event that src does not have can neither win nor authorize anything, but
// stays where all states agree on it. In algorithm 2 the same goes for an event
// whose auth chain leads back to itself. An event that was rejected takes part
// like any other, except that it authorizes nothing as another's auth event.
//
// If trace is not nil, it is set to how the resolution went.
func Resolve(rules *roomver.Rules, sets []State, src Source, trace *Trace) (State, error) {
	s := separate(sets)
	r := newResolver(rules, &s.apart, &walker{src: src, separation: s}, trace)
	if trace != nil {
		r.trace.begin(rules, r.conflicts, len(s.shared))
	}
	if err := r.resolve(s.shared); err != nil {
		return nil, err
	}
	return s.shared, nil
}

// ResolveFork is Resolve for states of which conflicts has only what they do not
// all share. It returns only what the resolved state has beyond that.
func ResolveFork(rules *roomver.Rules, conflicts []State, fork Fork, trace *Trace) (State, error) {
	r := newResolver(rules, entriesOf(conflicts), &stored{fork: fork}, trace)
	if trace != nil {
		r.trace.begin(rules, r.conflicts, 0)
	}
	resolved := make(State, len(r.conflicts.list))
	if err := r.resolve(resolved); err != nil {
		return nil, err
	}
	return resolved, nil
}

// resolve runs the algorithm of the room's version and adds what it resolved to
// a state.
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
