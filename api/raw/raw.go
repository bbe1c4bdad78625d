// SPDX-License-Identifier: Apache-2.0

// Package raw holds what is JSON and not HTTP: values that are kept byte for byte,
// optional ones, and objects under construction. What works with events imports it
// in place of api, which has status codes and callers.
package raw

import (
	"errors"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Raw is one JSON value kept byte for byte, so that open objects come back
// exactly as they were sent. A nil Raw means the member is absent.
type Raw = jsontext.Value

// ErrNull refuses null for a member that may be absent instead.
var ErrNull = errors.New("null does not belong here")

// Opt is an optional scalar: a member or parameter that may be absent. The
// zero Opt is absent. JSON null is not absent and is refused when read.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some returns a present value.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// Or returns the value, or def where there is none.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.Value
	}
	return def
}

// IsZero reports absence; encoders omit the member.
func (o Opt[T]) IsZero() bool { return !o.Set }

// UnmarshalJSONFrom reads a present value.
func (o *Opt[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == 'n' {
		return ErrNull
	}
	if err := json.UnmarshalDecode(dec, &o.Value); err != nil {
		return err
	}
	o.Set = true
	return nil
}

// MarshalJSONTo writes the value.
func (o Opt[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, o.Value)
}

// AppendString appends a JSON string.
func AppendString[S ~string](b []byte, s S) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, _ = jsontext.AppendQuote(b, string(s)) // its error is for bad UTF-8, which it replaces
			return b
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
