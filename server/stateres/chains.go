// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"math/bits"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// chains provides the states and auth chains to a resolution.
type chains interface {
	source() Source
	// shared is Fork.Shared.
	shared(keys []event.StateKey, into []id.EventID) error
	// whole returns the unconflicted state map if the graph contains its
	// events, else nil.
	whole() State
	// connect marks the auth difference and, if subgraph is true, the
	// conflicted state subgraph. After it the graph is sorted and contains the
	// full conflicted set, all events on paths between its events, and their
	// auth events.
	connect(g *graph, conflicts *entries, subgraph bool) error
}

// A memoryChains reads whole states and whole auth chains from a Source.
type memoryChains struct {
	src Source
	*stateSplit
	loaded bool
}

func (w *memoryChains) source() Source { return w.src }

func (w *memoryChains) shared(keys []event.StateKey, into []id.EventID) error {
	for i, key := range keys {
		into[i] = w.stateSplit.shared[key]
	}
	return nil
}

func (w *memoryChains) whole() State {
	if !w.loaded {
		return nil
	}
	return w.stateSplit.shared
}

func (w *memoryChains) connect(g *graph, conflicts *entries, subgraph bool) error {
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

// markShared marks the auth chains of the shared events.
func (g *graph) markShared(roots []int32) {
	var stack []int32
	for _, root := range roots {
		stack = append(stack[:0], root)
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, a := range g.auth(n) {
				if !g.has(a, inEveryAuthChain) {
					g.mark(a, inEveryAuthChain)
					stack = append(stack, a)
				}
			}
		}
	}
}

// markDifference marks the events that are in the auth chains of some states
// but not of all.
//
// Spec: room version 2, "Auth difference".
func (g *graph) markDifference(conflicts *entries) {
	words := conflicts.words
	// Each event has a mask: the set of states that have it as an entry or in
	// their auth chain. Only events in the auth chain of a conflicted event
	// that are not in every auth chain need one.
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
		if states > 0 && states < conflicts.states && !g.has(n, inEveryAuthChain) {
			g.mark(n, inAuthDifference)
		}
		for _, a := range g.auth(n) {
			if g.has(a, inEveryAuthChain) {
				continue
			}
			to := mask(a)
			from := mask(n) // read after to, which may have reallocated the masks
			for w := range words {
				to[words+w] |= from[w] | from[words+w]
			}
		}
	}
}

// markSubgraph marks the events on paths between conflicted events.
//
// Spec: room version 12, "Conflicted state subgraph".
func (g *graph) markSubgraph() {
	for _, n := range g.order {
		for _, a := range g.auth(n) {
			if g.any(a, conflicted|hasConflictedInAuthChain) {
				g.mark(n, hasConflictedInAuthChain)
				break
			}
		}
	}
	for i := len(g.order) - 1; i >= 0; i-- {
		n := g.order[i]
		if g.any(n, conflicted|inConflictedAuthChain) {
			for _, a := range g.auth(n) {
				g.mark(a, inConflictedAuthChain)
			}
		}
		if g.has(n, inConflictedAuthChain|hasConflictedInAuthChain) {
			g.mark(n, inSubgraph)
		}
	}
}

// A forkChains gets states and auth chains from a Fork.
type forkChains struct{ fork Fork }

func (s *forkChains) source() Source { return s.fork }

func (s *forkChains) shared(keys []event.StateKey, into []id.EventID) error {
	return s.fork.Shared(keys, into)
}

func (s *forkChains) whole() State { return nil }

func (s *forkChains) connect(g *graph, conflicts *entries, subgraph bool) error {
	difference, err := s.fork.AuthDifference()
	if err != nil {
		return err
	}
	full := make([]id.EventID, 0, len(g.ids)+len(difference))
	full = append(full, g.ids...) // so far the graph has only the conflicted events
	for _, n := range g.addAll(difference) {
		g.mark(n, inAuthDifference)
	}
	full = append(full, difference...)
	// The connections between conflicted events are among these events.
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
