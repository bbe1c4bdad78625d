// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"
	"strconv"

	"touchstone.example/api/raw"
)

// This file writes JSON for the generated types. It uses no reflection, and raw values
// are copied without being parsed again: stored values are trusted.

// AppendKey appends a quoted member name with its colon, after a comma unless
// an object has just been opened.
func AppendKey(b []byte, quoted string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(b, quoted...)
}

// AppendName appends a member name that is known only at run time.
func AppendName[S ~string](b []byte, name S) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(AppendString(b, name), ':')
}

// AppendComma appends a comma unless an array has just been opened.
func AppendComma(b []byte) []byte {
	if b[len(b)-1] != '[' {
		b = append(b, ',')
	}
	return b
}

// AppendString appends a JSON string.
func AppendString[S ~string](b []byte, s S) []byte { return raw.AppendString(b, s) }

// AppendInt appends an integer.
func AppendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// AppendFloat appends a number.
func AppendFloat(b []byte, f float64) []byte {
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// AppendBool appends true or false.
func AppendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

// AppendRaw appends a JSON value. An empty one is written as null.
func AppendRaw(b []byte, r Raw) []byte {
	if len(r) == 0 {
		return append(b, "null"...)
	}
	return append(b, r...)
}

// AppendObject appends a JSON object. An empty value is written as {}.
func AppendObject(b []byte, r Raw) []byte {
	if len(r) == 0 {
		return append(b, "{}"...)
	}
	return append(b, r...)
}

// AppendStrings appends an array of strings.
func AppendStrings[S ~string](b []byte, list []S) []byte {
	b = append(b, '[')
	for _, s := range list {
		b = AppendString(AppendComma(b), s)
	}
	return append(b, ']')
}

// AppendRaws appends an array of JSON values.
func AppendRaws(b []byte, list []Raw) []byte {
	b = append(b, '[')
	for _, r := range list {
		b = AppendRaw(AppendComma(b), r)
	}
	return append(b, ']')
}

// AppendList appends an array of generated types.
func AppendList[T any, P interface {
	*T
	Appender
}](b []byte, list []T) []byte {
	b = append(b, '[')
	for i := range list {
		b = P(&list[i]).AppendJSON(AppendComma(b))
	}
	return append(b, ']')
}

// AppendMembers appends the members of a map, sorted by name, to an open object.
func AppendMembers[K ~string, V any](b []byte, m map[K]V, value func([]byte, V) []byte) []byte {
	var keys [keysOnStack]K
	for _, k := range Keys(keys[:0], m) {
		b = value(AppendName(b, k), m[k])
	}
	return b
}

// keysOnStack is how many keys of a map are sorted without an allocation.
const keysOnStack = 32

// Keys appends the keys of m to dst, sorted. Generated encoders pass a small
// array of their own, so that most maps cost no allocation.
func Keys[K ~string, V any](dst []K, m map[K]V) []K {
	dst = slices.Grow(dst, len(m))
	for k := range m {
		dst = append(dst, k)
	}
	slices.Sort(dst)
	return dst
}
