// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// A Graph tells which auth events events have. It knows events by number; an
// event has a greater number than each of its auth events, as the numbers of
// rows do that are given to events once their auth events have theirs.
type Graph interface {
	// AuthEvents sets into[i] to the auth events of events[i]; what is not there
	// has none. events may not be kept; into[i] is only read.
	AuthEvents(events []int64, into [][]int64) error
}

// batch is how many events a Graph is asked for at once, at most.
const batch = 512

// AuthDifference returns, in ascending order, the events that the auth chains of
// some of the states have, and not those of all. A state is given as the numbers
// of the events that it has beyond those in shared, which every state has.
//
// The walk ends where all that is left belongs to the auth chain of every state:
// what it asks of g is in proportion to the events since the states parted.
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
	d.pending.less = func(a, b int32) bool { return d.places[a].number > d.places[b].number }
	for _, number := range shared {
		d.places[d.place(number)].root = everywhere
	}
	for i, state := range states {
		for _, number := range state {
			d.addRoot(number, i)
		}
	}
	return d.walk(g)
}

// everywhere stands for the mask of all states.
const everywhere int32 = -1

// A difference is one run of AuthDifference.
type difference struct {
	sets, words int
	index       map[int64]int32
	places      []place
	masks       []uint64    // words of them for each mask
	pending     heap[int32] // places to look at, greatest number first
	open        int         // pending places that can still tell states apart
	found       []int64
}

// A place is an event on the walk. Masks say which states have it: as an entry
// (root), or in their auth chains (chain). They are 0 for no state, everywhere,
// or one more than the place in masks.
type place struct {
	number      int64
	root, chain int32
	loaded      bool
	auth        []int64
}

func (d *difference) place(number int64) int32 {
	if i, ok := d.index[number]; ok {
		return i
	}
	i := int32(len(d.places))
	d.index[number] = i
	d.places = append(d.places, place{number: number})
	d.pending.push(i)
	return i
}

func (d *difference) addRoot(number int64, state int) {
	i := d.place(number)
	if d.places[i].root == everywhere {
		return
	}
	was := d.isOpen(i)
	one := d.newMask()
	d.mask(one)[state/64] |= 1 << (state % 64)
	d.places[i].root = d.union(d.places[i].root, one)
	d.count(was, i)
}

// isOpen tells whether a place may belong to the difference, or lead to places
// that do.
func (d *difference) isOpen(i int32) bool {
	p := &d.places[i]
	return p.chain != everywhere && (p.chain != 0 || p.root != everywhere && p.root != 0)
}

func (d *difference) count(was bool, i int32) {
	switch is := d.isOpen(i); {
	case is && !was:
		d.open++
	case was && !is:
		d.open--
	}
}

func (d *difference) newMask() int32 {
	d.masks = append(d.masks, make([]uint64, d.words)...)
	return int32(len(d.masks)/d.words-1) + 1
}

func (d *difference) mask(m int32) []uint64 {
	return d.masks[int(m-1)*d.words : int(m)*d.words]
}

// union returns the union of two masks.
func (d *difference) union(a, b int32) int32 {
	switch {
	case a == everywhere || b == everywhere:
		return everywhere
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
		return everywhere
	case same:
		return a
	}
	return m
}

func (d *difference) walk(g Graph) ([]int64, error) {
	for d.open > 0 {
		if top := d.pending.items[0]; !d.places[top].loaded {
			if err := d.load(g); err != nil {
				return nil, err
			}
		}
		i := d.pending.pop()
		if d.isOpen(i) {
			d.open--
		}
		p := d.places[i] // a copy: places grows
		if p.chain != 0 && p.chain != everywhere {
			d.found = append(d.found, p.number)
		}
		through := d.union(p.chain, p.root)
		for _, number := range p.auth {
			if number >= p.number {
				return nil, orderError(number, p.number)
			}
			a := d.place(number)
			was := d.isOpen(a)
			d.places[a].chain = d.union(d.places[a].chain, through)
			d.count(was, a)
		}
	}
	slices.Sort(d.found)
	return d.found, nil
}

// load asks g for pending places, the next one among them.
func (d *difference) load(g Graph) error {
	numbers := make([]int64, 0, batch)
	at := make([]int32, 0, batch)
	for _, i := range d.pending.items {
		if !d.places[i].loaded {
			numbers, at = append(numbers, d.places[i].number), append(at, i)
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
		d.places[i].loaded, d.places[i].auth = true, auth[j]
	}
	return nil
}

func orderError(auth, of int64) error {
	return fmt.Errorf("stateres: event %d has the auth event %d, which is no smaller number", of, auth)
}

// ConflictedSubgraph returns, in ascending order, the events on all paths along
// auth events that lead from one of these events to another, the ends included.
// What it asks of g is in proportion to the events from the oldest one on.
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
				// What is older than the oldest one leads to none of them.
				if _, seen := auth[a]; !seen && a >= oldest {
					auth[a] = nil
					next, reached = append(next, a), append(reached, a)
				}
			}
		}
	}
	return between(reached, auth, ends), nil
}

// between returns which of the events that ends lead to lie on a path to one.
func between(reached []int64, auth map[int64][]int64, ends map[int64]bool) []int64 {
	slices.SortFunc(reached, cmp.Compare[int64])
	leads := make(map[int64]bool, len(reached)) // to an end
	cited := make(map[int64]bool, len(reached)) // an end by what an end leads to
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
