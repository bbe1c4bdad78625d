// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"fmt"
	"strings"
)

// A nodeStyle is the appearance of one kind of node.
type nodeStyle struct {
	fill, stroke string
	dashed       bool
	means        string // its description in the legend
}

// styles uses colours that colour-blind people can distinguish. Important
// information is also written as text.
var styles = map[kind]nodeStyle{
	kindState:     {fill: "#e7f0fb", stroke: "#2f6db3", means: "state event"},
	kindMessage:   {fill: "#f4f4f2", stroke: "#8b8b86", means: "message event"},
	kindRejected:  {fill: "#fdeceb", stroke: "#c5221f", dashed: true, means: "rejected"},
	kindDropped:   {fill: "#f7e4ee", stroke: "#8e1e5b", dashed: true, means: "dropped"},
	kindUnknown:   {fill: "#fff6da", stroke: "#a8730a", dashed: true, means: "not checked: something is missing"},
	kindElsewhere: {fill: "#ffffff", stroke: "#b5b5b0", dashed: true, means: "not shown"},
}

// kinds lists the kinds in the order of the legend.
var kinds = [...]kind{kindState, kindMessage, kindRejected, kindDropped, kindUnknown, kindElsewhere}

// A badgeStyle is the appearance of a badge.
type badgeStyle struct{ text, fill, means string }

var badgeStyles = map[badge]badgeStyle{
	badgeState: {"in state", "#4d7a52", "part of the resolved state"},
	badgeWon:   {"✓ won", "#0b7a2f", "won a conflict"},
	badgeLost:  {"✗ lost", "#b3560b", "lost a conflict"},
}

var badges = [...]badge{badgeState, badgeWon, badgeLost}

// writeDOT prints a graph for Graphviz.
func (r *run) writeDOT(p *picture) error {
	fmt.Fprintf(r.out, "digraph room {\n\tlabel=%s; labelloc=t; fontname=\"sans-serif\";\n", dotText(p.heading()))
	fmt.Fprint(r.out, "\trankdir=BT;\n\tnode [shape=box, style=\"rounded,filled\", fontname=\"monospace\", fontsize=10];\n\tedge [color=\"#555555\"];\n")
	for i, n := range p.nodes {
		s := styles[n.kind]
		look, width := "rounded,filled", 1
		if s.dashed {
			look = "rounded,filled,dashed"
		}
		lines := n.text()
		if n.badge != badgeNone {
			lines[0] += "  [" + badgeStyles[n.badge].text + "]"
		}
		if n.badge == badgeWon {
			width = 3
		}
		fmt.Fprintf(r.out, "\te%d [label=%s, tooltip=%s, style=%q, fillcolor=%q, color=%q, penwidth=%d];\n",
			i, dotText(lines...), dotText(strings.Split(n.tooltip(), "\n")...), look, s.fill, s.stroke, width)
	}
	for _, e := range p.edges {
		fmt.Fprintf(r.out, "\te%d -> e%d;\n", e.from, e.to)
	}
	for _, e := range p.auth {
		fmt.Fprintf(r.out, "\te%d -> e%d [style=dotted, color=\"#8a63b8\", constraint=false, arrowsize=0.6];\n", e.from, e.to)
	}
	if len(p.state) > 0 {
		r.writeDOTState(p)
	}
	_, err := fmt.Fprint(r.out, "}\n")
	return err
}

func (r *run) writeDOTState(p *picture) {
	lines := []string{p.stateHeading(), ""}
	for _, row := range p.state {
		for _, line := range row.text() {
			lines = append(lines, line.text)
		}
	}
	fmt.Fprintf(r.out, "\tstate [shape=note, style=filled, fillcolor=\"#fbfbf8\", color=\"#b5b5b0\", label=%s];\n", dotText(lines...))
}

// dotText quotes lines of text, left-aligned.
func dotText(lines ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var b strings.Builder
	b.WriteByte('"')
	for i, line := range lines {
		b.WriteString(escape.Replace(line))
		if len(lines) > 1 || i > 0 {
			b.WriteString(`\l`)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// heading returns the heading of the picture.
func (p *picture) heading() string {
	s := p.title
	if p.hidden > 0 {
		s += fmt.Sprintf("; %s not in the format of events", count(p.hidden, "line is", "lines are"))
	}
	return s
}

func (p *picture) stateHeading() string {
	if n := len(p.res.at); n > 1 {
		return fmt.Sprintf("State that %d branches resolve to", n)
	}
	e := p.res.entryAt(0)
	return fmt.Sprintf("State after %s (%s)", shortID(e.ev.ID), e.where())
}

// A rowLine is one line of the list of state entries.
type rowLine struct {
	text string
	badge
}

// text returns the lines for a state entry.
func (row stateRow) text() []rowLine {
	var lines []rowLine
	switch {
	case row.won == nil:
		lines = append(lines, rowLine{"nothing for " + keyLabel(row.key), badgeLost})
	case row.disputed:
		lines = append(lines, rowLine{shortID(row.won.ID) + "  " + label(row.won), badgeWon})
	default:
		lines = append(lines, rowLine{shortID(row.won.ID) + "  " + label(row.won), badgeState})
	}
	for _, e := range row.lost {
		lines = append(lines, rowLine{"  not " + shortID(e.ID) + "  " + label(e), badgeLost})
	}
	return lines
}
