// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions of this file read JSON that is known to be canonical: valid,
// without whitespace and duplicate members. They check nothing except array
// bounds, and are therefore several times faster than a decoder.

// A cursor walks over the members of a canonical object.
type cursor struct {
	b   []byte
	i   int // index of the next member's opening quote, or of the closing brace
	bad bool
}

// object returns a cursor at the first member of b.
func object(b []byte) cursor {
	if len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return cursor{bad: true}
	}
	return cursor{b: b, i: 1}
}

// next returns the next member: its key without quotes but still escaped, and
// its value. After the last member ok is false; bad is then true if the object
// was malformed.
func (c *cursor) next() (key, value []byte, ok bool) {
	if key, ok = c.key(); !ok {
		return nil, nil, false
	}
	value, ok = c.value()
	return key, value, ok
}

// key returns the key of the next member and moves the cursor to its value.
func (c *cursor) key() ([]byte, bool) {
	if c.bad || c.i >= len(c.b)-1 {
		return nil, false
	}
	end := skipString(c.b, c.i)
	if end < 0 || end >= len(c.b) || c.b[end] != ':' {
		c.bad = true
		return nil, false
	}
	key := c.b[c.i+1 : end-1]
	c.i = end + 1
	return key, true
}

// value returns the value of the member whose key was read last.
func (c *cursor) value() ([]byte, bool) {
	start, stop := c.i, skip(c.b, c.i)
	if stop < 0 || stop >= len(c.b) || c.b[stop] != ',' && stop != len(c.b)-1 {
		c.bad = true
		return nil, false
	}
	c.i = stop + 1
	return c.b[start:stop:stop], true
}

// skip returns the index after the value that starts at i, or -1.
func skip(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && b[i] != ',' && b[i] != ']' && b[i] != '}' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// skipString returns the index after the string whose opening quote is at i, or
// -1 if there is none.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for end := i + 1; ; end++ {
		n := bytes.IndexByte(b[end:], '"')
		if n < 0 {
			return -1
		}
		end += n
		slashes := 0
		for end-1-slashes > i && b[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end + 1
		}
	}
}

// elements yields the elements of a canonical array. It stops at the first byte
// that is not part of one.
func elements(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(b) < 2 || b[0] != '[' || b[len(b)-1] != ']' {
			return
		}
		for i := 1; i < len(b)-1; {
			end := skip(b, i)
			if end < 0 || !yield(b[i:end:end]) {
				return
			}
			i = end + 1
		}
	}
}

// unquote decodes the string value b, quotes included.
func unquote(b []byte) (string, bool) {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return "", false
	}
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b[1 : len(b)-1]), true
	}
	s, err := jsontext.AppendUnquote(nil, b)
	return string(s), err == nil
}

// unquoteKey decodes the key of a member as a cursor returns it.
func unquoteKey(key []byte) string {
	if bytes.IndexByte(key, '\\') < 0 {
		return string(key)
	}
	quoted := make([]byte, 0, len(key)+2)
	quoted = append(append(append(quoted, '"'), key...), '"')
	s, _ := unquote(quoted)
	return s
}

// compareKey compares a key, as returned by a cursor, with a name, by code
// points.
func compareKey(key []byte, name string) int {
	if bytes.IndexByte(key, '\\') >= 0 {
		return strings.Compare(unquoteKey(key), name)
	}
	switch {
	case string(key) == name:
		return 0
	case string(key) < name:
		return -1
	}
	return 1
}

// Members yields the members of an object in canonical JSON, such as the
// content of an event, in order. It yields nothing for other values.
func Members(obj jsontext.Value) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		c := object(obj)
		for key, value, ok := c.next(); ok; key, value, ok = c.next() {
			if !yield(unquoteKey(key), value) {
				return
			}
		}
	}
}

// Elements yields the elements of an array in canonical JSON. It yields nothing
// for other values.
func Elements(array jsontext.Value) iter.Seq[jsontext.Value] {
	return func(yield func(jsontext.Value) bool) {
		for value := range elements(array) {
			if !yield(value) {
				return
			}
		}
	}
}

// Member returns a member of an object in canonical JSON, nil if the object
// lacks it. It stops reading where the name would have to be, since members are
// sorted.
func Member(obj jsontext.Value, name string) jsontext.Value {
	c := object(obj)
	for key, ok := c.key(); ok; key, ok = c.key() {
		switch order := compareKey(key, name); {
		case order > 0:
			return nil
		case order == 0:
			value, _ := c.value()
			return value
		}
		if _, ok := c.value(); !ok {
			return nil
		}
	}
	return nil
}

// Text decodes a JSON string; ok is false if value is not one.
func Text(value jsontext.Value) (string, bool) { return unquote(value) }

// plainNumbers reports whether all numbers in a JSON text are written as
// canonical JSON writes integers, of any size. It does not check that the text
// is JSON.
func plainNumbers(b []byte) bool {
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			if i = skipString(b, i); i < 0 {
				return true
			}
		case c == '-' || c >= '0' && c <= '9':
			start := i
			for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			}
			if i < len(b) && (b[i] == '.' || b[i]|0x20 == 'e') || string(b[start:i]) == "-0" {
				return false
			}
		default:
			i++
		}
	}
	return true
}

// nesting returns how deeply arrays and objects are nested in canonical JSON.
func nesting(b []byte) int {
	deepest, depth := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = skipString(b, i) - 1; i < 0 {
				return deepest
			}
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// setMember returns the canonical object with a member set to value, or without
// the member if value is nil.
func setMember(obj []byte, name string, value []byte) []byte {
	out := make([]byte, 0, len(obj)+len(name)+len(value)+4)
	out = append(out, '{')
	c := object(obj)
	for key, old, ok := c.next(); ok; key, old, ok = c.next() {
		order := compareKey(key, name)
		if value != nil && order >= 0 {
			out = appendMember(out, name, value)
			value = nil
		}
		if order != 0 {
			out = appendRawMember(out, key, old)
		}
	}
	if value != nil {
		out = appendMember(out, name, value)
	}
	return append(out, '}')
}

// appendMember appends a member to an object under construction.
func appendMember(dst []byte, name string, value []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = appendQuoted(dst, name)
	dst = append(dst, ':')
	return append(dst, value...)
}

// appendRawMember is appendMember for a key that is already escaped.
func appendRawMember(dst, key, value []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	return append(dst, value...)
}

// appendQuoted appends s as a canonical JSON string.
func appendQuoted(dst []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	// AppendQuote writes the escapes of RFC 8785, which canonical JSON has too.
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
