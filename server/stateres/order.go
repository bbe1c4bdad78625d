// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"cmp"
	"math"
	"slices"

	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
)

// A sortable is an event with its sort keys.
type sortable struct {
	n    int32
	rank int64 // sorted in descending order: power level or mainline position
	ts   int64
}

func (r *resolver) sortable(n int32, rank int64) sortable {
	return sortable{n: n, rank: rank, ts: r.g.nodes[n].ev.OriginServerTS}
}

// compare compares by descending rank, then ascending time, then ascending ID:
// the order of both orderings.
//
// Spec: room version 2, "Reverse topological power ordering", "Mainline
// ordering".
func (g *graph) compare(a, b sortable) int {
	switch {
	case a.rank != b.rank:
		return cmp.Compare(b.rank, a.rank)
	case a.ts != b.ts:
		return cmp.Compare(a.ts, b.ts)
	}
	return cmp.Compare(g.ids[a.n], g.ids[b.n])
}

// powerOrder is step 1 of the algorithm: it returns the set X, that is the
// power events and their auth chains within the full conflicted set, in the
// reverse topological power ordering.
func (r *resolver) powerOrder() []sortable {
	g := r.g
	found := false
	for _, n := range g.order {
		if g.any(n, fullConflicted) && isPowerEvent(g.nodes[n].ev) {
			g.mark(n, inX)
			found = true
		}
	}
	if !found {
		return nil
	}
	for i := len(g.order) - 1; i >= 0; i-- {
		n := g.order[i]
		if g.has(n, inPowerAuthChain) && g.any(n, fullConflicted) && g.nodes[n].ev.IsState() {
			g.mark(n, inX)
		}
		if g.any(n, inX|inPowerAuthChain) {
			for _, a := range g.auth(n) {
				g.mark(a, inPowerAuthChain)
			}
		}
	}
	return r.kahn(newSetX(g))
}

// A setX is the set X with the auth edges between its events.
type setX struct {
	events   []int32
	index    map[int32]int32 // how many of its auth events in X are not sorted yet
	unsorted []int32         // first[i] to first[i+1] delimit in citing the events of X that have event i as an auth event
	first    []int32         // of those that cite it, in citing
	citing   []int32
}

func newSetX(g *graph) *setX {
	re := &setX{index: map[int32]int32{}}
	for _, n := range g.order {
		if g.has(n, inX) {
			re.index[n] = int32(len(re.events))
			re.events = append(re.events, n)
		}
	}
	re.unsorted = make([]int32, len(re.events))
	re.first = make([]int32, len(re.events)+1)
	for i, n := range re.events {
		for _, a := range g.auth(n) {
			if j, ok := re.index[a]; ok {
				re.unsorted[i]++
				re.first[j+1]++
			}
		}
	}
	for i := range re.events {
		re.first[i+1] += re.first[i]
	}
	re.citing = make([]int32, re.first[len(re.events)])
	next := slices.Clone(re.first)
	for i, n := range re.events {
		for _, a := range g.auth(n) {
			if j, ok := re.index[a]; ok {
				re.citing[next[j]] = int32(i)
				next[j]++
			}
		}
	}
	return re
}

// kahn sorts the set X with Kahn's algorithm.
func (r *resolver) kahn(re *setX) []sortable {
	ready := heap[sortable]{less: func(a, b sortable) bool { return r.g.compare(a, b) < 0 }}
	push := func(n int32) { ready.push(r.sortable(n, r.senderLevel(n))) }
	for i, n := range re.events {
		if re.unsorted[i] == 0 {
			push(n)
		}
	}
	sorted := make([]sortable, 0, len(re.events))
	for len(ready.items) > 0 {
		least := ready.pop()
		sorted = append(sorted, least)
		i := re.index[least.n]
		for _, j := range re.citing[re.first[i]:re.first[i+1]] {
			if re.unsorted[j]--; re.unsorted[j] == 0 {
				push(re.events[j])
			}
		}
	}
	return sorted
}

// senderLevel returns the power level that an event's auth events give its
// sender.
func (r *resolver) senderLevel(n int32) int64 {
	g := r.g
	var create, levels *event.Event
	if a := g.authEvent(n, event.TypePowerLevels, ""); a >= 0 {
		levels = g.nodes[a].ev
	}
	if a := g.authEvent(n, event.TypeCreate, ""); a >= 0 {
		create = g.nodes[a].ev
	} else if a := r.impliedCreate(n); a >= 0 {
		create = g.nodes[a].ev
	}
	return eventauth.NewPowerLevels(r.rules, create, levels).User(g.nodes[n].ev.Sender)
}

// noMainline is the mainline position of events that have no power levels of
// the mainline in their chain of power levels.
const noMainline = math.MaxInt64

// mainlineOrder is step 3 of the algorithm: it returns the rest of the full
// conflicted set in the mainline ordering.
func (r *resolver) mainlineOrder() ([]sortable, error) {
	rest := r.remaining()
	m, err := r.newMainline()
	if err != nil {
		return nil, err
	}
	if err := m.loadChains(rest); err != nil {
		return nil, err
	}
	sorted := make([]sortable, len(rest))
	for i, n := range rest {
		sorted[i] = r.sortable(n, m.positionOf(n))
	}
	slices.SortFunc(sorted, r.g.compare)
	return sorted, nil
}

// A mainline is the mainline of the resolved power levels, with the positions
// of events.
type mainline struct {
	g        *graph
	position map[int32]int64 // of power levels events: their own, or that of the first of the mainline in their chain
	path     []int32         // scratch
}

func (r *resolver) newMainline() (*mainline, error) {
	m := &mainline{g: r.g, position: map[int32]int64{}}
	p := r.lookup(event.StateKey{Type: event.TypePowerLevels})
	for i := int64(0); p >= 0; i++ {
		if _, again := m.position[p]; again {
			break
		}
		m.position[p] = i
		if err := m.g.load(m.g.auth(p)); err != nil {
			return nil, err
		}
		p = m.g.authEvent(p, event.TypePowerLevels, "")
	}
	return m, r.err
}

// loadChains loads the chains of power levels of these events until they reach
// the mainline.
func (m *mainline) loadChains(numbers []int32) error {
	seen := map[int32]bool{}
	for len(numbers) > 0 {
		var load, next []int32
		for _, n := range numbers {
			load = append(load, m.g.auth(n)...)
		}
		if err := m.g.load(load); err != nil {
			return err
		}
		for _, n := range numbers {
			p := m.g.authEvent(n, event.TypePowerLevels, "")
			if _, met := m.position[p]; p >= 0 && !met && !seen[p] {
				seen[p] = true
				next = append(next, p)
			}
		}
		numbers = next
	}
	return nil
}

// positionOf returns the mainline position of an event.
//
// Spec: room version 2, "Mainline ordering".
func (m *mainline) positionOf(n int32) int64 {
	position := int64(noMainline)
	m.path = m.path[:0]
	for p := m.g.authEvent(n, event.TypePowerLevels, ""); p >= 0; p = m.g.authEvent(p, event.TypePowerLevels, "") {
		if known, ok := m.position[p]; ok {
			position = known
			break
		}
		m.position[p] = noMainline // a preliminary value, so that a circular chain ends
		m.path = append(m.path, p)
	}
	for _, p := range m.path {
		m.position[p] = position
	}
	return position
}
