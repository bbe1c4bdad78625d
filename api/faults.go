// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
)

// maxViolations bounds the violations in one answer.
const maxViolations = 100

// Rules that the decoders check, the same in every profile.
const (
	RuleJSON              = "request-json"
	RuleDepth             = "request-depth"
	RuleRequired          = "request-required"
	RuleType              = "request-type"
	RuleEnum              = "request-enum"
	RuleLimits            = "request-limits"
	RuleIdentifier        = "identifier-grammar"
	RuleParameterRequired = "parameter-required"
	RuleParameterType     = "parameter-type"
	RuleParameterEnum     = "parameter-enum"
	RuleParameterEncoding = "parameter-encoding"
)

// faults collects everything that is wrong with one request. A decoder stops at the
// first fault, which is the answer's error. The request is then read once more; this
// time each fault is recorded here and skipped.
type faults struct{ list []Violation }

var errEnough = errors.New("more is wrong than is told")

// add records a fault, once for each rule and place.
func (f *faults) add(v Violation) error {
	if len(f.list) == maxViolations {
		return errEnough
	}
	if !slices.ContainsFunc(f.list, func(o Violation) bool { return o.Rule == v.Rule && o.Where == v.Where }) {
		v.Setting = SettingEnforce
		f.list = append(f.list, v)
	}
	return nil
}

// has reports whether a fault at a place of the body is recorded already.
func (f *faults) has(w Where) bool {
	return slices.ContainsFunc(f.list, func(o Violation) bool { return o.Where == w })
}

// option passes the faults to decoders. A json decoder cannot carry our values, but its
// options can carry a function that returns them.
func (f *faults) option() json.Options {
	return json.WithUnmarshalers(json.UnmarshalFunc(func(_ []byte, to *faultsOf) error {
		to.faults = f
		return nil
	}))
}

type faultsOf struct{ faults *faults }

// faultsIn returns the faults that a decoder records, nil if it stops at the first. It
// is called only for a fault.
func faultsIn(dec *jsontext.Decoder) *faults {
	u, ok := json.GetOption(dec.Options(), json.WithUnmarshalers)
	if !ok || u == nil {
		return nil
	}
	var of faultsOf
	_ = json.Unmarshal([]byte("null"), &of, json.WithUnmarshalers(u)) // a function of other code leaves it nil
	return of.faults
}

// fault is what a decoder returns for an invalid value: an error with its place, or nil
// if faults are recorded and skipped.
func fault(dec *jsontext.Decoder, rule, expected string, e error) error {
	at := dec.StackPointer()
	if f := faultsIn(dec); f != nil {
		return f.add(Violation{Rule: rule, Where: InBody(string(at)), Expected: expected})
	}
	return &json.SemanticError{JSONPointer: at, Err: e}
}

// missing is the fault of an object without a required member.
func missing(dec *jsontext.Decoder, name string) error {
	at := dec.StackPointer()
	if f := faultsIn(dec); f != nil {
		return f.add(Violation{Rule: RuleRequired, Where: InBody(string(at.AppendToken(name))), Expected: "the member " + name})
	}
	return &json.SemanticError{JSONPointer: at, Err: BadJSON("Missing %q", name)}
}

// an writes an article before a name.
func an(name string) string {
	if strings.IndexByte("aeioAEIO", name[0]) >= 0 {
		return "an " + name
	}
	return "a " + name
}

// all returns a refusal with everything that is wrong with the request, which again
// reads once more.
func (x *Exchange) all(err error, again func() error) error {
	var e *Error
	if x.router.cfg.Checks.Settle == nil || x.bodyErr != nil || !errors.As(err, &e) || e.Status >= http.StatusInternalServerError {
		return err
	}
	f := &faults{}
	x.faults, x.Params.faults = f, f
	_ = again() // the first failure is the answer; an error of this pass is one of the faults
	x.faults, x.Params.faults = nil, nil
	if len(f.list) == 0 {
		return err
	}
	out := *e
	out.Violations = f.list
	return &out
}

// note reads a body to record all its faults.
func (x *Exchange) note(body []byte, dst any) error {
	f := x.faults
	before := len(f.list)
	if deeper(body, MaxDepth) {
		return f.add(Violation{Rule: RuleDepth, Where: InBody(""), Expected: "arrays and objects that nest no deeper than 128"})
	}
	if err := json.Unmarshal(body, dst, f.option()); err != nil {
		var value Raw
		var syntax *jsontext.SyntacticError
		if errors.As(json.Unmarshal(body, &value), &syntax) {
			f.list = f.list[:before] // if it is not JSON, there is nothing else to report
			return f.add(Violation{Rule: RuleJSON, Where: InBody(string(syntax.JSONPointer)), Expected: "a JSON text", Found: "not JSON: " + reason(syntax.Err)})
		}
		if v, ok := handWritten(err); ok {
			_ = f.add(v)
		}
	}
	var value any
	if json.Unmarshal(body, &value) == nil {
		for i := range f.list[before:] {
			Describe(&f.list[before+i], value)
		}
	}
	for _, v := range x.judged(body) {
		switch {
		case f.has(v.Where) || len(f.list) == maxViolations:
		case v.Setting == SettingEnforce:
			f.list = append(f.list, v)
		default:
			x.found(v)
		}
	}
	return nil
}

// handWritten is the fault of a type whose decoder is not generated.
func handWritten(err error) (v Violation, ok bool) {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		v.Where = InBody(string(semantic.JSONPointer))
	} else {
		v.Where = InBody("")
	}
	v.Rule, v.Expected = RuleType, "another value"
	var bad *id.Error
	switch {
	case errors.Is(err, errEnough):
		return v, false
	case errors.Is(err, raw.ErrNull):
		v.Expected = "no null"
	case errors.As(err, &bad):
		v.Rule, v.Expected = RuleIdentifier, an(bad.Type)
	}
	return v, true
}

// judged lets the strictness check look at a body.
func (x *Exchange) judged(body []byte) []Violation {
	if check := x.router.cfg.Checks.Request; check != nil {
		return check(x, body)
	}
	return nil
}
