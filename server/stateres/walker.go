// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"math/bits"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// chains is how a resolution learns what it needs of states and auth chains.
type chains interface {
	source() Source
	// shared is Fork.Shared.
	shared(keys []event.StateKey, into []id.EventID) error
	// whole returns all that the states share once the graph has its events; nil
	// if it has not.
	whole() State
	// connect marks the auth difference and, if subgraph, the conflicted state
	// subgraph. Afterwards the graph is sorted and has all events of the full
	// conflicted set, those on paths between them, and the auth events of those
	// in it.
	connect(g *graph, conflicts *entries, subgraph bool) error
}

// A walker learns it from whole states and auth chains.
type walker struct {
	src Source
	*separation
	loaded bool
}

func (w *walker) source() Source { return w.src }

func (w *walker) shared(keys []event.StateKey, into []id.EventID) error {
	for i, key := range keys {
		into[i] = w.separation.shared[key]
	}
	return nil
}

func (w *walker) whole() State {
	if !w.loaded {
		return nil
	}
	return w.separation.shared
}

func (w *walker) connect(g *graph, conflicts *entries, subgraph bool) error {
	if err := g.loadAll(); err != nil {
		return err
	}
	w.loaded = true
	g.sort()
	g.markShared(w.roots)
	g.markDifference(conflicts)
	if subgraph {
		g.markSubgraph()
	}
	return nil
}

// markShared marks the auth chains of the events that all states have.
func (g *graph) markShared(roots []int32) {
	var stack []int32
	for _, root := range roots {
		stack = append(stack[:0], root)
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, a := range g.auth(n) {
				if !g.has(a, inAll) {
					g.mark(a, inAll)
					stack = append(stack, a)
				}
			}
		}
	}
}

// markDifference marks what the auth chains of some states have, and not those of
// all.
//
// Spec: room version 2, "Auth difference".
func (g *graph) markDifference(conflicts *entries) {
	words := conflicts.words
	// Masks of the states that an event belongs to: first those that have it as an
	// entry, then those that have it in their auth chains. Only events have masks
	// that the conflicted ones lead to and that are not known to be in all chains.
	at := make([]int32, len(g.nodes))
	masks := make([]uint64, 0, 2*words*len(conflicts.list))
	mask := func(n int32) []uint64 {
		if at[n] == 0 {
			masks = append(masks, make([]uint64, 2*words)...)
			at[n] = int32(len(masks) / (2 * words))
		}
		return masks[int(at[n]-1)*2*words : int(at[n])*2*words]
	}
	for i, e := range conflicts.list {
		own := mask(e.n)
		for w, word := range conflicts.in(i) {
			own[w] |= word
		}
	}
	for i := len(g.order) - 1; i >= 0; i-- {
		n := g.order[i]
		if at[n] == 0 {
			continue
		}
		states := 0
		for _, word := range mask(n)[words:] {
			states += bits.OnesCount64(word)
		}
		if states > 0 && states < conflicts.states && !g.has(n, inAll) {
			g.mark(n, differing)
		}
		for _, a := range g.auth(n) {
			if g.has(a, inAll) {
				continue
			}
			to := mask(a)
			from := mask(n) // after to, which may have moved it
			for w := range words {
				to[words+w] |= from[w] | from[words+w]
			}
		}
	}
}

// markSubgraph marks what lies on paths between conflicted events.
//
// Spec: room version 12, "Conflicted state subgraph".
func (g *graph) markSubgraph() {
	for _, n := range g.order {
		for _, a := range g.auth(n) {
			if g.any(a, conflicted|toConflict) {
				g.mark(n, toConflict)
				break
			}
		}
	}
	for i := len(g.order) - 1; i >= 0; i-- {
		n := g.order[i]
		if g.any(n, conflicted|fromConflict) {
			for _, a := range g.auth(n) {
				g.mark(a, fromConflict)
			}
		}
		if g.has(n, fromConflict|toConflict) {
			g.mark(n, connecting)
		}
	}
}

// stored learns it from a Fork.
type stored struct{ fork Fork }

func (s *stored) source() Source { return s.fork }

func (s *stored) shared(keys []event.StateKey, into []id.EventID) error {
	return s.fork.Shared(keys, into)
}

func (s *stored) whole() State { return nil }

func (s *stored) connect(g *graph, conflicts *entries, subgraph bool) error {
	difference, err := s.fork.AuthDifference()
	if err != nil {
		return err
	}
	full := make([]id.EventID, 0, len(g.ids)+len(difference))
	full = append(full, g.ids...) // so far, the conflicted ones
	for _, n := range g.addAll(difference) {
		g.mark(n, differing)
	}
	full = append(full, difference...)
	// What connects conflicted events is among this.
	between, err := s.fork.Between(full)
	if err != nil {
		return err
	}
	if err := g.loadAllOf(full, between); err != nil {
		return err
	}
	g.sort()
	if subgraph {
		g.markSubgraph()
	}
	var auth []int32
	for n := range g.nodes {
		if g.any(int32(n), fullConflicted) {
			auth = append(auth, g.auth(int32(n))...)
		}
	}
	return g.load(auth)
}

func (g *graph) loadAllOf(lists ...[]id.EventID) error {
	for _, ids := range lists {
		if err := g.load(g.addAll(ids)); err != nil {
			return err
		}
	}
	return nil
}
