// SPDX-License-Identifier: Apache-2.0

package canonjson

import (
	"bytes"
	"math"
	"strconv"
)

// numberEnd returns the end of the number that begins at src[pos], and whether
// it is digits only. The end is negative where the grammar is broken; then its
// complement is the place.
//
// Spec: RFC 8259, section 6.
func numberEnd(src []byte, pos int) (end int, digitsOnly bool) {
	if pos < len(src) && src[pos] == '-' {
		pos++
	}
	start := pos
	if pos = digits(src, pos); pos == start || src[start] == '0' && pos > start+1 {
		return ^start, false
	}
	digitsOnly = true
	if pos < len(src) && src[pos] == '.' {
		start, digitsOnly = pos+1, false
		if pos = digits(src, start); pos == start {
			return ^start, false
		}
	}
	if pos < len(src) && src[pos]|0x20 == 'e' {
		start, digitsOnly = pos+1, false
		if start < len(src) && (src[start] == '+' || src[start] == '-') {
			start++
		}
		if pos = digits(src, start); pos == start {
			return ^start, false
		}
	}
	return pos, digitsOnly
}

func digits(src []byte, pos int) int {
	for pos < len(src) && src[pos]-'0' <= 9 {
		pos++
	}
	return pos
}

// maxDigits is how many digits MaxInt has.
const maxDigits = 16

// appendNumber appends the canonical form of a number that keeps the grammar.
// It returns false where the mode does not take the number.
func appendNumber(dst, num []byte, digitsOnly bool, mode Mode) ([]byte, bool) {
	if mode == Lenient {
		if digitsOnly {
			return append(dst, positiveZero(num)...), true
		}
		return appendFloat(dst, num)
	}
	if digitsOnly && len(num) < maxDigits {
		return append(dst, positiveZero(num)...), true
	}
	n, ok := integer(num)
	if !ok {
		return dst, false
	}
	return strconv.AppendInt(dst, n, 10), true
}

func positiveZero(num []byte) []byte {
	if len(num) == 2 && num[0] == '-' && num[1] == '0' {
		return num[1:]
	}
	return num
}

// integer returns the value of a number in any notation, if it is an integer
// in range. It works on the digits, so that neither a long fraction nor a huge
// exponent costs or loses anything.
func integer(num []byte) (int64, bool) {
	negative := num[0] == '-'
	if negative {
		num = num[1:]
	}
	mantissa, exponent := num, 0
	if e := bytes.IndexAny(num, "eE"); e >= 0 {
		mantissa, exponent = num[:e], clampedInt(num[e+1:])
	}
	whole, fraction := mantissa, []byte(nil)
	if dot := bytes.IndexByte(mantissa, '.'); dot >= 0 {
		whole, fraction = mantissa[:dot], mantissa[dot+1:]
	}
	whole, fraction = bytes.TrimLeft(whole, "0"), bytes.TrimRight(fraction, "0")
	// The value is its significant digits times ten to the scale.
	scale := exponent - len(fraction)
	if len(fraction) == 0 {
		short := bytes.TrimRight(whole, "0")
		scale += len(whole) - len(short)
		whole = short
	}
	if len(whole) == 0 {
		fraction = bytes.TrimLeft(fraction, "0")
	}
	if len(whole)+len(fraction) == 0 {
		return 0, true
	}
	if scale < 0 || len(whole)+len(fraction)+scale > maxDigits {
		return 0, false
	}
	var n int64
	for _, part := range [2][]byte{whole, fraction} {
		for _, c := range part {
			n = n*10 + int64(c-'0')
		}
	}
	for range scale {
		n *= 10
	}
	if n > MaxInt {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

// clampedInt returns the value of an exponent. Beyond a billion it does not
// matter how far: no number with so many digits fits into memory.
func clampedInt(s []byte) int {
	n := 0
	for _, c := range bytes.TrimLeft(s, "+-") {
		if n = n*10 + int(c-'0'); n > 1e9 {
			n = 1e9
			break
		}
	}
	if s[0] == '-' {
		return -n
	}
	return n
}

// appendFloat appends a number as Python's repr does: the shortest digits that
// read back as the same float64, plain from 1e-4 up to 1e16, always with a
// point or an exponent of at least two digits.
func appendFloat(dst, num []byte) ([]byte, bool) {
	f, err := strconv.ParseFloat(string(num), 64)
	if err != nil {
		return dst, false
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64), true
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[start:], '.') < 0 {
		dst = append(dst, '.', '0')
	}
	return dst, true
}
