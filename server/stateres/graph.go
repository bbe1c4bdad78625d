// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// A graph is the part of a room's auth graph that a resolution reads. Its
// events have small numbers, which are indices into its slices.
type graph struct {
	src Source
	*index
	nodes []node
	edges []int32 // auth events of all nodes, one after another
	order []int32 // events that were sorted, each after its auth events

	entries []Entry // scratch
	last    int32   // the node that was set last
}

type node struct {
	ev       *event.Event // nil if not loaded, or missing
	first    int32        // first and last delimit its auth events in graph.edges
	last     int32
	rejected bool
	loaded   bool
	sorted   uint8
	marks    marks
}

// marks are the sets that an event belongs to, one bit each.
type marks uint16

const (
	conflicted               marks = 1 << iota // in the conflicted state set
	inAuthDifference                           // in the auth difference
	inSubgraph                                 // in the conflicted state subgraph
	inX                                        // in the set X of the algorithm: sorted by power
	inPowerAuthChain                           // in the auth chain of a power event
	hasXInAuthChain                            // with an event of X in its auth chain
	inEveryAuthChain                           // in the auth chain of every state
	inConflictedAuthChain                      // in the auth chain of a conflicted event
	hasConflictedInAuthChain                   // with a conflicted event in its auth chain

	fullConflicted = conflicted | inAuthDifference | inSubgraph
)

// newGraph returns a graph of the given events, none of which is loaded yet.
func newGraph(src Source, events *index) *graph {
	return &graph{src: src, index: events, nodes: make([]node, len(events.ids), cap(events.ids))}
}

// add returns the number of an event, and adds the event if it is new.
func (g *graph) add(eventID id.EventID) int32 {
	return g.addGuess(eventID, 0)
}

// addGuess is add with a guess at the number, which saves a look-up if it is
// right.
func (g *graph) addGuess(eventID id.EventID, guess int32) int32 {
	n := g.number(eventID, guess)
	if int(n) == len(g.nodes) {
		g.nodes = append(g.nodes, node{})
	}
	return n
}

func (g *graph) addAll(ids []id.EventID) []int32 {
	numbers := make([]int32, len(ids))
	for i, eventID := range ids {
		numbers[i] = g.add(eventID)
	}
	return numbers
}

// auth returns the auth events of an event; none if it is not loaded.
func (g *graph) auth(n int32) []int32 { return g.edges[g.nodes[n].first:g.nodes[n].last] }

// has reports whether all of the marks are set.
func (g *graph) has(n int32, m marks) bool { return g.nodes[n].marks&m == m }

// any reports whether at least one of the marks is set.
func (g *graph) any(n int32, m marks) bool { return g.nodes[n].marks&m != 0 }

func (g *graph) mark(n int32, m marks) { g.nodes[n].marks |= m }

// load loads events that are not loaded yet.
func (g *graph) load(numbers []int32) error {
	var ids []id.EventID
	var at []int32
	for _, n := range numbers {
		if !g.nodes[n].loaded {
			g.nodes[n].loaded = true
			ids, at = append(ids, g.ids[n]), append(at, n)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if err := g.fetch(ids); err != nil {
		return err
	}
	for i, n := range at {
		g.set(n, g.entries[i])
	}
	return nil
}

// loadAll loads all events and their auth chains.
func (g *graph) loadAll() error {
	g.edges = make([]int32, 0, 4*len(g.ids))
	for from := 0; from < len(g.ids); {
		to := len(g.ids)
		if err := g.fetch(g.ids[from:to:to]); err != nil {
			return err
		}
		for n := from; n < to; n++ {
			g.nodes[n].loaded = true
			g.set(int32(n), g.entries[n-from])
		}
		from = to
	}
	return nil
}

func (g *graph) fetch(ids []id.EventID) error {
	g.entries = slices.Grow(g.entries[:0], len(ids))[:len(ids)]
	clear(g.entries)
	return g.src.Load(ids, g.entries)
}

// set stores what the source returned for an event.
func (g *graph) set(n int32, e Entry) {
	if e.Event == nil {
		return
	}
	first := int32(len(g.edges))
	// Events that are loaded in succession often have the same auth events.
	last := g.edges[g.nodes[g.last].first:g.nodes[g.last].last]
	for i, eventID := range e.Event.AuthEvents {
		guess := int32(0)
		if i < len(last) {
			guess = last[i]
		}
		g.edges = append(g.edges, g.addGuess(eventID, guess))
	}
	g.last = n
	at := &g.nodes[n]
	at.ev, at.rejected = e.Event, e.Rejected
	at.first, at.last = first, int32(len(g.edges))
}

// States of a node in the depth-first search of sort.
const (
	unsorted uint8 = iota
	sorting
	sorted
	circular
)

// sort fills order with all loaded events. Where servers choose event IDs, an
// event may be in its own auth chain. Such an event cannot be ordered: it is
// removed together with all events that have it in their auth chains, as if
// they were missing.
func (g *graph) sort() {
	g.order = slices.Grow(g.order, len(g.nodes))
	type step struct{ n, next int32 }
	var stack []step
	for root := range g.nodes {
		if g.nodes[root].ev == nil || g.nodes[root].sorted != unsorted {
			continue
		}
		g.nodes[root].sorted = sorting
		stack = append(stack[:0], step{int32(root), g.nodes[root].first})
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			at := &g.nodes[top.n]
			if top.next == at.last {
				g.sorted(top.n)
				stack = stack[:len(stack)-1]
				continue
			}
			a := g.edges[top.next]
			top.next++
			if auth := &g.nodes[a]; auth.ev != nil && auth.sorted == unsorted {
				auth.sorted = sorting
				stack = append(stack, step{a, auth.first})
			}
		}
	}
	for n := range g.nodes {
		if g.nodes[n].sorted == circular {
			g.nodes[n].ev, g.nodes[n].first, g.nodes[n].last = nil, 0, 0
		}
	}
}

// sorted appends an event to the order, once all its auth events are in it.
func (g *graph) sorted(n int32) {
	for _, a := range g.auth(n) {
		if state := g.nodes[a].sorted; state == sorting || state == circular {
			g.nodes[n].sorted = circular
			return
		}
	}
	g.nodes[n].sorted = sorted
	g.order = append(g.order, n)
}

// authEvent returns the auth event of an event with this type and state key, -1
// if it has none.
func (g *graph) authEvent(n int32, typ, key string) int32 {
	for _, a := range g.auth(n) {
		if ev := g.nodes[a].ev; ev != nil && ev.IsStateOf(typ, key) {
			return a
		}
	}
	return -1
}
