// SPDX-License-Identifier: Apache-2.0

// Package canonjson checks JSON strictly and rewrites it in the canonical form
// that Matrix signs and hashes: no white space, members in the order of their
// code points, the shortest strings, integers without exponents. It keeps
// nothing of its input and knows no event: what is left out before signing is
// its caller's business.
//
// Spec: appendices "Canonical JSON".
package canonjson

import (
	"errors"
	"strconv"
)

// MaxDepth is how deeply arrays and objects may nest.
const MaxDepth = 128

// MaxInt is the largest integer of Canonical JSON, 2^53-1.
const MaxInt = 1<<53 - 1

// Mode says which numbers pass.
type Mode uint8

const (
	// Strict takes numbers whose value is an integer in ±(2^53-1), in any
	// notation, and writes them as digits: -0 and 0.0 as 0, 1e10 as
	// 10000000000. It is what the specification's examples show, and what rooms
	// since version 6 enforce.
	Strict Mode = iota
	// Lenient takes every number, for the events of room versions 1 to 5, and
	// writes it as the servers did that signed those events. Digits alone are
	// an integer of any size and stay as they are, but for -0, which becomes 0.
	// A number with a fraction or an exponent is a float, even where its value
	// is an integer, and takes the form of Python's repr: 1.0, 1e10 as
	// 10000000000.0, 1e16 as 1e+16, 1e-5 as 1e-05, -0.0. One beyond float64 is
	// an error, since no such server could have signed it.
	Lenient
)

// What can be wrong with JSON. An error of this package wraps one of them.
var (
	ErrSyntax    = errors.New("malformed JSON")
	ErrUTF8      = errors.New("invalid UTF-8 or a lone surrogate")
	ErrDuplicate = errors.New("repeated object member")
	ErrNumber    = errors.New("number is not an integer in ±(2^53-1)")
	ErrDepth     = errors.New("nested too deeply")
)

// An Error says what is wrong, and where.
type Error struct {
	Err    error // one of the Err variables
	Offset int   // the byte at which it shows
}

func (e *Error) Error() string { return e.Err.Error() + " at byte " + strconv.Itoa(e.Offset) }

// Unwrap returns the kind of the error.
func (e *Error) Unwrap() error { return e.Err }

// Append appends the canonical form of the JSON value in src to dst, which
// must not overlap with it. After an error dst is as it was.
func Append(dst, src []byte, mode Mode) ([]byte, error) {
	if isCanonical(src, mode) {
		return append(dst, src...), nil
	}
	w := writers.Get().(*writer)
	defer w.free()
	w.src, w.dst, w.mode = src, dst, mode
	if err := w.document(); err != nil {
		return dst, err
	}
	return w.dst, nil
}

// Canonical returns the canonical form of the JSON value in src, in Strict
// mode.
func Canonical(src []byte) ([]byte, error) {
	out, err := Append(make([]byte, 0, len(src)), src, Strict)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// IsCanonical says whether src is canonical already.
func IsCanonical(src []byte, mode Mode) bool { return isCanonical(src, mode) }
