// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"cmp"
	"slices"
)

// The layout has layers: an event is one layer below the lowest of its previous
// events. A line across several layers gets a slot in each of them, so that it
// passes between events. Alternating passes downwards and upwards then move
// connected slots close to each other. There is no recursion, and the time of a
// pass is in proportion to the number of slots and lines.

// A point is a position in the picture.
type point struct{ x, y float64 }

// Distances in the picture.
const (
	gapX       = 28 // between events side by side
	gapY       = 40 // between layers
	laneWidth  = 12 // width of a slot for a passing line
	orderTurns = 16
	placeTurns = 9 // odd, so that the last pass goes downwards
	// maxLanes limits the slots for passing lines. Lines beyond the limit are
	// drawn straight.
	maxLanes = 200_000
)

// A slot is an event, or a passing line, in a layer.
type slot struct {
	layer    int
	pos      int // index in its layer
	width, x float64
	up, down []int // slots above and below that it is connected to
	line     bool
	key      float64 // sort key within its layer
}

// A layout computes the positions of the nodes of a picture.
type layout struct {
	p      *picture
	slots  []slot // the slots of nodes come first
	layers [][]int
	lanes  [][]int // for each edge, the slots of its line from top to bottom
}

// place sets the positions of nodes and the courses of lines, given the node
// sizes, and returns the size of the picture.
func (p *picture) place() (width, height float64) {
	l := &layout{p: p}
	l.assignLayers()
	l.addLanes()
	l.orderLayers()
	l.placeX()
	return l.finish()
}

// assignLayers puts every node below those that it refers to. References come
// first in the list of nodes, except in cycles and for nodes that are not
// shown.
func (l *layout) assignLayers() {
	nodes := l.p.nodes
	l.slots = make([]slot, len(nodes))
	to := make([][]int, len(nodes))
	for _, e := range l.p.edges {
		to[e.from] = append(to[e.from], e.to)
	}
	for i, n := range nodes {
		l.slots[i].width = n.width
		for _, t := range to[i] {
			if t < i || nodes[t].entry == nil {
				l.slots[i].layer = max(l.slots[i].layer, l.slots[t].layer+1)
			}
		}
	}
	// A node that is not shown goes right above the first node that refers to
	// it.
	lowest := map[int]int{}
	for _, e := range l.p.edges {
		if nodes[e.to].entry == nil {
			if at, ok := lowest[e.to]; !ok || l.slots[e.from].layer-1 < at {
				lowest[e.to] = l.slots[e.from].layer - 1
			}
		}
	}
	for i, layer := range lowest {
		l.slots[i].layer = layer
	}
}

// addLanes connects the slots, and adds slots for lines across several layers.
func (l *layout) addLanes() {
	l.lanes = make([][]int, len(l.p.edges))
	budget := maxLanes
	for n, e := range l.p.edges {
		top, bottom := e.to, e.from
		if l.slots[top].layer >= l.slots[bottom].layer {
			continue // part of a cycle
		}
		between := l.slots[bottom].layer - l.slots[top].layer - 1
		if between > budget {
			continue
		}
		budget -= between
		above := top
		for layer := l.slots[top].layer + 1; layer < l.slots[bottom].layer; layer++ {
			lane := len(l.slots)
			l.slots = append(l.slots, slot{layer: layer, width: laneWidth, line: true})
			l.lanes[n] = append(l.lanes[n], lane)
			l.join(above, lane)
			above = lane
		}
		l.join(above, bottom)
	}
	for i, s := range l.slots {
		for len(l.layers) <= s.layer {
			l.layers = append(l.layers, nil)
		}
		l.slots[i].pos = len(l.layers[s.layer])
		l.layers[s.layer] = append(l.layers[s.layer], i)
	}
}

func (l *layout) join(above, below int) {
	l.slots[above].down = append(l.slots[above].down, below)
	l.slots[below].up = append(l.slots[below].up, above)
}

// orderLayers sorts each layer by the positions of its neighbours, and keeps
// the order with the fewest crossings.
func (l *layout) orderLayers() {
	best, fewest := l.order(), l.crossings()
	for turn := 0; turn < orderTurns && fewest > 0; turn++ {
		downwards := turn%2 == 0
		for n := range l.layers {
			if !downwards {
				n = len(l.layers) - 1 - n
			}
			l.sortLayer(n, downwards)
		}
		if crossings := l.crossings(); crossings < fewest {
			best, fewest = l.order(), crossings
		}
	}
	l.layers = best
	l.number()
}

func (l *layout) order() [][]int {
	order := make([][]int, len(l.layers))
	for i, layer := range l.layers {
		order[i] = slices.Clone(layer)
	}
	return order
}

func (l *layout) number() {
	for _, layer := range l.layers {
		for pos, i := range layer {
			l.slots[i].pos = pos
		}
	}
}

func (l *layout) sortLayer(n int, byUpper bool) {
	for _, i := range l.layers[n] {
		s := &l.slots[i]
		near := s.down
		if byUpper {
			near = s.up
		}
		s.key = float64(s.pos)
		if len(near) > 0 {
			sum := 0
			for _, t := range near {
				sum += l.slots[t].pos
			}
			s.key = float64(sum) / float64(len(near))
		}
	}
	slices.SortStableFunc(l.layers[n], func(a, b int) int { return cmp.Compare(l.slots[a].key, l.slots[b].key) })
	for pos, i := range l.layers[n] {
		l.slots[i].pos = pos
	}
}

// crossings counts the crossings of lines between adjacent layers.
func (l *layout) crossings() int {
	total := 0
	for n := 1; n < len(l.layers); n++ {
		tree := make([]int, len(l.layers[n-1])+1) // a Fenwick tree that counts the line ends in the layer above
		seen := 0
		for _, i := range l.layers[n] {
			for _, t := range l.slots[i].up {
				left := 0
				for at := l.slots[t].pos + 1; at > 0; at -= at & -at {
					left += tree[at]
				}
				total += seen - left
			}
			for _, t := range l.slots[i].up {
				seen++
				for at := l.slots[t].pos + 1; at < len(tree); at += at & -at {
					tree[at]++
				}
			}
		}
	}
	return total
}

// placeX moves the slots of each layer as close to their neighbours as the
// other slots allow.
func (l *layout) placeX() {
	for _, layer := range l.layers {
		x := 0.0
		for _, i := range layer {
			l.slots[i].x = x + l.slots[i].width/2
			x += l.slots[i].width + gapX
		}
	}
	for turn := range placeTurns {
		for n := range l.layers {
			if turn%2 == 1 {
				n = len(l.layers) - 1 - n
			}
			l.placeLayer(l.layers[n], turn%2 == 0)
		}
	}
}

// A block is a run of adjacent slots without gaps. Its position is the average
// of the positions that its slots prefer.
type block struct {
	sum, weight float64
	n           int
}

// placeLayer places the slots of one layer, in their order, so that the sum of
// the squared distances to their preferred positions is smallest.
func (l *layout) placeLayer(layer []int, byUpper bool) {
	offsets := make([]float64, len(layer)) // of slots within a block, from its first slot
	blocks := make([]block, 0, len(layer))
	for k, i := range layer {
		if k > 0 {
			before := &l.slots[layer[k-1]]
			offsets[k] = offsets[k-1] + (before.width+l.slots[i].width)/2 + gapX
		}
		wish, weight := l.preferredX(i, byUpper)
		b := block{float64((wish - offsets[k]) * weight), weight, 1}
		for len(blocks) > 0 {
			before := blocks[len(blocks)-1]
			if before.sum/before.weight <= b.sum/b.weight {
				break
			}
			b = block{before.sum + b.sum, before.weight + b.weight, before.n + b.n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	k := 0
	for _, b := range blocks {
		for range b.n {
			l.slots[layer[k]].x = b.sum/b.weight + offsets[k]
			k++
		}
	}
}

// preferredX returns the preferred position of a slot and its weight.
func (l *layout) preferredX(i int, byUpper bool) (x, weight float64) {
	s := &l.slots[i]
	near := s.down
	if byUpper {
		near = s.up
	}
	if len(near) == 0 {
		return s.x, 0.1
	}
	sum, total := 0.0, 0.0
	for _, t := range near {
		w := 1.0
		if s.line && l.slots[t].line { // prefer straight long lines
			w = 8
		}
		sum += float64(l.slots[t].x * w)
		total += w
	}
	if s.line {
		return sum / total, 2
	}
	return sum / total, 1
}

// finish copies the positions to the picture.
func (l *layout) finish() (width, height float64) {
	left, right := 0.0, 0.0
	for i, s := range l.slots {
		if i == 0 || s.x-s.width/2 < left {
			left = s.x - s.width/2
		}
		right = max(right, s.x+s.width/2)
	}
	tops := make([]float64, len(l.layers)) // upper edges of the layers
	heights := make([]float64, len(l.layers))
	for i, n := range l.p.nodes {
		heights[l.slots[i].layer] = max(heights[l.slots[i].layer], n.height)
	}
	for n := range l.layers {
		tops[n] = height
		height += heights[n] + gapY
	}
	for i, n := range l.p.nodes {
		layer := l.slots[i].layer
		n.leftmost = l.slots[i].pos == 0 && len(l.layers[layer]) > 1
		n.x, n.y = l.slots[i].x-left, tops[layer]+heights[layer]/2
	}
	for n := range l.p.edges {
		for _, lane := range l.lanes[n] {
			s := l.slots[lane]
			l.p.edges[n].via = append(l.p.edges[n].via,
				point{s.x - left, tops[s.layer]}, point{s.x - left, tops[s.layer] + heights[s.layer]})
		}
	}
	return right - left, max(0, height-gapY)
}
