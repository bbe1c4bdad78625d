// SPDX-License-Identifier: Apache-2.0

package canonjson

import (
	"bytes"
	"unicode/utf8"
)

// A scanner reads text that may be canonical already, which most of what
// servers send each other is. It allocates nothing and gives up at the first
// byte that canonical text would not have: why, the writer then finds out.
type scanner struct {
	src  []byte
	pos  int
	mode Mode
}

func isCanonical(src []byte, mode Mode) bool {
	s := scanner{src: src, mode: mode}
	return s.value(0) && s.pos == len(src)
}

// next returns the byte at pos, or 0 at the end, which no caller expects.
func (s *scanner) next() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *scanner) value(depth int) bool {
	switch c := s.next(); c {
	case '{':
		return depth < MaxDepth && s.object(depth+1)
	case '[':
		return depth < MaxDepth && s.array(depth+1)
	case '"':
		_, ok := s.str()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(word string) bool {
	if len(s.src)-s.pos < len(word) || string(s.src[s.pos:s.pos+len(word)]) != word {
		return false
	}
	s.pos += len(word)
	return true
}

func (s *scanner) array(depth int) bool {
	if s.pos++; s.next() == ']' {
		s.pos++
		return true
	}
	for s.value(depth) {
		c := s.next()
		s.pos++
		if c != ',' {
			return c == ']'
		}
	}
	return false
}

func (s *scanner) object(depth int) bool {
	if s.pos++; s.next() == '}' {
		s.pos++
		return true
	}
	var last []byte
	for first := true; ; first = false {
		if s.next() != '"' {
			return false
		}
		key, ok := s.str()
		if !ok || !first && compareKeys(last, key) >= 0 || s.next() != ':' {
			return false
		}
		last = key
		s.pos++
		if !s.value(depth) {
			return false
		}
		c := s.next()
		s.pos++
		if c != ',' {
			return c == '}'
		}
	}
}

// str passes a string and returns what is between its quotes.
func (s *scanner) str() ([]byte, bool) {
	start := s.pos + 1
	for i := start; i < len(s.src); {
		switch c := s.src[i]; {
		case plain[c]:
			i++
		case c == '"':
			s.pos = i + 1
			return s.src[start:i], true
		case c == '\\':
			n := canonicalEscape(s.src[i:])
			if n == 0 {
				return nil, false
			}
			i += n
		case c < 0x20:
			return nil, false
		default:
			r, n := utf8.DecodeRune(s.src[i:])
			if r == utf8.RuneError && n == 1 {
				return nil, false
			}
			i += n
		}
	}
	return nil, false
}

// canonicalEscape returns the length of the escape sequence that s begins
// with, or 0 where canonical text would not have it.
//
// Spec: appendices "Canonical JSON", "Grammar".
func canonicalEscape(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case 'b', 't', 'n', 'f', 'r', '"', '\\':
		return 2
	}
	if len(s) < 6 || string(s[1:4]) != "u00" {
		return 0
	}
	switch high, low := s[4], s[5]; {
	case high == '1' && (low-'0' <= 9 || low-'a' <= 5):
		return 6
	case high == '0' && (low-'0' <= 7 || low == 'b' || low == 'e' || low == 'f'):
		return 6
	}
	return 0
}

func (s *scanner) number() bool {
	end, digitsOnly := numberEnd(s.src, s.pos)
	if end < 0 {
		return false
	}
	num := s.src[s.pos:end]
	s.pos = end
	if digitsOnly && (len(num) < maxDigits || s.mode == Lenient) {
		return len(positiveZero(num)) == len(num)
	}
	var room [32]byte
	out, ok := appendNumber(room[:0], num, digitsOnly, s.mode)
	return ok && bytes.Equal(out, num)
}

// plain marks the bytes of strings that stand for themselves.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// compareKeys orders strings by code point. They are in their canonical form,
// without quotes: bytes order as code points do, and only escapes have to be
// undone.
func compareKeys(a, b []byte) int {
	if len(a) > 0 && len(b) > 0 && a[0] != b[0] && a[0] != '\\' && b[0] != '\\' {
		return int(a[0]) - int(b[0])
	}
	if bytes.IndexByte(a, '\\') < 0 && bytes.IndexByte(b, '\\') < 0 {
		return bytes.Compare(a, b)
	}
	for len(a) > 0 && len(b) > 0 {
		if a[0] != b[0] || a[0] == '\\' {
			ca, na := keyByte(a)
			cb, nb := keyByte(b)
			if ca != cb {
				return int(ca) - int(cb)
			}
			a, b = a[na:], b[nb:]
			continue
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// keyByte returns the first byte that a canonical string stands for, and how
// many bytes do.
func keyByte(s []byte) (byte, int) {
	if s[0] != '\\' {
		return s[0], 1
	}
	switch s[1] {
	case 'b':
		return '\b', 2
	case 't':
		return '\t', 2
	case 'n':
		return '\n', 2
	case 'f':
		return '\f', 2
	case 'r':
		return '\r', 2
	case 'u':
		low := s[5] - '0'
		if low > 9 {
			low = s[5] - 'a' + 10
		}
		return (s[4]-'0')<<4 | low, 6
	}
	return s[1], 2
}
