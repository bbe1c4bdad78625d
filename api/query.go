// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"touchstone.example/api/id"
)

// A Query reads query parameters from the raw query, without a map. It keeps the first
// failure for Err, so that a generated decoder reads all its parameters and then checks
// once. If a parameter with one value is repeated, the first counts.
type Query struct {
	raw string
	err error
	x   *Exchange // may be nil
}

// Query returns the reader of the request's query parameters.
func (x *Exchange) Query() *Query {
	x.query = Query{raw: x.R.URL.RawQuery, x: x}
	return &x.query
}

// Err returns the first failure.
func (q *Query) Err() error { return q.err }

// fail records a fault of a parameter. If all faults are collected, Err stays nil.
func (q *Query) fail(rule, name, expected string, err *Error) {
	if q.x != nil && q.x.faults != nil {
		v := Violation{Rule: rule, Where: InQuery(name), Expected: expected, ErrCode: err.ErrCode}
		switch value, ok := q.lookup(name); {
		case ok && rule == RuleIdentifier:
			v.Found, v.Hint = Shape(value), Hint(expected, value)
		case ok:
			v.Found = Shape(value)
		case rule == RuleQueryMissing:
			v.Found = "absent"
		}
		_ = q.x.faults.add(v) // beyond maxViolations none is reported
		return
	}
	if q.err == nil {
		q.err = err
	}
}

func (q *Query) invalid(rule, name, expected, why string) {
	q.fail(rule, name, expected, InvalidParam("Query parameter %q %s", name, why))
}

// next removes the first pair from a raw query. A pair that cannot be decoded is a
// failure, whatever its name.
func (q *Query) next(raw string) (name, value, rest string) {
	pair, rest, _ := strings.Cut(raw, "&")
	name, value, _ = strings.Cut(pair, "=")
	return q.unescape(name), q.unescape(value), rest
}

func (q *Query) unescape(s string) string {
	if strings.IndexByte(s, '%') >= 0 || strings.IndexByte(s, '+') >= 0 {
		out, err := url.QueryUnescape(s)
		if err != nil {
			q.undecodable(InvalidParam("The query has an invalid percent-encoding"))
			return ""
		}
		s = out
	}
	if !utf8.ValidString(s) {
		q.undecodable(InvalidParam("The query is not UTF-8"))
		return ""
	}
	return s
}

// undecodable is a fault of the query as a whole.
func (q *Query) undecodable(err *Error) {
	if q.x != nil && q.x.faults != nil {
		_ = q.x.faults.add(Violation{Rule: RuleParameterEncoding, Where: InQuery(""), Expected: "percent-encoded UTF-8", ErrCode: err.ErrCode})
		return
	}
	if q.err == nil {
		q.err = err
	}
}

func (q *Query) lookup(name string) (value string, ok bool) {
	for raw := q.raw; raw != ""; {
		var n, v string
		n, v, raw = q.next(raw)
		if n == name && !ok {
			value, ok = v, true
		}
	}
	return value, ok
}

// String reads an optional string.
func (q *Query) String(name string) (o Opt[string]) {
	o.Value, o.Set = q.lookup(name)
	return o
}

// Bool reads an optional boolean.
func (q *Query) Bool(name string) (o Opt[bool]) {
	switch v, ok := q.lookup(name); {
	case !ok:
	case v == "true":
		o = Some(true)
	case v == "false":
		o = Some(false)
	default:
		q.invalid(RuleParameterType, name, "true or false", "is neither true nor false")
	}
	return o
}

// Int reads an optional integer.
func (q *Query) Int(name string) (o Opt[int64]) {
	v, ok := q.lookup(name)
	if !ok {
		return o
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || v[0] == '+' {
		q.invalid(RuleParameterType, name, "an integer", "is not an integer")
		return o
	}
	return Some(n)
}

// Float reads an optional number.
func (q *Query) Float(name string) (o Opt[float64]) {
	v, ok := q.lookup(name)
	if !ok {
		return o
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || f-f != 0 || strings.ContainsAny(v, "xX_") {
		q.invalid(RuleParameterType, name, "a number", "is not a number")
		return o
	}
	return Some(f)
}

// Strings reads a parameter that may be repeated.
func (q *Query) Strings(name string) (vs []string) {
	for raw := q.raw; raw != ""; {
		var n, v string
		if n, v, raw = q.next(raw); n == name {
			vs = append(vs, v)
		}
	}
	return vs
}

// Has reports whether a parameter is present.
func (q *Query) Has(name string) bool {
	_, ok := q.lookup(name)
	return ok
}

// Others returns every parameter that is not one of the known ones: the fields of a
// third-party lookup, which the specification does not define.
func (q *Query) Others(known ...string) map[string]string {
	var m map[string]string
	for raw := q.raw; raw != ""; {
		var n, v string
		n, v, raw = q.next(raw)
		if n == "" || slices.Contains(known, n) {
			continue
		}
		if m == nil {
			m = map[string]string{}
		}
		if _, ok := m[n]; !ok {
			m[n] = v
		}
	}
	return m
}

// QueryID reads an optional identifier.
func QueryID[T any](q *Query, name string, parse func(string) (T, error)) (o Opt[T]) {
	s, ok := q.lookup(name)
	if !ok {
		return o
	}
	v, err := parse(s)
	if err != nil {
		q.unparsed(name, err)
		return o
	}
	return Some(v)
}

// unparsed is the fault of a parameter that is not a valid identifier or listed value.
func (q *Query) unparsed(name string, err error) {
	rule, expected := parseFault(err)
	q.fail(rule, name, expected, InvalidParam("Query parameter %q: %v", name, err))
}

// parseFault is the rule that an unparsable parameter violates.
func parseFault(err error) (rule, expected string) {
	var bad *id.Error
	if errors.As(err, &bad) {
		return RuleIdentifier, an(bad.Type)
	}
	return RuleParameterEnum, "one of the listed values"
}

// QueryIDs reads an identifier that may be repeated.
func QueryIDs[T any](q *Query, name string, parse func(string) (T, error)) (out []T) {
	for _, s := range q.Strings(name) {
		v, err := parse(s)
		if err != nil {
			q.unparsed(name, err)
			return nil
		}
		out = append(out, v)
	}
	return out
}

// Required returns the value of a required parameter. If a departure is allowed, an
// absent one has the zero value.
func Required[T any](q *Query, name string, o Opt[T]) T {
	if o.Set {
		return o.Value
	}
	refusal := MissingParam("Missing query parameter %q", name)
	if q.x != nil {
		refusal = q.x.departs(RuleQueryMissing, InQuery(name), "the parameter", refusal)
	}
	if refusal != nil {
		q.fail(RuleQueryMissing, name, "the parameter", refusal)
	}
	return o.Value
}
