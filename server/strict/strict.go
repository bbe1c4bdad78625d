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
	"context"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"

	"touchstone.example/api"
)

// Config says what is judged.
type Config struct {
	Spec     fs.FS // spec.Files
	Settings Settings
	// Answers has the server's own answers judged as well: in tests and in
	// the lab.
	Answers bool
	// Tell: refusals list their violations in a member of the error object.
	Tell bool
	Log  *slog.Logger // nil is silent
	// Measure counts the members that schemas describe and those that pass
	// through bare objects.
	Measure bool
}

// A Judge checks bodies and remembers what it found.
type Judge struct {
	cfg      Config
	lib      library
	log      Log
	store    Store
	coverage coverage
	rules    map[string]Rule
	decoding map[string]Rule // of decoders, which nothing turns off
	codes    map[string]Rule // of refusals by their codes
	prose    prose           // of spec/rules, those that are on
	memory   memory
	requests bool // a rule of request bodies is on
	events   bool // the rule of event contents is on
}

// New returns a Judge. Documents and schemas are read when they are needed.
func New(cfg Config) (*Judge, error) {
	j := &Judge{cfg: cfg, rules: map[string]Rule{}, decoding: byID(DecoderRules()), codes: byID(CodeRules())}
	j.prose, j.memory.seed = newProse(cfg.Settings), maphash.MakeSeed()
	j.requests = cfg.Settings.any("request-")
	j.events = cfg.Settings[EventContent] != Off
	if j.cfg.Log == nil {
		j.cfg.Log = slog.New(slog.DiscardHandler)
	}
	j.lib = library{from: cfg.Spec, docs: map[string]*document{}, events: map[string]*schema{}, contents: map[string]*schema{}}
	for _, r := range Rules() {
		j.rules[r.ID] = r
		if _, ok := cfg.Settings[r.ID]; !ok {
			return nil, fmt.Errorf("strict: no setting for rule %s", r.ID)
		}
	}
	return j, nil
}

// Checks returns the hooks for a router. Request and Response are nil where
// their rules are all off, which costs one comparison.
func (j *Judge) Checks() api.Checks {
	c := api.Checks{Settle: j.settle, Store: j.keep, Tell: j.cfg.Tell}
	if j.cfg.Measure || j.requests || j.events || len(j.prose) > 0 {
		c.Request = j.hook
	}
	if len(j.prose) > 0 || j.Setting(api.RuleParameterUnknown) != Off {
		c.Call = j.call
	}
	if j.cfg.Answers && (j.cfg.Measure || j.cfg.Settings.any("answer-")) {
		c.Response = j.Answer
	}
	return c
}

// hook is Request for a router, for which a fault of our own documents is no
// reason to refuse anything.
func (j *Judge) hook(x *api.Exchange, body []byte) []Violation {
	vs, err := j.Request(x.Op, x.Params.Named, body)
	if err != nil {
		j.cfg.Log.LogAttrs(x.R.Context(), slog.LevelError, "the judge fails", slog.String("error", err.Error()))
	}
	return vs
}

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

// Log returns counts of what the judge has found.
func (j *Judge) Log() *Log { return &j.log }

// Store returns what was found in requests, one by one.
func (j *Judge) Store() *Store { return &j.store }

func byID(rules []Rule) map[string]Rule {
	out := map[string]Rule{}
	for _, r := range rules {
		out[r.ID] = r
	}
	return out
}

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

// Departed returns a function for a package that finds requests to depart from a
// rule at a place of their body: it reports one, and whether the departure is
// served.
func (j *Judge) Departed(rule string, pointer string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		return api.Report(ctx, Violation{Rule: rule, Where: api.InBody(pointer)}) == nil
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
		one.Rule, one.Where, one.Schema, one.Expected = rule, api.InBody(u.pointer+"/"+escape(u.name)), u.schema, "no member that is not described"
		vs = append(vs, one)
	}
	for _, d := range m.deprecated {
		one := base
		one.Rule, one.Where, one.Schema, one.Expected = MemberDeprecated, api.InBody(d.pointer), d.schema, "no deprecated member"
		vs = append(vs, one)
	}
	return vs, nil
}
