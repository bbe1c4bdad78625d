// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"
)

// A port is where a line starts and ends, relative to the centres of its
// events.
type port struct{ from, to float64 }

// portStep is the distance between lines at the same event.
const portStep = 14

// ports distributes the lines at each event, so that they do not overlap. A
// vertical line stays vertical.
func (d svg) ports() []port {
	ports := make([]port, len(d.p.edges))
	nodes := d.p.nodes
	down, up := make([][]int, len(nodes)), make([][]int, len(nodes))
	for i, e := range d.p.edges {
		down[e.to] = append(down[e.to], i)
		up[e.from] = append(up[e.from], i)
	}
	// next is the horizontal position to which a line goes from its event.
	next := func(i int, upwards bool) float64 {
		e := d.p.edges[i]
		switch {
		case upwards && len(e.via) > 0:
			return e.via[len(e.via)-1].x
		case upwards:
			return nodes[e.to].x
		case len(e.via) > 0:
			return e.via[0].x
		}
		return nodes[e.from].x
	}
	for n, node := range nodes {
		spread(node, up[n], func(i int) float64 { return next(i, true) }, func(i int, x float64) { ports[i].from = x })
		spread(node, down[n], func(i int) float64 { return next(i, false) }, func(i int, x float64) { ports[i].to = x })
	}
	return ports
}

// spread assigns positions at one side of an event to its lines, sorted by
// where they go.
func spread(n *node, lines []int, next func(int) float64, set func(int, float64)) {
	slices.SortStableFunc(lines, func(a, b int) int { return cmp.Compare(next(a), next(b)) })
	middle := float64(len(lines)-1) / 2
	for k, i := range lines {
		if dx := next(i) - n.x; dx > -1 && dx < 1 {
			middle = float64(k)
		}
	}
	step := min(portStep, (n.width-2*padding)/float64(len(lines)+1))
	for k, i := range lines {
		set(i, float64((float64(k)-middle)*step))
	}
}

// panelText returns the lines of the list of state entries, up to its maximum
// height.
func (d svg) panelText() []rowLine {
	var lines []rowLine
	for i, row := range d.p.state {
		if len(lines) >= panelLines {
			return append(lines, rowLine{fmt.Sprintf("and %d more", len(d.p.state)-i), badgeNone})
		}
		lines = append(lines, row.text()...)
	}
	return lines
}

func (d svg) panelSize() (width, height float64) {
	lines := d.panelText()
	if len(lines) == 0 {
		return 0, 0
	}
	chars := utf8.RuneCountInString(d.p.stateHeading()) * 5 / 4
	for _, line := range lines {
		chars = max(chars, min(panelChars, utf8.RuneCountInString(line.text)))
	}
	return float64(chars)*charWidth + 2*padding + 16, float64((len(lines)+2)*lineHeight) + padding
}

// panel draws the list of state entries.
func (d svg) panel(x, y, width, height float64) {
	d.printf(`<g transform="translate(%s %s)"><rect width="%s" height="%s" rx="6" fill="#fbfbf8" stroke="#cfcfc8"/>`,
		num(x), num(y), num(width), num(height))
	d.printf(`<text x="%d" y="20" font-size="13" font-weight="bold" fill="#1d1d1b" font-family="sans-serif">%s</text>`+"\n",
		padding, escape(d.p.stateHeading()))
	for i, line := range d.panelText() {
		fill, weight := "#1d1d1b", ""
		switch line.badge {
		case badgeWon:
			fill, weight = badgeStyles[badgeWon].fill, ` font-weight="bold"`
		case badgeLost:
			fill = badgeStyles[badgeLost].fill
		}
		at := (i + 3) * lineHeight
		if line.badge != badgeNone {
			d.printf(`<circle cx="%d" cy="%d" r="3.5" fill="%s"/>`, padding+4, at-4, badgeStyles[line.badge].fill)
		}
		d.printf(`<text x="%d" y="%d" fill="%s"%s xml:space="preserve">%s</text>`+"\n",
			padding+14, at, fill, weight, escape(shorten(line.text, panelChars)))
	}
	d.printf("</g>\n")
}

// A legendEntry is an entry of the legend with its position.
type legendEntry struct {
	kind  kind
	badge badge
	auth  bool
	text  string
	x, y  float64
}

// legend lays out the legend in rows of this width.
func (d svg) legend(width float64) []legendEntry {
	hasKind, hasBadge := map[kind]bool{}, map[badge]bool{}
	for _, n := range d.p.nodes {
		hasKind[n.kind], hasBadge[n.badge] = true, true
	}
	var all []legendEntry
	for _, k := range kinds {
		if hasKind[k] {
			all = append(all, legendEntry{kind: k, text: styles[k].means})
		}
	}
	for _, b := range badges {
		if hasBadge[b] {
			all = append(all, legendEntry{badge: b, text: badgeStyles[b].means})
		}
	}
	all = append(all, legendEntry{text: "to its previous event"})
	if len(d.p.auth) > 0 {
		all = append(all, legendEntry{auth: true, text: "to its auth event"})
	}
	x, y := 0.0, 0.0
	for i := range all {
		needs := float64(utf8.RuneCountInString(all[i].text))*charWidth + 40
		if x > 0 && x+needs > width {
			x, y = 0, y+20
		}
		all[i].x, all[i].y = x, y
		x += needs + 14
	}
	return all
}

func (d svg) legendItem(l legendEntry) {
	d.printf(`<g transform="translate(%s %s)">`, num(l.x), num(l.y))
	s, isKind := styles[l.kind]
	switch {
	case isKind:
		dash := ""
		if s.dashed {
			dash = ` stroke-dasharray="4 2"`
		}
		d.printf(`<rect width="26" height="14" rx="3" fill="%s" stroke="%s"%s/>`, s.fill, s.stroke, dash)
	case l.badge != badgeNone:
		d.printf(`<rect y="1" width="26" height="12" rx="6" fill="%s"/>`, badgeStyles[l.badge].fill)
	case l.auth:
		d.printf(`<path d="M0 7 H26" fill="none" stroke="#8a63b8" stroke-dasharray="1.5 3" marker-end="url(#auth)"/>`)
	default:
		d.printf(`<path d="M0 7 H26" fill="none" stroke="#4a4a46" stroke-width="1.3" marker-end="url(#prev)"/>`)
	}
	d.printf(`<text x="32" y="11" fill="#1d1d1b">%s</text></g>`+"\n", escape(l.text))
}
