// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sizes in the picture. Text is in a monospaced font, so that its width is
// known.
const (
	charWidth  = 6.65 // at textSize
	textSize   = 11
	lineHeight = 15
	padding    = 9
	margin     = 24
	maxChars   = 46 // per line in an event
	panelChars = 64 // per line in the list of state entries
	panelLines = 120
	// headingWidth is the width of a heading character, estimated, because that
	// font is not monospaced.
	headingWidth = 8.5
)

// An svg writes a picture as SVG.
type svg struct {
	w io.Writer
	p *picture
}

func (r *run) writeSVG(p *picture) error {
	for _, n := range p.nodes {
		n.measure()
	}
	width, height := p.place()
	d := svg{r.out, p}
	panelWidth, panelHeight := d.panelSize()
	const top = margin + 34
	leftSpace, rightSpace := d.authSpace()
	panelX := width + 2*margin + leftSpace + rightSpace
	total := panelX
	if panelWidth > 0 {
		total += panelWidth + margin
	}
	total = max(total, float64(utf8.RuneCountInString(p.heading()))*headingWidth+2*margin, 480)
	legend := d.legend(total - 2*margin)
	bottom := top + max(height, panelHeight) + margin
	all := bottom + legend[len(legend)-1].y + margin

	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="%[3]d">`+"\n",
		num(total), num(all), textSize)
	d.printf("<title>%s</title>\n", escape(p.heading()))
	d.printf(`<defs><marker id="prev" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z" fill="#4a4a46"/></marker>` +
		`<marker id="auth" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z" fill="#8a63b8"/></marker></defs>` + "\n")
	d.printf(`<rect width="100%%" height="100%%" fill="#ffffff"/>` + "\n")
	d.printf(`<text x="%d" y="%d" font-size="15" font-weight="bold" fill="#1d1d1b" font-family="sans-serif">%s</text>`+"\n", margin, margin+10, escape(p.heading()))
	d.printf(`<g transform="translate(%s %d)">`+"\n", num(margin+leftSpace), int(top))
	d.edges()
	for _, n := range p.nodes {
		d.node(n)
	}
	d.printf("</g>\n")
	if panelWidth > 0 {
		d.panel(panelX, top, panelWidth, panelHeight)
	}
	d.printf(`<g transform="translate(%d %s)">`+"\n", margin, num(bottom))
	for _, l := range legend {
		d.legendItem(l)
	}
	d.printf("</g>\n")
	d.printf("</svg>\n")
	return nil
}

func (d svg) printf(format string, args ...any) { fmt.Fprintf(d.w, format, args...) }

// num formats a length.
func num(f float64) string { return strconv.FormatFloat(math.Round(f*2)/2, 'f', -1, 64) }

// escape escapes text for XML.
func escape(s string) string {
	var b strings.Builder
	// Characters that XML does not allow become U+FFFD.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// measure sets the size of a node.
func (n *node) measure() {
	lines := n.text()
	widest := 0
	for i, line := range lines {
		chars := min(maxChars, utf8.RuneCountInString(line))
		if i == 0 && n.badge != badgeNone {
			chars += utf8.RuneCountInString(badgeStyles[n.badge].text) + 3
		}
		widest = max(widest, chars)
	}
	n.width = math.Ceil(float64(widest)*charWidth) + 2*padding + 4
	n.height = float64(len(lines)*lineHeight) + padding
}

func (d svg) node(n *node) {
	s := styles[n.kind]
	left, top := n.x-n.width/2, n.y-n.height/2
	stroke, dash := 1.2, ""
	if n.badge == badgeWon {
		stroke = 3
	}
	if s.dashed {
		dash = ` stroke-dasharray="5 3"`
	}
	d.printf(`<g><title>%s</title><rect x="%s" y="%s" width="%s" height="%s" rx="6" fill="%s" stroke="%s" stroke-width="%s"%s/>`,
		escape(n.tooltip()), num(left), num(top), num(n.width), num(n.height), s.fill, s.stroke, num(stroke), dash)
	lines := n.text()
	for i, line := range lines {
		look := ` fill="#1d1d1b"`
		switch {
		case i == 0 && n.entry != nil:
			look = ` font-weight="bold" fill="#1d1d1b"`
		case i == len(lines)-1:
			look = ` fill="#6a6a64"`
		case n.kind != kindState && n.kind != kindMessage && i == len(lines)-2:
			look = fmt.Sprintf(` fill="%s"`, s.stroke)
		}
		d.printf(`<text x="%s" y="%s"%s xml:space="preserve">%s</text>`,
			num(left+padding), num(top+float64((i+1)*lineHeight)), look, escape(shorten(line, maxChars)))
	}
	if n.badge != badgeNone {
		b := badgeStyles[n.badge]
		width := float64(utf8.RuneCountInString(b.text))*charWidth + 10
		d.printf(`<rect x="%s" y="%s" width="%s" height="15" rx="7.5" fill="%s"/><text x="%s" y="%s" fill="#ffffff" text-anchor="middle">%s</text>`,
			num(left+n.width-width-5), num(top+4), num(width), b.fill, num(left+n.width-width/2-5), num(top+15), b.text)
	}
	d.printf("</g>\n")
}

// edges draws the lines; those to auth events are drawn first, below the
// others.
func (d svg) edges() {
	nodes := d.p.nodes
	for _, e := range d.p.auth {
		d.printf(`<path d="%s" fill="none" stroke="#8a63b8" stroke-width="1" stroke-dasharray="1.5 3" marker-end="url(#auth)"/>`+"\n",
			around(nodes[e.from], nodes[e.to]))
	}
	ports := d.ports()
	for i, e := range d.p.edges {
		from, to := nodes[e.from], nodes[e.to]
		if to.y >= from.y { // part of a cycle
			d.printf(`<path d="%s" fill="none" stroke="#4a4a46" stroke-width="1.3" marker-end="url(#prev)"/>`+"\n", around(from, to))
			continue
		}
		start := point{from.x + ports[i].from, from.y - from.height/2}
		end := point{to.x + ports[i].to, to.y + to.height/2 + 1}
		way := []point{start}
		for k := len(e.via) - 1; k >= 0; k-- {
			way = append(way, e.via[k])
		}
		way = append(way, end)
		d.printf(`<path d="%s" fill="none" stroke="#4a4a46" stroke-width="1.3" marker-end="url(#prev)"/>`+"\n", curve(way))
	}
}

// around returns a line from the side of one event to the side of another.
func around(from, to *node) string {
	side := 1.0
	if from.leftmost {
		side = -1
	}
	start := point{from.x + float64(side*from.width/2), from.y + 4}
	end := point{to.x + float64(side*(to.width/2+1)), to.y - 4}
	out := side * (max(side*start.x, side*end.x) + min(maxBulge, 18+math.Abs(start.y-end.y)/9))
	return fmt.Sprintf("M%s %s C%s %s %s %s %s %s",
		num(start.x), num(start.y), num(out), num(start.y), num(out), num(end.y), num(end.x), num(end.y))
}

// curve returns a smooth line through points, vertical at each of them.
func curve(way []point) string {
	var b strings.Builder
	b.WriteString("M" + num(way[0].x) + " " + num(way[0].y))
	for i := 1; i < len(way); i++ {
		p, q := way[i-1], way[i]
		if p.x == q.x {
			b.WriteString(" L" + num(q.x) + " " + num(q.y))
			continue
		}
		middle := (p.y + q.y) / 2
		fmt.Fprintf(&b, " C%s %s %s %s %s %s", num(p.x), num(middle), num(q.x), num(middle), num(q.x), num(q.y))
	}
	return b.String()
}

// maxBulge limits how far lines to auth events go sideways. A curve reaches
// three quarters of it.
const maxBulge = 150

// authSpace returns the space that lines to auth events need on both sides.
func (d svg) authSpace() (left, right float64) {
	for _, e := range d.p.auth {
		if d.p.nodes[e.from].leftmost {
			left = maxBulge * 3 / 4
		} else {
			right = maxBulge * 3 / 4
		}
	}
	return left, right
}
