// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pattern is a compiled glob: its parts between the stars. Matching ignores
// case, so both the glob and the text are case-folded first.
//
// Each part is searched once, from left to right. The first match of a part is
// always good enough: whatever can follow a later match can follow it too. The
// worst case takes time in proportion to the product of the lengths.
//
// Spec: appendices "Glob-style matching".
type pattern struct {
	parts []part // never empty; a glob without stars has one part
}

// A part is text without stars. A part with question marks is compared rune by
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
			continue // adjacent stars count as one
		}
		p.parts = append(p.parts, part{text: text, wild: strings.Contains(text, "?")})
	}
	return p
}

// literal returns a pattern without wildcards.
func literal(text string) pattern { return pattern{parts: []part{{text: fold(text)}}} }

// at reports whether the part matches at v[i:], and where the match ends.
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

// find returns the first match of the part from i on for which accept returns
// true.
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
	// The last part can match only at the end of the text.
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

// boundary reports whether v has a word boundary at i: the start or end, or a
// position with a character on either side that is not an ASCII letter, digit
// or underscore.
func boundary(v string, i int) bool {
	return i == 0 || i == len(v) || !isWord(v[i-1]) || !isWord(v[i])
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// fold replaces letters so that texts that differ only in case become equal. It
// returns text without such letters unchanged.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
		}
	}
	return s
}
