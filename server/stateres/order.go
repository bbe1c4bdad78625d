// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"cmp"
	"math"
	"slices"

	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
)

// A sortable is an event with what it is sorted by, besides its ID.
type sortable struct {
	n    int32
	rank int64 // greater ones come first: power level, mainline position
	ts   int64
}

func (r *resolver) sortable(n int32, rank int64) sortable {
	return sortable{n: n, rank: rank, ts: r.g.nodes[n].ev.OriginServerTS}
}

// compare is the comparison of both orderings: the greater rank, then the
// earlier time, then the lesser ID.
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

// powerOrder is step 1 of the algorithm: it returns the set X, power events and
// what is in their auth chains, in the reverse topological power ordering.
func (r *resolver) powerOrder() []sortable {
	g := r.g
	found := false
	for _, n := range g.order {
		if g.any(n, fullConflicted) && isPowerEvent(g.nodes[n].ev) {
			g.mark(n, power)
			found = true
		}
	}
	if !found {
		return nil
	}
	for i := len(g.order) - 1; i >= 0; i-- {
		n := g.order[i]
		if g.has(n, underPower) && g.any(n, fullConflicted) && g.nodes[n].ev.IsState() {
			g.mark(n, power)
		}
		if g.any(n, power|underPower) {
			for _, a := range g.auth(n) {
				g.mark(a, underPower)
			}
		}
	}
	return r.kahn(newRegion(g))
}

// A region is the set X with the auth events that its events have in it.
type region struct {
	events  []int32
	at      map[int32]int32 // their places in events; all that follows goes by place
	waiting []int32         // for so many of its auth events
	first   []int32         // of those that cite it, in citing
	citing  []int32
}

func newRegion(g *graph) *region {
	re := &region{at: map[int32]int32{}}
	for _, n := range g.order {
		if g.has(n, power) {
			re.at[n] = int32(len(re.events))
			re.events = append(re.events, n)
		}
	}
	re.waiting = make([]int32, len(re.events))
	re.first = make([]int32, len(re.events)+1)
	for i, n := range re.events {
		for _, a := range g.auth(n) {
			if j, ok := re.at[a]; ok {
				re.waiting[i]++
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
			if j, ok := re.at[a]; ok {
				re.citing[next[j]] = int32(i)
				next[j]++
			}
		}
	}
	return re
}

// kahn sorts the set X with Kahn's algorithm.
func (r *resolver) kahn(re *region) []sortable {
	ready := heap[sortable]{less: func(a, b sortable) bool { return r.g.compare(a, b) < 0 }}
	push := func(n int32) { ready.push(r.sortable(n, r.senderLevel(n))) }
	for i, n := range re.events {
		if re.waiting[i] == 0 {
			push(n)
		}
	}
	sorted := make([]sortable, 0, len(re.events))
	for len(ready.items) > 0 {
		least := ready.pop()
		sorted = append(sorted, least)
		i := re.at[least.n]
		for _, j := range re.citing[re.first[i]:re.first[i+1]] {
			if re.waiting[j]--; re.waiting[j] == 0 {
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
	} else if a := r.implied(n); a >= 0 {
		create = g.nodes[a].ev
	}
	return eventauth.NewPowerLevels(r.rules, create, levels).User(g.nodes[n].ev.Sender)
}

// noMainline is the position of events that no power levels of the mainline
// stand behind.
const noMainline = math.MaxInt64

// mainlineOrder is step 3 of the algorithm: it returns what is left of the full
// conflicted set in the mainline ordering.
func (r *resolver) mainlineOrder() ([]sortable, error) {
	rest := r.rest()
	m, err := r.newMainline()
	if err != nil {
		return nil, err
	}
	if err := m.loadChains(rest); err != nil {
		return nil, err
	}
	sorted := make([]sortable, len(rest))
	for i, n := range rest {
		sorted[i] = r.sortable(n, m.of(n))
	}
	slices.SortFunc(sorted, r.g.compare)
	return sorted, nil
}

// A mainline tells positions in the mainline of the resolved power levels.
type mainline struct {
	g        *graph
	position map[int32]int64 // of power levels, or of the first ones behind them
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

// loadChains loads the power levels behind events until they meet the mainline.
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

// of returns the mainline position of an event.
//
// Spec: room version 2, "Mainline ordering".
func (m *mainline) of(n int32) int64 {
	position := int64(noMainline)
	m.path = m.path[:0]
	for p := m.g.authEvent(n, event.TypePowerLevels, ""); p >= 0; p = m.g.authEvent(p, event.TypePowerLevels, "") {
		if known, ok := m.position[p]; ok {
			position = known
			break
		}
		m.position[p] = noMainline // until it is known, lest a circle be endless
		m.path = append(m.path, p)
	}
	for _, p := range m.path {
		m.position[p] = position
	}
	return position
}
