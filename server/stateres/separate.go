// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"maps"
	"math/bits"

	"touchstone.example/server/event"
)

// Entries are what some states have, each with the set of those that have it.
type entries struct {
	events *index
	states int // how many there are
	words  int // of a set of them
	list   []entry
	sets   []uint64
}

// An entry is the place of an event in states.
type entry struct {
	key event.StateKey
	n   int32 // the event's number
}

// in returns the set of the states that have an entry.
func (e *entries) in(i int) []uint64 { return e.sets[i*e.words : (i+1)*e.words] }

// inAll tells whether all states have an entry.
func (e *entries) inAll(i int) bool {
	n := 0
	for _, word := range e.in(i) {
		n += bits.OnesCount64(word)
	}
	return n == e.states
}

// statesOf lists the states that have an entry.
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

// entriesOf lists what states have.
//
// Entries are told by the IDs of their events, which are quicker to look up than
// keys. An event that stands under a second key, as in nonsense states, is listed
// apart. The guess is that an event follows the one that it followed before: a
// copy of a map is gone through in nearly the same order, and states tend to be
// copies of each other.
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

// A separation is what states share and what not.
type separation struct {
	shared State   // what all have
	roots  []int32 // the events of that
	apart  entries // the others
}

// separate tells which entries all states share.
//
// Spec: room version 2, "Unconflicted state map and conflicted state set".
func separate(states []State) *separation {
	all := entriesOf(states)
	s := &separation{
		roots: make([]int32, 0, len(all.list)),
		apart: entries{events: all.events, states: all.states, words: all.words},
	}
	for i, e := range all.list {
		if all.inAll(i) {
			s.roots = append(s.roots, e.n)
		} else {
			s.apart.add(e, all.in(i))
		}
	}
	if len(s.apart.list) < len(s.roots) {
		s.shared = maps.Clone(states[0])
		for _, e := range s.apart.list {
			delete(s.shared, e.key)
		}
		return s
	}
	s.shared = make(State, len(all.list)) // with room for what will be resolved
	for i, e := range all.list {
		if all.inAll(i) {
			s.shared[e.key] = all.events.ids[e.n]
		}
	}
	return s
}
