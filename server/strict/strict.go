// SPDX-License-Identifier: Apache-2.0

// Package strict judges traffic by the specification's own schemas, apart from
// the generated code: it looks at what the decoders accepted and at what the
// server answers. Its table of rules says, per profile, which departures are
// refused, which are only written down, and which nobody looks for.
//
// It must not decide what the server does otherwise, and costs nothing where
// its rules are off.
package strict

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"touchstone.example/api"
)

// Config says what is judged.
type Config struct {
	Spec     fs.FS // spec.Files
	Settings Settings
	// Answers has the server's own answers judged as well: in tests and in
	// the lab.
	Answers bool
	// Measure counts the members that schemas describe and those that pass
	// through bare objects.
	Measure bool
}

// A Judge checks bodies and remembers what it found.
type Judge struct {
	cfg      Config
	lib      library
	log      Log
	coverage coverage
	rules    map[string]Rule
}

// New returns a Judge. Documents and schemas are read when they are needed.
func New(cfg Config) (*Judge, error) {
	j := &Judge{cfg: cfg, rules: map[string]Rule{}}
	j.lib = library{from: cfg.Spec, docs: map[string]*document{}, events: map[string]*schema{}}
	for _, r := range Rules() {
		j.rules[r.ID] = r
		if _, ok := cfg.Settings[r.ID]; !ok {
			return nil, fmt.Errorf("strict: no setting for rule %s", r.ID)
		}
	}
	return j, nil
}

// Checks returns the hooks for a router. A hook whose rules are all off is
// nil, which costs one comparison.
func (j *Judge) Checks() api.Checks {
	var c api.Checks
	if j.cfg.Measure || j.cfg.Settings.any("request-") {
		c.Request = j.Request
	}
	if j.cfg.Answers && (j.cfg.Measure || j.cfg.Settings.any("answer-")) {
		c.Response = j.Answer
	}
	c.Report = j.departure
	return c
}

// errNotLetPass stands for the refusal that the caller has.
var errNotLetPass = errors.New("no rule lets this pass")

// Lenient reports whether a departure is served: its rule is not enforced.
func (j *Judge) Lenient(rule string) bool { return j.Setting(rule) != Enforce }

// Setting returns a rule's setting. It panics for a rule that is not in the
// table, since that is a bug in our own code.
func (j *Judge) Setting(rule string) Setting {
	s, ok := j.cfg.Settings[rule]
	if !ok {
		panic("strict: no rule " + rule)
	}
	return s
}

// Log returns what the judge has found.
func (j *Judge) Log() *Log { return &j.log }

// Note writes a violation down and returns it as an error if its rule is
// enforced. The rule's setting and, where none is given, its link are filled
// in. Other packages call it for rules that only they can judge.
func (j *Judge) Note(v Violation) error {
	v.Setting = j.Setting(v.Rule)
	if v.Setting == Off {
		return nil
	}
	if v.Section == "" {
		r := j.rules[v.Rule]
		v.Section = r.Link()
	}
	j.log.Add(v)
	if v.Setting == Enforce {
		return &v
	}
	return nil
}

// Departed returns a function for a package that finds requests of an operation
// to depart from a rule at a place of their body: it notes one, and reports
// whether the departure is served.
func (j *Judge) Departed(rule string, op *api.Operation, pointer string) func() bool {
	r := j.rules[rule]
	return func() bool {
		return j.Note(Violation{
			Rule: rule, Direction: Request, Operation: op.Name(), Where: api.InBody(pointer), Expected: r.Says,
		}) == nil
	}
}

// notes writes all violations down and returns the first that is enforced.
func (j *Judge) notes(vs []Violation) (first error) {
	for _, v := range vs {
		if err := j.Note(v); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Request judges the JSON body of a request. A violation of an enforced rule
// is M_BAD_JSON, but for a body that lacks the one member that its URL names.
//
// Spec: client-server setProfileField, M_MISSING_PARAM: no other operation has a
// least number of members.
func (j *Judge) Request(op *api.Operation, body []byte) error {
	_, o, err := j.lib.operation(op)
	if err != nil || o.request == nil {
		return err
	}
	v, err := decode(body)
	if err != nil {
		return api.NotJSON("The body is not JSON")
	}
	vs, err := j.judge(o.request, v, Violation{Direction: Request, Operation: op.Name(), Section: o.link}, "request-")
	if err != nil {
		return err
	}
	if err := j.notes(vs); err != nil {
		return refusal(err.(*Violation))
	}
	return nil
}

func refusal(v *Violation) error {
	e := api.BadJSON("%s", clientText(v))
	if v.Keyword == "minProperties" {
		e = api.MissingParam("%s", clientText(v))
	}
	e.Err = v
	return e
}

// clientText is what a client is told of a violation.
func clientText(v *Violation) string {
	return fmt.Sprintf("At %s: %s (rule %s, see %s)", v.Where, v.Says(), v.Rule, v.Section)
}

// judge checks a value against a schema and looks for members that it does
// not describe. base is what all its violations share, prefix the direction's
// part of the rules' names.
func (j *Judge) judge(s *schema, v any, base Violation, prefix string) ([]Violation, error) {
	vs, err := s.violations(v, base, prefix)
	if err != nil {
		return nil, err
	}
	rule := prefix + "unknown-member"
	if !j.cfg.Measure && j.cfg.Settings[rule] == Off {
		return vs, nil
	}
	compiled, err := s.compiled()
	if err != nil {
		return nil, fmt.Errorf("strict: %w", err)
	}
	m := measure(compiled, v)
	if j.cfg.Measure {
		j.coverage.add(base, m)
	}
	for _, u := range m.unknown {
		one := base
		one.Rule, one.Where, one.Schema, one.Expected = rule, api.InBody(u.pointer), u.schema, "no member "+u.name
		vs = append(vs, one)
	}
	return vs, nil
}

// departure hears of requests that depart from advice about their headers.
func (j *Judge) departure(op *api.Operation, _ *http.Request, rule api.Rule) error {
	if rule == api.RuleQueryMissing {
		if op.ID != "getRoomEvents" {
			return errNotLetPass
		}
		rule = MessagesWithoutDir // dir is its only required parameter
	}
	r := j.rules[string(rule)]
	err := j.Note(Violation{Rule: string(rule), Direction: Request, Operation: op.Name(), Expected: r.Says})
	if err != nil {
		e := api.Unknown("%s", clientText(err.(*Violation)))
		e.Err = err
		return e
	}
	return nil
}
