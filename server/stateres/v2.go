// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// resolveV2 is the algorithm of room version 2 and that of room version 12. The
// numbers are the steps of the text.
//
// Spec: room versions 2 and 12, "Algorithm".
func (r *resolver) resolveV2() error {
	newer := r.rules.StateResolution == roomver.StateResolutionV21
	r.empty, r.fallback = newer, true
	if err := r.chains.connect(r.g, r.conflicts, newer); err != nil {
		return err
	}
	r.trace.full(r.g)
	// 1
	first := r.powerOrder()
	// 2
	if err := r.iterate(first, passPower); err != nil {
		return err
	}
	// 3
	second, err := r.mainlineOrder()
	if err != nil {
		return err
	}
	// 4
	if err := r.iterate(second, passMainline); err != nil {
		return err
	}
	// 5
	return r.restoreShared()
}

// remaining returns the state events of the full conflicted set that are loaded
// and not in the set X.
func (r *resolver) remaining() []int32 {
	var rest []int32
	for i := range r.g.nodes {
		n := int32(i)
		if ev := r.g.nodes[n].ev; r.g.any(n, fullConflicted) && !r.g.has(n, inX) && ev != nil && ev.IsState() {
			rest = append(rest, n)
		}
	}
	return rest
}

// isPowerEvent reports whether an event is a power event: one that may remove a
// user's abilities.
//
// Spec: room version 2, "Power events".
func isPowerEvent(ev *event.Event) bool {
	switch {
	case !ev.IsState():
		return false
	case ev.Type == event.TypePowerLevels, ev.Type == event.TypeJoinRules:
		return true
	case ev.Type == event.TypeMember && *ev.StateKey != string(ev.Sender):
		membership := ev.Membership()
		return membership == "leave" || membership == "ban"
	}
	return false
}

// iterate applies each event in turn if the rules allow it in the state so far.
//
// Spec: room version 2, "Iterative auth checks".
func (r *resolver) iterate(list []sortable, pass Pass) error {
	numbers := make([]int32, len(list))
	for i := range list {
		numbers[i] = list[i].n
	}
	if err := r.preloadFor(numbers); err != nil {
		return err
	}
	for i := range list {
		n := list[i].n
		r.trace.step(r, &list[i], pass)
		err := r.check(n)
		if r.err != nil {
			return r.err
		}
		r.trace.verdict(r, n, err)
		if err == nil {
			r.state[r.g.nodes[n].ev.Key()] = n
		}
	}
	return nil
}

// restoreShared is step 5: the unconflicted state map replaces resolved
// entries.
func (r *resolver) restoreShared() error {
	keys := make([]event.StateKey, 0, len(r.state))
	for key := range r.state {
		keys = append(keys, key)
	}
	ids := make([]id.EventID, len(keys))
	if err := r.chains.shared(keys, ids); err != nil {
		return err
	}
	for i, key := range keys {
		if ids[i] != "" {
			r.trace.restored(key, r.g.ids[r.state[key]], ids[i])
			delete(r.state, key)
		}
	}
	return nil
}
