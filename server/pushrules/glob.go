// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pattern is a compiled glob: what stands between its stars. Case does not
// matter, so both the pattern and what it is held against are folded first.
//
// Every part is looked for once, from left to right: where an earlier part
// matches first, all that can follow it can follow there too. Matching takes
// time in proportion to the product of the lengths at worst.
//
// Spec: appendices "Glob-style matching".
type pattern struct {
	parts []part // never empty; with one part there was no star
}

// A part is text without stars. With question marks, it is compared rune by
// rune.
type part struct {
	text string
	wild bool
}

func newPattern(glob string) pattern {
	texts := strings.Split(fold(glob), "*")
	var p pattern
	for i, text := range texts {
		if text == "" && i > 0 && i < len(texts)-1 {
			continue // two stars are one
		}
		p.parts = append(p.parts, part{text: text, wild: strings.Contains(text, "?")})
	}
	return p
}

// literal returns a pattern without wildcards.
func literal(text string) pattern { return pattern{parts: []part{{text: fold(text)}}} }

// at reports whether the part stands at v[i:], and where it ends there.
func (p part) at(v string, i int) (end int, ok bool) {
	if !p.wild {
		return i + len(p.text), strings.HasPrefix(v[i:], p.text)
	}
	for _, want := range p.text {
		r, size := utf8.DecodeRuneInString(v[i:])
		if size == 0 || want != '?' && want != r {
			return 0, false
		}
		i += size
	}
	return i, true
}

// find returns the first place from i on where the part stands and accept
// agrees with both ends.
func (p part) find(v string, i int, accept func(start, end int) bool) (end int, ok bool) {
	for ; i <= len(v); i++ {
		if !p.wild {
			next := strings.Index(v[i:], p.text)
			if next < 0 {
				return 0, false
			}
			i += next
		}
		if i < len(v) && !utf8.RuneStart(v[i]) {
			continue
		}
		if end, ok := p.at(v, i); ok && accept(i, end) {
			return end, true
		}
	}
	return 0, false
}

func anywhere(_, _ int) bool { return true }

// whole reports whether the pattern matches all of v.
func (p pattern) whole(v string) bool {
	at, ok := p.parts[0].at(v, 0)
	if len(p.parts) == 1 {
		return ok && at == len(v)
	}
	if !ok {
		return false
	}
	last := len(p.parts) - 1
	for _, part := range p.parts[1:last] {
		if at, ok = part.find(v, at, anywhere); !ok {
			return false
		}
	}
	// The last part has one place: as many runes from the end as it has.
	start := len(v)
	for range p.parts[last].text {
		if start == 0 {
			return false
		}
		_, size := utf8.DecodeLastRuneInString(v[:start])
		start -= size
	}
	if start < at {
		return false
	}
	_, ok = p.parts[last].at(v, start)
	return ok
}

// words reports whether the pattern matches a part of v that begins and ends at
// a word boundary.
func (p pattern) words(v string) bool {
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(p.parts) == 1 {
		_, ok := first.find(v, 0, func(start, end int) bool { return boundary(v, start) && boundary(v, end) })
		return ok
	}
	at, ok := 0, true
	if first.text != "" {
		at, ok = first.find(v, 0, func(start, _ int) bool { return boundary(v, start) })
	}
	for _, part := range p.parts[1 : len(p.parts)-1] {
		if !ok {
			return false
		}
		at, ok = part.find(v, at, anywhere)
	}
	if ok && last.text != "" {
		_, ok = last.find(v, at, func(_, end int) bool { return boundary(v, end) })
	}
	return ok
}

// boundary reports whether v has a word boundary at i: its start or end, or a
// character on either side that is no ASCII letter, digit or underscore.
func boundary(v string, i int) bool {
	return i == 0 || i == len(v) || !isWord(v[i-1]) || !isWord(v[i])
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// fold maps characters that differ only in case to the same one. Text that has
// none is returned as it is.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
		}
	}
	return s
}
