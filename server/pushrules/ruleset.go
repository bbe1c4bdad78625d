// SPDX-License-Identifier: Apache-2.0

// Package pushrules implements users' push rules: the defaults, changes by
// clients, and their evaluation for events. A set of rules is compiled once per
// user and then evaluated for many events; all users who have only default
// rules share one evaluation. The package is pure: it neither stores rules nor
// sends notifications.
//
// Spec: client-server "Push Notifications".
package pushrules

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// Kind is a kind of rule.
type Kind uint8

// The kinds, in the order in which they are evaluated.
const (
	Override Kind = iota
	Content
	Room
	Sender
	Underride
	kinds // the number of kinds
)

var kindNames = [kinds]string{"override", "content", "room", "sender", "underride"}

func (k Kind) String() string { return kindNames[k] }

// ParseKind returns the kind with a name, as in request paths.
func ParseKind(name string) (Kind, bool) {
	i := slices.Index(kindNames[:], name)
	return Kind(max(i, 0)), i >= 0
}

// Rule is one push rule. Conditions and actions are kept as the client sent
// them, because clients use some that the server does not know.
type Rule struct {
	ID         string
	Enabled    bool
	Conditions jsontext.Value // a list; only for override and underride rules
	Pattern    string         // only for content rules
	Actions    jsontext.Value // a list
}

// Default reports whether this is a default rule. Only their IDs begin with a
// dot.
func (r *Rule) Default() bool { return strings.HasPrefix(r.ID, ".") }

// Ruleset is all rules of one user, within a kind the most important first. It
// must not be changed while other goroutines read it. Changes do not affect
// rules that were compiled before.
type Ruleset struct {
	user       id.UserID
	predefined *Predefined
	rules      [kinds][]Rule
}

// User returns the user whose rules these are.
func (s *Ruleset) User() id.UserID { return s.user }

// Rules returns the rules of a kind. The caller must not change them.
func (s *Ruleset) Rules(k Kind) []Rule { return s.rules[k] }

// Rule returns one rule.
func (s *Ruleset) Rule(k Kind, ruleID string) (Rule, bool) {
	if i := s.index(k, ruleID); i >= 0 {
		return s.rules[k][i], true
	}
	return Rule{}, false
}

func (s *Ruleset) index(k Kind, ruleID string) int {
	return slices.IndexFunc(s.rules[k], func(r Rule) bool { return r.ID == ruleID })
}

// IsDefault reports whether the user has changed nothing.
func (s *Ruleset) IsDefault() bool {
	for k := range kinds {
		if len(s.rules[k]) != len(s.predefined.rules[k]) {
			return false
		}
		for i := range s.rules[k] {
			if !s.predefined.rules[k][i].unchanged(&s.rules[k][i]) {
				return false
			}
		}
	}
	return true
}

// AppendJSON appends the complete set, as clients get it under "global".
func (s *Ruleset) AppendJSON(b []byte) []byte {
	return s.append(b, func(Kind, *Rule) bool { return true })
}

// AppendChanges appends only the rules that the user made and the default rules
// that they changed, for storage. Parse reads it back. Default rules of a later
// version therefore reach users who have not changed them.
func (s *Ruleset) AppendChanges(b []byte) []byte {
	return s.append(b, func(k Kind, r *Rule) bool {
		d := s.predefined.find(k, r.ID)
		return d == nil || !d.unchanged(r)
	})
}

func (s *Ruleset) append(b []byte, want func(Kind, *Rule) bool) []byte {
	for k := range kinds {
		b = append(b, ",{"[b2i(k == 0)], '"')
		b = append(append(b, kindNames[k]...), `":[`...)
		first := true
		for i := range s.rules[k] {
			r := &s.rules[k][i]
			if !want(k, r) {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = r.AppendJSON(b, k)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// AppendJSON appends the rule as clients get it.
func (r *Rule) AppendJSON(b []byte, k Kind) []byte {
	b = append(b, `{"rule_id":`...)
	b = appendString(b, r.ID)
	b = append(b, `,"default":`...)
	b = appendBool(b, r.Default())
	b = append(b, `,"enabled":`...)
	b = appendBool(b, r.Enabled)
	switch k {
	case Override, Underride:
		b = append(append(b, `,"conditions":`...), r.Conditions...)
	case Content:
		b = appendString(append(b, `,"pattern":`...), r.Pattern)
	}
	b = append(append(b, `,"actions":`...), r.Actions...)
	return append(b, '}')
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

// appendString appends a JSON string.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\ufffd")) // fails only on invalid UTF-8
	return b
}
