// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxParams is how many parameters a path may have.
const maxParams = 6

// Params are the path parameters of a request, in path order. They are stored as sent
// and decoded once, when read.
type Params struct {
	raw    [maxParams]string
	n      int
	op     *Operation
	faults *faults // set to collect all faults
}

// Path returns the i'th parameter, decoded. The last may be absent, and is then empty.
func (p *Params) Path(i int) (string, error) {
	raw := p.raw[i]
	if i >= p.n {
		return "", nil
	}
	v := raw
	if strings.IndexByte(raw, '%') >= 0 {
		var err error
		if v, err = url.PathUnescape(raw); err != nil {
			return "", p.fail(i, RuleParameterEncoding, "percent-encoded UTF-8", InvalidParam("Path parameter %q has an invalid percent-encoding", p.name(i)))
		}
	}
	if !utf8.ValidString(v) {
		return "", p.fail(i, RuleParameterEncoding, "percent-encoded UTF-8", InvalidParam("Path parameter %q is not UTF-8", p.name(i)))
	}
	return v, nil
}

// Named returns a parameter by its name, decoded; empty if there is none or it cannot
// be decoded.
func (p *Params) Named(name string) string {
	if p.op == nil {
		return ""
	}
	i := 0
	for seg := range strings.SplitSeq(p.op.Path, "/") {
		if !strings.HasPrefix(seg, "{") {
			continue
		}
		if seg[1:len(seg)-1] == name && i < p.n {
			v, _ := url.PathUnescape(p.raw[i]) // empty where it fails
			return v
		}
		i++
	}
	return ""
}

// PathID returns the i'th parameter as an identifier.
func PathID[T any](p *Params, i int, parse func(string) (T, error)) (T, error) {
	var zero T
	s, err := p.Path(i)
	if err != nil {
		return zero, err
	}
	v, err := parse(s)
	if err == nil {
		return v, nil
	}
	e := InvalidParam("Path parameter %q: %v", p.name(i), err)
	if errors.Is(err, errUnknownValue) && p.op.notFoundOnly() {
		e = NotFound("Path parameter %q: %v", p.name(i), err)
	}
	rule, expected := parseFault(err)
	return zero, p.fail(i, rule, expected, e)
}

// fail is the fault of a parameter, or nil if all faults are collected.
func (p *Params) fail(i int, rule, expected string, e *Error) error {
	if p.faults == nil {
		return e
	}
	v := Violation{Rule: rule, Where: InPath(p.name(i)), Expected: expected, ErrCode: e.ErrCode}
	if s, err := url.PathUnescape(p.raw[i]); err == nil && utf8.ValidString(s) {
		v.Found, v.Hint = Shape(s), Hint(expected, s)
	}
	return p.faults.add(v)
}

// notFoundOnly reports whether the operation declares 404 and no 400. Then a value that
// is not in the closed list is answered with 404.
//
// Spec: client-server getPushRule, whose list of kinds may grow.
func (op *Operation) notFoundOnly() bool {
	return op != nil && slices.Contains(op.Statuses, http.StatusNotFound) && !slices.Contains(op.Statuses, http.StatusBadRequest)
}

// name returns the name of the i'th parameter, for messages.
func (p *Params) name(i int) string {
	if p.op == nil {
		return ""
	}
	for seg := range strings.SplitSeq(p.op.Path, "/") {
		if name, ok := strings.CutPrefix(seg, "{"); ok {
			if i == 0 {
				return strings.TrimSuffix(name, "}")
			}
			i--
		}
	}
	return ""
}
