// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// A Graph returns the auth events of events, by number. An event has a greater
// number than each of its auth events; row numbers have this property if an
// event is stored after its auth events.
type Graph interface {
	// AuthEvents sets into[i] to the auth events of events[i], to none if the
	// event is unknown. The implementation may not keep events; the caller only
	// reads into[i].
	AuthEvents(events []int64, into [][]int64) error
}

// batch is the largest number of events that one call of Graph.AuthEvents asks
// for.
const batch = 512

// AuthDifference returns, in ascending order, the events that are in the auth
// chains of some of the states but not of all. Each state is given as the
// numbers of the events that it has in addition to shared, which every state
// has.
//
// The walk ends as soon as all remaining events are in the auth chain of every
// state, so the number of events it asks g for is in proportion to the events
// since the states diverged.
//
// Spec: room version 2, "Auth difference".
func AuthDifference(g Graph, shared []int64, states [][]int64) ([]int64, error) {
	d := difference{
		sets:    len(states),
		words:   (len(states) + 63) / 64,
		index:   make(map[int64]int32, len(shared)),
		pending: heap[int32]{},
	}
	if len(states) < 2 {
		return nil, nil
	}
	d.pending.less = func(a, b int32) bool { return d.visited[a].number > d.visited[b].number }
	for _, number := range shared {
		d.visited[d.indexOf(number)].root = allStates
	}
	for i, state := range states {
		for _, number := range state {
			d.addRoot(number, i)
		}
	}
	return d.walk(g)
}

// allStates is the mask of the set of all states.
const allStates int32 = -1

// A difference is the working data of one call of AuthDifference.
type difference struct {
	sets, words int
	index       map[int64]int32
	visited     []visitedEvent
	masks       []uint64    // the bit sets, so many words for each mask
	pending     heap[int32] // indices into visited of the events to process, greatest number first
	undecided   int         // how many pending events are undecided (see isUndecided)
	found       []int64
}

// A visitedEvent is an event that the walk has reached. Its masks say which
// states have it: as an entry (root), or in their auth chain (chain). A mask is
// 0 for no state, allStates, or one more than an index into masks.
type visitedEvent struct {
	number      int64
	root, chain int32
	loaded      bool
	auth        []int64
}

func (d *difference) indexOf(number int64) int32 {
	if i, ok := d.index[number]; ok {
		return i
	}
	i := int32(len(d.visited))
	d.index[number] = i
	d.visited = append(d.visited, visitedEvent{number: number})
	d.pending.push(i)
	return i
}

func (d *difference) addRoot(number int64, state int) {
	i := d.indexOf(number)
	if d.visited[i].root == allStates {
		return
	}
	was := d.isUndecided(i)
	one := d.newMask()
	d.mask(one)[state/64] |= 1 << (state % 64)
	d.visited[i].root = d.union(d.visited[i].root, one)
	d.countUndecided(was, i)
}

// isUndecided reports whether an event may belong to the difference, or have
// auth events that do.
func (d *difference) isUndecided(i int32) bool {
	p := &d.visited[i]
	return p.chain != allStates && (p.chain != 0 || p.root != allStates && p.root != 0)
}

func (d *difference) countUndecided(was bool, i int32) {
	switch is := d.isUndecided(i); {
	case is && !was:
		d.undecided++
	case was && !is:
		d.undecided--
	}
}

func (d *difference) newMask() int32 {
	d.masks = append(d.masks, make([]uint64, d.words)...)
	return int32(len(d.masks)/d.words-1) + 1
}

func (d *difference) mask(m int32) []uint64 {
	return d.masks[int(m-1)*d.words : int(m)*d.words]
}

// union returns the mask of the union of two sets of states.
func (d *difference) union(a, b int32) int32 {
	switch {
	case a == allStates || b == allStates:
		return allStates
	case a == 0:
		return b
	case b == 0 || a == b:
		return a
	}
	m := d.newMask()
	mask, of, and := d.mask(m), d.mask(a), d.mask(b)
	n, same := 0, true
	for i := range mask {
		mask[i] = of[i] | and[i]
		n += bits.OnesCount64(mask[i])
		same = same && mask[i] == of[i]
	}
	if same || n == d.sets {
		d.masks = d.masks[:len(d.masks)-d.words]
	}
	switch {
	case n == d.sets:
		return allStates
	case same:
		return a
	}
	return m
}

func (d *difference) walk(g Graph) ([]int64, error) {
	for d.undecided > 0 {
		if top := d.pending.items[0]; !d.visited[top].loaded {
			if err := d.load(g); err != nil {
				return nil, err
			}
		}
		i := d.pending.pop()
		if d.isUndecided(i) {
			d.undecided--
		}
		p := d.visited[i] // a copy, because the slice grows below
		if p.chain != 0 && p.chain != allStates {
			d.found = append(d.found, p.number)
		}
		through := d.union(p.chain, p.root)
		for _, number := range p.auth {
			if number >= p.number {
				return nil, orderError(number, p.number)
			}
			a := d.indexOf(number)
			was := d.isUndecided(a)
			d.visited[a].chain = d.union(d.visited[a].chain, through)
			d.countUndecided(was, a)
		}
	}
	slices.Sort(d.found)
	return d.found, nil
}

// load asks g for a batch of pending events, the next one among them.
func (d *difference) load(g Graph) error {
	numbers := make([]int64, 0, batch)
	at := make([]int32, 0, batch)
	for _, i := range d.pending.items {
		if !d.visited[i].loaded {
			numbers, at = append(numbers, d.visited[i].number), append(at, i)
		}
		if len(numbers) == batch {
			break
		}
	}
	auth := make([][]int64, len(numbers))
	if err := g.AuthEvents(numbers, auth); err != nil {
		return err
	}
	for j, i := range at {
		d.visited[i].loaded, d.visited[i].auth = true, auth[j]
	}
	return nil
}

func orderError(auth, of int64) error {
	return fmt.Errorf("stateres: event %d has the auth event %d, which is no smaller number", of, auth)
}

// ConflictedSubgraph returns, in ascending order, the events on all paths of
// auth events that lead from one of the conflicted events to another, both ends
// included. The number of events it asks g for is in proportion to the events
// since the oldest conflicted one.
//
// Spec: room version 12, "Conflicted state subgraph".
func ConflictedSubgraph(g Graph, conflicted []int64) ([]int64, error) {
	if len(conflicted) == 0 {
		return nil, nil
	}
	oldest := slices.Min(conflicted)
	auth := make(map[int64][]int64, len(conflicted))
	ends := make(map[int64]bool, len(conflicted))
	var next []int64
	for _, number := range conflicted {
		if !ends[number] {
			ends[number] = true
			next = append(next, number)
			auth[number] = nil
		}
	}
	reached := slices.Clone(next)
	for len(next) > 0 {
		numbers := next[:min(batch, len(next))]
		lists := make([][]int64, len(numbers))
		if err := g.AuthEvents(numbers, lists); err != nil {
			return nil, err
		}
		next = next[len(numbers):]
		for i, number := range numbers {
			auth[number] = lists[i]
			for _, a := range lists[i] {
				if a >= number {
					return nil, orderError(a, number)
				}
				// An event older than the oldest conflicted one cannot cite any
				// of them.
				if _, seen := auth[a]; !seen && a >= oldest {
					auth[a] = nil
					next, reached = append(next, a), append(reached, a)
				}
			}
		}
	}
	return between(reached, auth, ends), nil
}

// between returns those of the reached events that lie on a path between two
// ends.
func between(reached []int64, auth map[int64][]int64, ends map[int64]bool) []int64 {
	slices.SortFunc(reached, cmp.Compare[int64])
	leads := make(map[int64]bool, len(reached)) // events with an end in their auth chain
	cited := make(map[int64]bool, len(reached)) // ends that another reached event has as an auth event
	for _, number := range reached {
		for _, a := range auth[number] {
			if ends[a] || leads[a] {
				leads[number] = true
			}
			if ends[a] {
				cited[a] = true
			}
		}
	}
	return slices.DeleteFunc(reached, func(number int64) bool { return !leads[number] && !cited[number] })
}
