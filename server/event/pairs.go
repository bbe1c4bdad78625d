// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A Pair is the values of one member in two objects; nil where an object lacks
// it.
type Pair struct{ A, B jsontext.Value }

// Pairs walks over the members of two objects in canonical JSON side by side,
// in order, and yields each name that is in either. A value that is no object
// counts as an empty one. All names are substrings of one string per object, so
// that long walks allocate no more than short ones.
func Pairs(a, b jsontext.Value) iter.Seq2[string, Pair] {
	return func(yield func(string, Pair) bool) {
		x, y := newSide(a), newSide(b)
		for x.ok || y.ok {
			order := 0
			switch {
			case !y.ok:
				order = -1
			case !x.ok:
				order = 1
			default:
				order = strings.Compare(x.name, y.name)
			}
			name, pair := x.name, Pair{A: x.value, B: y.value}
			switch {
			case order < 0:
				pair.B = nil
			case order > 0:
				name, pair.A = y.name, nil
			}
			if !yield(name, pair) {
				return
			}
			if order <= 0 {
				x.next()
			}
			if order >= 0 {
				y.next()
			}
		}
	}
}

// A side is the position in one of the two objects.
type side struct {
	c     cursor
	text  string
	name  string
	value jsontext.Value
	ok    bool
}

func newSide(obj jsontext.Value) *side {
	s := &side{c: object(obj)}
	if !s.c.bad {
		s.text = string(obj)
	}
	s.next()
	return s
}

func (s *side) next() {
	at := s.c.i + 1
	var key []byte
	if key, s.value, s.ok = s.c.next(); !s.ok {
		return
	}
	if s.name = s.text[at : at+len(key)]; bytes.IndexByte(key, '\\') >= 0 {
		s.name = unquoteKey(key)
	}
}
