// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"slices"

	"touchstone.example/server/event"
)

// A conflictV1 is the list of events that conflict over one state entry.
type conflictV1 struct {
	key    event.StateKey
	events []int32
}

// resolveV1 is the algorithm of room version 1.
//
// The text does not say in which order entries of the same type are resolved.
// So that the result does not depend on an order, each pass resolves its
// entries independently of each other and applies the results together at its
// end.
//
// Spec: room version 1, "State resolution".
func (r *resolver) resolveV1() error {
	conflicts := make([]int32, len(r.conflicts.list))
	for i, e := range r.conflicts.list {
		conflicts[i] = e.n
	}
	if err := r.g.load(conflicts); err != nil {
		return err
	}
	passes := r.conflictsByPass()
	var events []int32
	for _, blocks := range passes {
		for _, b := range blocks {
			events = append(events, b.events...)
		}
	}
	if err := r.preloadFor(events); err != nil {
		return err
	}
	for i, pass := range [...]Pass{passPowerLevels, passJoinRules, passMembers, passOthers} {
		winners := make([]int32, len(passes[i]))
		for j, b := range passes[i] {
			if pass == passOthers {
				winners[j] = r.pickLatest(b)
			} else {
				winners[j] = r.pickChain(b, pass)
			}
			if r.err != nil {
				return r.err
			}
		}
		for j, b := range passes[i] {
			if winners[j] >= 0 {
				r.state[b.key] = winners[j]
			}
		}
	}
	return nil
}

// conflictsByPass returns the conflicts, grouped by the pass that resolves
// them. An entry that some states lack, but on which no two differ, is no
// conflict: it is added to the state.
//
// Spec: room version 1, "A conflict occurs between states where those states
// have different event_ids for the same (event_type, state_key)".
func (r *resolver) conflictsByPass() (passes [4][]conflictV1) {
	candidates := map[event.StateKey][]int32{}
	for _, e := range r.conflicts.list {
		candidates[e.key] = append(candidates[e.key], e.n)
	}
	for key, events := range candidates {
		if len(events) == 1 {
			r.state[key] = events[0]
			continue
		}
		b := conflictV1{key: key, events: r.sortV1(events)}
		pass := 3
		switch key.Type {
		case event.TypePowerLevels:
			pass = 0
		case event.TypeJoinRules:
			pass = 1
		case event.TypeMember:
			pass = 2
		}
		passes[pass] = append(passes[pass], b)
	}
	for _, blocks := range passes {
		slices.SortFunc(blocks, func(a, b conflictV1) int { return compareKeys(a.key, b.key) })
	}
	return passes
}

func compareKeys(a, b event.StateKey) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Key, b.Key))
}

// sortV1 sorts events by ascending depth, then descending SHA-1 of the event
// ID, and leaves out missing ones.
func (r *resolver) sortV1(events []int32) []int32 {
	type keyed struct {
		n     int32
		depth int64
		hash  [sha1.Size]byte
	}
	list := make([]keyed, 0, len(events))
	for _, n := range events {
		if ev := r.g.nodes[n].ev; ev != nil && ev.IsState() {
			list = append(list, keyed{n, ev.Depth, sha1.Sum([]byte(r.g.ids[n]))})
		}
	}
	slices.SortFunc(list, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), bytes.Compare(b.hash[:], a.hash[:]))
	})
	sorted := make([]int32, len(list))
	for i := range list {
		sorted[i] = list[i].n
	}
	return sorted
}

// pickChain takes the first event of a conflict, then each next one, until one
// is not allowed in the state with the one before it. It returns the last one
// taken.
func (r *resolver) pickChain(b conflictV1, pass Pass) int32 {
	taken := int32(-1)
	for i, n := range b.events {
		r.trace.step(r, &sortable{n: n, ts: r.g.nodes[n].ev.OriginServerTS}, pass)
		if i == 0 {
			r.trace.first()
		} else {
			err := r.check(n)
			if r.err != nil {
				return -1
			}
			r.trace.verdict(r, n, err)
			if err != nil {
				break
			}
		}
		taken = n
		r.state[b.key] = n
	}
	delete(r.state, b.key)
	return taken
}

// pickLatest returns the last event of a conflict that is allowed, -1 if none
// is.
func (r *resolver) pickLatest(b conflictV1) int32 {
	for _, n := range slices.Backward(b.events) {
		r.trace.step(r, &sortable{n: n, ts: r.g.nodes[n].ev.OriginServerTS}, passOthers)
		err := r.check(n)
		if r.err != nil {
			return -1
		}
		r.trace.verdict(r, n, err)
		if err == nil {
			return n
		}
	}
	return -1
}
