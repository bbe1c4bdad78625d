// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"flag"
	"fmt"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

var graphCommand = command{
	name:    "graph",
	args:    "[file ...]",
	summary: "draw the events, and which of them make the state",
	text: `Draws the events of a room with their previous events, oldest first, and beside them
the state that the forks resolve to: for each entry the event that won, and those
that lost. Solid lines lead to previous events; with --auth, dotted ones to auth
events. The picture is SVG, or a graph for Graphviz.`,
	examples: [][2]string{
		{"touchstone room graph room.jsonl > room.svg", "a picture for a browser"},
		{"touchstone room graph --auth room.jsonl > room.svg", "with auth events"},
		{"touchstone room graph --last 50 room.jsonl > room.svg", "the end of a long room"},
		{"touchstone room graph --format dot room.jsonl | dot -Tpdf > room.pdf", "let Graphviz draw it"},
	},
	prepare: func(r *run, fs *flag.FlagSet) func([]string) (bool, error) {
		r.flagVersion(fs)
		var at atFlags
		at.declare(fs)
		format := fs.String("format", "svg", "`FORMAT` of the picture: svg or dot")
		auth := fs.Bool("auth", false, "draw the lines to auth events")
		keys := fs.String("keys", "", "check signatures with the public keys in this `FILE`")
		last := fs.Int("last", 0, "draw only the last `N` events")
		return func(files []string) (bool, error) {
			if *format != "svg" && *format != "dot" {
				return false, usagef("--format %q is neither svg nor dot", *format)
			}
			if *last < 0 {
				return false, usagef("--last %d is less than nothing", *last)
			}
			p, err := r.picture(files, *keys, at)
			if err != nil {
				return false, err
			}
			p.connect(*last, *auth)
			if *format == "dot" {
				return true, r.writeDOT(p)
			}
			return true, r.writeSVG(p)
		}
	},
}

// A picture is the contents of a graph, before its layout.
type picture struct {
	title   string
	nodes   []*node
	edges   []edge // to previous events
	auth    []edge // to auth events
	state   []stateRow
	hidden  int // number of lines that are no events
	checker *checker
	res     *resolution // nil if nothing was accepted
}

// A node is an event, or a reference to an event that is not shown.
type node struct {
	entry *entry
	id    id.EventID
	kind  kind
	badge badge
	width, height,
	x, y float64 // coordinates of its centre
	leftmost bool // of several in its layer
}

// An edge connects an event to one of its references.
type edge struct {
	from, to int
	via      []point // points that it passes, from top to bottom
}

// A stateRow is an entry of the resolved state.
type stateRow struct {
	key      event.StateKey
	won      *event.Event // nil if the resolved state has no such entry
	disputed bool         // it won a conflict
	lost     []*event.Event
}

// A kind is the verdict on an event, for display.
type kind string

const (
	kindState     kind = "state"
	kindMessage   kind = "message"
	kindRejected  kind = "rejected"
	kindDropped   kind = "dropped"
	kindUnknown   kind = "unknown"
	kindElsewhere kind = "elsewhere"
)

// A badge says what part an event has in the resolved state.
type badge string

const (
	badgeNone  badge = ""
	badgeState badge = "in state" // without a conflict
	badgeWon   badge = "won"
	badgeLost  badge = "lost"
)

// picture checks a room and resolves its state, if it has one.
func (r *run) picture(files []string, keyFile string, at atFlags) (*picture, error) {
	j, chosen, err := r.newCheckerFor(files, keyFile, at)
	if err != nil {
		return nil, err
	}
	j.record = true
	j.checkAll()
	p := &picture{checker: j, title: j.room.heading()}
	if len(chosen) > 0 || len(j.room.extremities()) > 0 {
		if p.res, err = j.resolution(chosen, false); err != nil {
			return nil, err
		}
		p.rows()
	}
	return p, nil
}

// rows lists the entries of the resolved state and the events that lost
// conflicts.
func (p *picture) rows() {
	lost := map[event.StateKey][]id.EventID{}
	disputed := map[event.StateKey]bool{}
	for _, c := range p.checker.stateConflicts {
		disputed[c.StateKey] = disputed[c.StateKey] || c.won == p.res.state[c.StateKey]
		for _, eventID := range c.lost {
			if eventID != p.res.state[c.StateKey] && !slices.Contains(lost[c.StateKey], eventID) {
				lost[c.StateKey] = append(lost[c.StateKey], eventID)
			}
		}
	}
	keys := p.res.keys()
	for key := range lost {
		if _, ok := p.res.state[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareKeys)
	for _, key := range keys {
		one := stateRow{key: key, disputed: disputed[key]}
		if eventID, ok := p.res.state[key]; ok {
			one.won = p.res.entry(eventID).ev
		}
		for _, eventID := range lost[key] {
			one.lost = append(one.lost, p.res.entry(eventID).ev)
		}
		p.state = append(p.state, one)
	}
}

// connect makes nodes and edges for the last events, or for all if last is 0.
func (p *picture) connect(last int, auth bool) {
	room := p.checker.room
	var order []int
	for _, e := range room.inOrder() {
		switch {
		case e.ev == nil:
			p.hidden++
		case e.result.Verdict != duplicate:
			order = append(order, room.byID[e.ev.ID])
		}
	}
	if last > 0 && len(order) > last {
		order = order[len(order)-last:]
	}
	badges := p.badges()
	index := map[id.EventID]int{}
	for _, i := range order {
		e := room.entries[i]
		index[e.ev.ID] = len(p.nodes)
		p.nodes = append(p.nodes, &node{entry: e, id: e.ev.ID, kind: kindOf(e), badge: badges[e.ev.ID]})
	}
	for from := range order {
		e := p.nodes[from].entry
		for _, to := range append(room.ids(e.prev), e.missingPrev...) {
			p.edges = append(p.edges, edge{from: from, to: p.target(index, to)})
		}
		for _, to := range room.ids(e.auth) {
			if i, ok := index[to]; ok && auth {
				p.auth = append(p.auth, edge{from: from, to: i})
			}
		}
	}
}

// target returns the node of an event; for an event that is not shown it makes
// one.
func (p *picture) target(index map[id.EventID]int, eventID id.EventID) int {
	i, ok := index[eventID]
	if !ok {
		i = len(p.nodes)
		index[eventID] = i
		p.nodes = append(p.nodes, &node{id: eventID, kind: kindElsewhere})
	}
	return i
}

func kindOf(e *entry) kind {
	switch e.result.Verdict {
	case rejected:
		return kindRejected
	case dropped:
		return kindDropped
	case unknown:
		return kindUnknown
	}
	if e.ev.IsState() {
		return kindState
	}
	return kindMessage
}

func (p *picture) badges() map[id.EventID]badge {
	badges := map[id.EventID]badge{}
	for _, row := range p.state {
		for _, e := range row.lost {
			badges[e.ID] = badgeLost
		}
		switch {
		case row.won != nil && row.disputed:
			badges[row.won.ID] = badgeWon
		case row.won != nil:
			badges[row.won.ID] = badgeState
		}
	}
	return badges
}

// text returns the lines of a node's text. The first is its heading, and the
// last is in small print.
func (n *node) text() []string {
	if n.entry == nil {
		return []string{"not shown", shortID(n.id)}
	}
	e := n.entry.ev
	heading := printable(e.Type)
	if word := mainValue(e); word != "" {
		heading += " → " + word
	}
	lines := []string{heading}
	if key := e.Key().Key; key != "" {
		lines = append(lines, "key "+printable(key))
	}
	lines = append(lines, "by "+printable(string(e.Sender)))
	if n.entry.result.Rule != "" {
		lines = append(lines, "rejected: rule "+n.entry.result.Rule)
	} else if n.kind == kindDropped || n.kind == kindUnknown {
		lines = append(lines, string(n.kind)+": "+string(n.entry.result.Step))
	}
	return append(lines, fmt.Sprintf("%s  depth %d  %s", shortID(n.id), e.Depth, n.entry.where()))
}

// tooltip returns the text that is shown when the pointer is over a node.
func (n *node) tooltip() string {
	if n.entry == nil {
		return printable(string(n.id))
	}
	s := printable(string(n.id)) + "\n" + label(n.entry.ev) + "\n" + printable(string(n.entry.ev.Sender)) + "\n" + string(n.entry.result.Verdict)
	for _, line := range n.entry.explanation() {
		s += "\n" + line
	}
	return s
}
