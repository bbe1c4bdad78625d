// SPDX-License-Identifier: Apache-2.0

// Package pushrules holds users' push rules: the defaults, how clients change
// them, and what they answer to an event. A set of rules is compiled once per
// user and then evaluated for many events; members who never changed theirs
// share one evaluation. It is pure: it neither stores rules nor sends
// notifications.
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

// The kinds, in the order in which they are tried.
const (
	Override Kind = iota
	Content
	Room
	Sender
	Underride
	kinds // how many there are
)

var kindNames = [kinds]string{"override", "content", "room", "sender", "underride"}

func (k Kind) String() string { return kindNames[k] }

// ParseKind returns the kind of a name, as it stands in paths.
func ParseKind(name string) (Kind, bool) {
	i := slices.Index(kindNames[:], name)
	return Kind(max(i, 0)), i >= 0
}

// Rule is one push rule. Conditions and actions are kept as they were sent:
// clients agree on ones that the server does not know.
type Rule struct {
	ID         string
	Enabled    bool
	Conditions jsontext.Value // a list; only of override and underride rules
	Pattern    string         // only of content rules
	Actions    jsontext.Value // a list
}

// Default reports whether this is a rule of the server. Their ids begin with a
// dot, and no others do.
func (r *Rule) Default() bool { return strings.HasPrefix(r.ID, ".") }

// Ruleset is all rules of one user, the most important first within a kind.
// Changing one is not safe while others read it; compiled rules are not
// affected by changes.
type Ruleset struct {
	user  id.UserID
	rules [kinds][]Rule
}

// User returns whose rules these are.
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

// IsDefault reports whether the user changed nothing.
func (s *Ruleset) IsDefault() bool {
	for k := range kinds {
		if len(s.rules[k]) != len(defaults[k]) {
			return false
		}
		for i := range s.rules[k] {
			if !defaults[k][i].unchanged(&s.rules[k][i]) {
				return false
			}
		}
	}
	return true
}

// AppendJSON appends the complete set, as clients read it under "global".
func (s *Ruleset) AppendJSON(b []byte) []byte {
	return s.append(b, func(Kind, *Rule) bool { return true })
}

// AppendChanges appends what the user made of the defaults: their own rules and
// the default rules that they changed. Parse reads it back. It is what to
// store, so that a later version's defaults reach users who left them alone.
func (s *Ruleset) AppendChanges(b []byte) []byte {
	return s.append(b, func(k Kind, r *Rule) bool {
		d := findDefault(k, r.ID)
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

// AppendJSON appends the rule as clients read it.
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
	b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\ufffd")) // fails only on what is not UTF-8
	return b
}
