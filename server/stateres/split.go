// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"maps"
	"math/bits"

	"touchstone.example/server/event"
)

// Entries are the entries of several states, each with the set of states that
// have it.
type entries struct {
	events *index
	states int // how many states there are
	words  int // words per set of states
	list   []entry
	sets   []uint64
}

// An entry is a state key with an event.
type entry struct {
	key event.StateKey
	n   int32 // the event's number
}

// in returns the set of states that have entry i.
func (e *entries) in(i int) []uint64 { return e.sets[i*e.words : (i+1)*e.words] }

// inAll reports whether all states have entry i.
func (e *entries) inAll(i int) bool {
	n := 0
	for _, word := range e.in(i) {
		n += bits.OnesCount64(word)
	}
	return n == e.states
}

// statesOf lists the states that have entry i.
func (e *entries) statesOf(i int) []int {
	var states []int
	for state := range e.states {
		if e.in(i)[state/64]>>(state%64)&1 != 0 {
			states = append(states, state)
		}
	}
	return states
}

func (e *entries) add(of entry, in []uint64) {
	e.list = append(e.list, of)
	e.sets = append(e.sets, in...)
}

// entriesOf collects the entries of all states.
//
// It finds entries by event ID, which is quicker to look up than a state key.
// An event under a second key, which malformed states may have, is kept in a
// separate list. It guesses that an event follows the same event as in the
// state before: copies of a map are iterated in nearly the same order, and
// states are often copies of each other.
func entriesOf(states []State) *entries {
	size := 0
	if len(states) > 0 {
		size = len(states[0]) + len(states[0])/4
	}
	e := &entries{events: newIndex(size), states: len(states), words: (len(states) + 63) / 64}
	e.list, e.sets = make([]entry, 0, size), make([]uint64, 0, size*e.words)
	none := make([]uint64, e.words)
	seconds := map[entry][]uint64{}
	guess := int32(0)
	for i, state := range states {
		word, bit := i/64, uint64(1)<<(i%64)
		for key, eventID := range state {
			n := e.events.number(eventID, guess)
			guess = n + 1
			if int(n) == len(e.list) {
				e.add(entry{key, n}, none)
			}
			in := e.sets[int(n)*e.words+word:]
			if e.list[n].key != key {
				second := entry{key, n}
				if seconds[second] == nil {
					seconds[second] = make([]uint64, e.words)
				}
				in = seconds[second][word:]
			}
			in[0] |= bit
		}
	}
	for second, in := range seconds {
		e.add(second, in)
	}
	return e
}

// A stateSplit is a list of states divided into what all share and the rest.
type stateSplit struct {
	shared   State   // the entries that all states have
	roots    []int32 // the events of shared
	unshared entries // all other entries
}

// splitStates divides the states into the entries that all share and the rest.
//
// Spec: room version 2, "Unconflicted state map and conflicted state set".
func splitStates(states []State) *stateSplit {
	all := entriesOf(states)
	s := &stateSplit{
		roots:    make([]int32, 0, len(all.list)),
		unshared: entries{events: all.events, states: all.states, words: all.words},
	}
	for i, e := range all.list {
		if all.inAll(i) {
			s.roots = append(s.roots, e.n)
		} else {
			s.unshared.add(e, all.in(i))
		}
	}
	if len(s.unshared.list) < len(s.roots) {
		s.shared = maps.Clone(states[0])
		for _, e := range s.unshared.list {
			delete(s.shared, e.key)
		}
		return s
	}
	s.shared = make(State, len(all.list)) // with capacity for the entries that will be resolved
	for i, e := range all.list {
		if all.inAll(i) {
			s.shared[e.key] = all.events.ids[e.n]
		}
	}
	return s
}
