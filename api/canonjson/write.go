// SPDX-License-Identifier: Apache-2.0

package canonjson

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"unicode/utf8"
)

// A writer reads any JSON and writes it canonically. An object's members are
// written as they come, and put in order when the object ends.
type writer struct {
	src     []byte
	pos     int
	dst     []byte
	mode    Mode
	members []member // of all objects that are open, the innermost last
	order   []place  // scratch
	scratch []byte
}

// A member is one "key":value that has been written: the extents of the key
// with its quotes and of the whole in dst, and where the key was in src.
type member struct{ start, keyEnd, end, at int }

// A place is that of a member among those of its object, and what it is sorted
// by before its key.
type place struct {
	head uint64
	i    int
}

func (w *writer) key(m member) []byte { return w.dst[m.start+1 : m.keyEnd-1] }

var writers = sync.Pool{New: func() any { return new(writer) }}

// free gives the writer back, without what its caller owns and without
// buffers of unusual size.
func (w *writer) free() {
	members, order, scratch := w.members[:0], w.order[:0], w.scratch[:0]
	if cap(members) > 4096 {
		members, order = nil, nil
	}
	if cap(scratch) > 256<<10 {
		scratch = nil
	}
	*w = writer{members: members, order: order, scratch: scratch}
	writers.Put(w)
}

func (w *writer) fail(err error) error { return &Error{Err: err, Offset: w.pos} }

func (w *writer) document() error {
	if err := w.value(0); err != nil {
		return err
	}
	if w.next(); w.pos != len(w.src) {
		return w.fail(ErrSyntax)
	}
	return nil
}

// next skips white space and returns the byte behind it, or 0 at the end.
func (w *writer) next() byte {
	for w.pos < len(w.src) {
		switch c := w.src[w.pos]; c {
		case ' ', '\t', '\n', '\r':
			w.pos++
		default:
			return c
		}
	}
	return 0
}

func (w *writer) value(depth int) error {
	switch c := w.next(); c {
	case '{', '[':
		if depth == MaxDepth {
			return w.fail(ErrDepth)
		}
		if c == '{' {
			return w.object(depth + 1)
		}
		return w.array(depth + 1)
	case '"':
		return w.str()
	case 't':
		return w.literal("true")
	case 'f':
		return w.literal("false")
	case 'n':
		return w.literal("null")
	default:
		return w.number()
	}
}

func (w *writer) literal(word string) error {
	if len(w.src)-w.pos < len(word) || string(w.src[w.pos:w.pos+len(word)]) != word {
		return w.fail(ErrSyntax)
	}
	w.pos += len(word)
	w.dst = append(w.dst, word...)
	return nil
}

func (w *writer) array(depth int) error {
	w.pos++
	w.dst = append(w.dst, '[')
	if w.next() == ']' {
		w.pos++
		w.dst = append(w.dst, ']')
		return nil
	}
	for {
		if err := w.value(depth); err != nil {
			return err
		}
		c := w.next()
		if c != ',' && c != ']' {
			return w.fail(ErrSyntax)
		}
		w.pos++
		w.dst = append(w.dst, c)
		if c == ']' {
			return nil
		}
	}
}

func (w *writer) object(depth int) error {
	w.pos++
	w.dst = append(w.dst, '{')
	if w.next() == '}' {
		w.pos++
		w.dst = append(w.dst, '}')
		return nil
	}
	base, sorted := len(w.members), true
	for {
		m, err := w.member(depth)
		if err != nil {
			return err
		}
		if n := len(w.members); sorted && n > base {
			sorted = compareKeys(w.key(w.members[n-1]), w.key(m)) < 0
		}
		w.members = append(w.members, m)
		c := w.next()
		if c != ',' && c != '}' {
			return w.fail(ErrSyntax)
		}
		w.pos++
		if c == '}' {
			break
		}
		w.dst = append(w.dst, ',')
	}
	if !sorted {
		if err := w.sort(w.members[base:]); err != nil {
			return err
		}
	}
	w.members = w.members[:base]
	w.dst = append(w.dst, '}')
	return nil
}

func (w *writer) member(depth int) (m member, err error) {
	if w.next() != '"' {
		return m, w.fail(ErrSyntax)
	}
	m.start, m.at = len(w.dst), w.pos
	if err := w.str(); err != nil {
		return m, err
	}
	m.keyEnd = len(w.dst)
	if w.next() != ':' {
		return m, w.fail(ErrSyntax)
	}
	w.pos++
	w.dst = append(w.dst, ':')
	err = w.value(depth)
	m.end = len(w.dst)
	return m, err
}

// sort puts the members of one object, which are the end of dst, in order.
func (w *writer) sort(ms []member) error {
	w.places(ms)
	slices.SortFunc(w.order, func(a, b place) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return compareKeys(w.key(ms[a.i]), w.key(ms[b.i]))
	})
	w.scratch = w.scratch[:0]
	for i, p := range w.order {
		m := ms[p.i]
		if i > 0 {
			last := ms[w.order[i-1].i]
			if bytes.Equal(w.key(last), w.key(m)) { // each string has one form
				return &Error{Err: ErrDuplicate, Offset: max(last.at, m.at)}
			}
			w.scratch = append(w.scratch, ',')
		}
		w.scratch = append(w.scratch, w.dst[m.start:m.end]...)
	}
	copy(w.dst[ms[0].start:], w.scratch)
	return nil
}

// places fills order. The head of a place is the eight bytes behind what all keys
// begin with, which mostly tell them apart, as one number. If a key has escapes,
// bytes do not tell the order, and all heads are the same.
func (w *writer) places(ms []member) {
	w.order = w.order[:0]
	common, escapes := w.key(ms[0]), false
	for i, m := range ms {
		w.order = append(w.order, place{i: i})
		key, n := w.key(m), 0
		for n < len(common) && n < len(key) && common[n] == key[n] {
			n++
		}
		common = common[:n]
		escapes = escapes || bytes.IndexByte(key, '\\') >= 0
	}
	for i := range ms {
		if escapes {
			break
		}
		var head [8]byte
		copy(head[:], w.key(ms[i])[len(common):])
		w.order[i].head = binary.BigEndian.Uint64(head[:])
	}
}

func (w *writer) number() error {
	end, digitsOnly := numberEnd(w.src, w.pos)
	if end < 0 {
		w.pos = ^end
		return w.fail(ErrSyntax)
	}
	var ok bool
	if w.dst, ok = appendNumber(w.dst, w.src[w.pos:end], digitsOnly, w.mode); !ok {
		return w.fail(ErrNumber)
	}
	w.pos = end
	return nil
}

func (w *writer) str() error {
	start, i := w.pos, w.pos+1 // what is from start to i is not written yet
	for {
		for i < len(w.src) && plain[w.src[i]] {
			i++
		}
		w.pos = i
		if i == len(w.src) {
			return w.fail(ErrSyntax)
		}
		switch c := w.src[i]; {
		case c == '"':
			w.pos++
			w.dst = append(w.dst, w.src[start:w.pos]...)
			return nil
		case c == '\\':
			w.dst = append(w.dst, w.src[start:i]...)
			if err := w.escape(); err != nil {
				return err
			}
			start, i = w.pos, w.pos
		case c < 0x20:
			return w.fail(ErrSyntax)
		default:
			r, n := utf8.DecodeRune(w.src[i:])
			if r == utf8.RuneError && n == 1 {
				return w.fail(ErrUTF8)
			}
			i += n
		}
	}
}

func (w *writer) escape() error {
	if w.pos+1 == len(w.src) {
		return w.fail(ErrSyntax)
	}
	switch c := w.src[w.pos+1]; c {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		w.dst = append(w.dst, '\\', c)
	case '/':
		w.dst = append(w.dst, '/')
	case 'u':
		return w.unicode()
	default:
		return w.fail(ErrSyntax)
	}
	w.pos += 2
	return nil
}

// unicode reads a \u escape of four digits, or two of them for a code point beyond U+FFFF.
func (w *writer) unicode() error {
	r, ok := hex(w.src[w.pos+2:])
	if !ok {
		return w.fail(ErrSyntax)
	}
	n := 6
	if r >= 0xD800 && r < 0xE000 {
		rest := w.src[w.pos+n:]
		if len(rest) < 2 || rest[0] != '\\' || rest[1] != 'u' {
			return w.fail(ErrUTF8)
		}
		low, ok := hex(rest[2:])
		if !ok {
			w.pos += n
			return w.fail(ErrSyntax)
		}
		if r >= 0xDC00 || low < 0xDC00 || low >= 0xE000 {
			return w.fail(ErrUTF8)
		}
		r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
		n += 6
	}
	w.pos += n
	w.dst = appendRune(w.dst, r)
	return nil
}

// hex reads the four digits that s begins with.
func hex(s []byte) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range s[:4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendRune appends a code point that was escaped, escaped only if it must be.
func appendRune(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if r < 0x20 {
		return append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
	}
	return utf8.AppendRune(dst, r)
}
