// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Value is one JSON value as the server wrote it, or nothing. Looking up a member
// of nothing gives nothing, so that a test can look up a path in one line.
type Value struct{ raw jsontext.Value }

// Parse reads one JSON value. Bytes that are not JSON give nothing.
func Parse(b []byte) Value {
	if v := jsontext.Value(b); v.IsValid() {
		return Value{v}
	}
	return Value{}
}

// At follows object members (string) and list places (int; negative from the
// end).
func (v Value) At(path ...any) Value {
	for _, step := range path {
		switch s := step.(type) {
		case int:
			list := v.List()
			if s < 0 {
				s += len(list)
			}
			if s < 0 || s >= len(list) {
				return Value{}
			}
			v = list[s]
		default:
			v = v.Members()[fmt.Sprint(s)]
		}
	}
	return v
}

// Exists reports whether there is a value; null is one.
func (v Value) Exists() bool { return len(v.raw) > 0 }

// Raw returns the bytes as the server wrote them.
func (v Value) Raw() string { return strings.TrimSpace(string(v.raw)) }

// Members returns the members of an object; of anything else, none.
func (v Value) Members() map[string]Value {
	var m map[string]jsontext.Value
	if v.raw.Kind() != '{' || json.Unmarshal(v.raw, &m) != nil {
		return nil
	}
	out := make(map[string]Value, len(m))
	for k, r := range m {
		out[k] = Value{r}
	}
	return out
}

// Keys returns the sorted member names of an object.
func (v Value) Keys() []string {
	keys := []string{}
	for k := range v.Members() {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// List returns the elements of an array; of anything else, none.
func (v Value) List() []Value {
	var l []jsontext.Value
	if v.raw.Kind() != '[' || json.Unmarshal(v.raw, &l) != nil {
		return nil
	}
	out := make([]Value, len(l))
	for i, r := range l {
		out[i] = Value{r}
	}
	return out
}

// String returns a JSON string's text; of anything else, its JSON.
func (v Value) String() string {
	var s string
	if v.raw.Kind() != '"' || json.Unmarshal(v.raw, &s) != nil {
		return v.Raw()
	}
	return s
}

// Int returns a number, or 0.
func (v Value) Int() int64 {
	var n int64
	if v.raw.Kind() != '0' || json.Unmarshal(v.raw, &n) != nil {
		return 0
	}
	return n
}

// Bool says whether the value is true.
func (v Value) Bool() bool { return v.raw.Kind() == 't' }

// Strings returns the elements of an array as strings.
func (v Value) Strings() []string {
	out := []string{}
	for _, e := range v.List() {
		out = append(out, e.String())
	}
	return out
}

// Pluck returns one member of every element of an array, as strings.
func (v Value) Pluck(path ...any) []string {
	out := []string{}
	for _, e := range v.List() {
		out = append(out, e.At(path...).String())
	}
	return out
}

// MarshalJSON lets a value of one answer be part of the next request.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Exists() {
		return []byte("null"), nil
	}
	return v.raw, nil
}
