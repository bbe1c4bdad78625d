// SPDX-License-Identifier: Apache-2.0

package api

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Raw is one JSON value kept byte for byte, so that open objects come back
// exactly as they were sent. A nil Raw means the member is absent.
type Raw = jsontext.Value

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
		return errNull
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
