// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
)

// graphOf makes a picture of events with these references, which may also be to
// later events.
func graphOf(prev [][]int) *picture {
	p := &picture{}
	for i, refs := range prev {
		n := &node{id: id.EventID(fmt.Sprint("$", i)), entry: &entry{}, width: 100 + float64(i*37%90), height: 40 + float64(i*13%30)}
		p.nodes = append(p.nodes, n)
		for _, to := range refs {
			p.edges = append(p.edges, edge{from: i, to: to})
		}
	}
	return p
}

// requireReadable checks that nothing overlaps and that later events are lower.
func requireReadable(t *testing.T, p *picture, width, height float64) {
	for i, n := range p.nodes {
		require.False(t, math.IsNaN(n.x) || math.IsNaN(n.y))
		require.GreaterOrEqual(t, n.x-n.width/2, -0.01)
		require.LessOrEqual(t, n.x+n.width/2, width+0.01)
		require.GreaterOrEqual(t, n.y-n.height/2, -0.01)
		require.LessOrEqual(t, n.y+n.height/2, height+0.01)
		for k, other := range p.nodes[:i] {
			apart := math.Abs(n.x-other.x) >= (n.width+other.width)/2 || math.Abs(n.y-other.y) >= (n.height+other.height)/2
			require.True(t, apart, "%d covers %d", i, k)
		}
	}
	for _, e := range p.edges {
		if e.from <= e.to {
			continue
		}
		y := p.nodes[e.to].y
		for _, via := range e.via {
			require.GreaterOrEqual(t, via.y, y)
			y = via.y
			for i, n := range p.nodes {
				inside := math.Abs(via.x-n.x) < n.width/2 && math.Abs(via.y-n.y) < n.height/2
				require.False(t, inside, "the line of %d to %d goes through %d", e.from, e.to, i)
			}
		}
		require.Greater(t, p.nodes[e.from].y, y)
	}
}

func TestLayoutsAreReadable(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		prev := make([][]int, 1+chance.IntN(60))
		for i := 1; i < len(prev); i++ {
			for range 1 + chance.IntN(3) {
				to := max(0, i-1-chance.IntN(1+round%12))
				if len(prev[i]) == 0 || prev[i][len(prev[i])-1] != to {
					prev[i] = append(prev[i], to)
				}
			}
		}
		p := graphOf(prev)
		width, height := p.place()
		requireReadable(t, p, width, height)
	}
}

func TestAChainIsDrawnAsAStraightLine(t *testing.T) {
	prev := [][]int{nil}
	for i := range 50 {
		prev = append(prev, []int{i})
	}
	prev = append(prev, []int{50}, []int{50}, []int{51, 52}, []int{53})
	p := graphOf(prev)
	p.place()
	for i := 1; i <= 50; i++ {
		require.InDelta(t, p.nodes[0].x, p.nodes[i].x, 0.01, i)
	}
	require.InDelta(t, p.nodes[50].x, (p.nodes[51].x+p.nodes[52].x)/2, 50, "a fork stands below its origin")
	require.InDelta(t, p.nodes[53].x, (p.nodes[51].x+p.nodes[52].x)/2, 50, "a merge stands below its branches")
}

func TestLinesDoNotCrossWhereTheyNeedNot(t *testing.T) {
	// Events alternate between two branches; in the second half their order is
	// swapped.
	p := graphOf([][]int{nil, {0}, {0}, {2}, {1}, {3}, {4}, {6, 5}})
	for i := range p.nodes {
		p.nodes[i].width = 100
	}
	l := &layout{p: p}
	l.assignLayers()
	l.addLanes()
	l.orderLayers()
	require.Zero(t, l.crossings())
}

func TestCyclesAreDrawnToo(t *testing.T) {
	p := graphOf([][]int{{2}, {0}, {1}, {3}})
	width, height := p.place()
	requireReadable(t, p, width, height)
}

func TestEmptyPicture(t *testing.T) {
	width, height := (&picture{}).place()
	require.Zero(t, width)
	require.Zero(t, height)
}

func TestACurveStopsAtItsPoints(t *testing.T) {
	require.Equal(t, "M0 10 L0 5 C0 2.5 4 2.5 4 0", curve([]point{{0, 10}, {0, 5}, {4, 0}}))
}

func TestTerminalControlCharactersAreEscaped(t *testing.T) {
	require.Equal(t, `a\x1b[31mb\n\u202e`, printable("a\x1b[31mb\n\u202e"))
	require.Equal(t, `"é ☃`, printable(`"é ☃`))
	require.Equal(t, "ab…", shorten("abcd", 3))
	require.Equal(t, "$12345678901"[:shortLength], shortID("$123456789012345"))
	require.Equal(t, "$12345678901", shortID("$12345678901"))
}
