// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// maxPattern limits the length of a glob, and so the time of matching.
const maxPattern = 1024

type wireBody struct {
	Actions    jsontext.Value `json:"actions"`
	Conditions jsontext.Value `json:"conditions"`
	Pattern    jsontext.Value `json:"pattern"`
}

type wireRule struct {
	RuleID  *string `json:"rule_id"`
	Enabled *bool   `json:"enabled"`
	wireBody
}

type wireRuleset struct {
	Override  []wireRule `json:"override"`
	Content   []wireRule `json:"content"`
	Room      []wireRule `json:"room"`
	Sender    []wireRule `json:"sender"`
	Underride []wireRule `json:"underride"`
}

// Parse reads a set of rules, either complete or only the user's changes, and
// applies it to the default rules. Default rules that are missing in it keep
// their defaults; unknown default rules are dropped.
func (p *Predefined) Parse(user id.UserID, data []byte) (*Ruleset, error) {
	var wire wireRuleset
	if jsontext.Value(data).Kind() != '{' {
		return nil, errors.New("push rules: not a JSON object")
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return nil, fmt.Errorf("push rules: %w", err)
	}
	s := p.Defaults(user)
	for k, list := range [kinds][]wireRule{wire.Override, wire.Content, wire.Room, wire.Sender, wire.Underride} {
		if err := s.apply(Kind(k), list); err != nil {
			return nil, fmt.Errorf("push rules: %w", err)
		}
	}
	if s.countOwn() > maxRules {
		return nil, fmt.Errorf("push rules: %w: more than %d", ErrFull, maxRules)
	}
	return s, nil
}

// apply puts the rules of one kind into the set, which has the default rules.
func (s *Ruleset) apply(k Kind, list []wireRule) error {
	var own []Rule
	seen := map[string]bool{}
	for _, w := range list {
		if w.RuleID == nil || w.Enabled == nil {
			return fmt.Errorf("%w: %s rules need a rule_id and enabled", ErrRule, k)
		}
		if seen[*w.RuleID] {
			return fmt.Errorf("%w: %s rule %q stands twice", ErrRule, k, *w.RuleID)
		}
		seen[*w.RuleID] = true
		r := Rule{ID: *w.RuleID}
		if r.Default() {
			i := s.index(k, r.ID)
			if i < 0 {
				continue // a default rule of another version of the specification
			}
			actions, err := parseActions(w.Actions)
			if err != nil {
				return fmt.Errorf("%s rule %q: %w", k, r.ID, err)
			}
			s.rules[k][i].Enabled, s.rules[k][i].Actions = *w.Enabled, actions
			continue
		}
		if err := checkID(k, r.ID); err != nil {
			return err
		}
		r, err := w.rule(k)
		if err != nil {
			return fmt.Errorf("%s rule %q: %w", k, *w.RuleID, err)
		}
		r.ID, r.Enabled = *w.RuleID, *w.Enabled
		own = append(own, r)
	}
	at, _ := insertIndex(s.rules[k], "", "")
	merged := append([]Rule{}, s.rules[k][:at]...)
	s.rules[k] = append(append(merged, own...), s.rules[k][at:]...)
	return nil
}

// parseBody reads the request body of PUT.
func parseBody(k Kind, body jsontext.Value) (Rule, error) {
	var w wireBody
	if body.Kind() != '{' {
		return Rule{}, fmt.Errorf("%w: not a JSON object", ErrRule)
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return Rule{}, fmt.Errorf("%w: %w", ErrRule, err)
	}
	return w.rule(k)
}

// rule reads the members that a rule of this kind has, and ignores those of
// other kinds.
func (w *wireBody) rule(k Kind) (Rule, error) {
	var r Rule
	var err error
	if r.Actions, err = parseActions(w.Actions); err != nil {
		return r, err
	}
	switch k {
	case Override, Underride:
		r.Conditions, err = parseConditions(w.Conditions)
	case Content:
		if w.Pattern == nil {
			return r, fmt.Errorf("%w: a content rule needs a pattern", ErrRule)
		}
		if r.Pattern, err = stringOf(w.Pattern); err != nil {
			return r, fmt.Errorf("%w: pattern: %w", ErrRule, err)
		}
		err = checkPattern(r.Pattern)
	}
	return r, err
}

// parseActions checks that actions are a list of strings and objects. It does
// not check their meaning: clients use actions of their own, and must be able
// to keep obsolete ones.
func parseActions(actions jsontext.Value) (jsontext.Value, error) {
	list, err := listOf(actions, "actions")
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if kind := a.Kind(); kind != '"' && kind != '{' {
			return nil, fmt.Errorf("%w: an action is a string or an object", ErrRule)
		}
		if a.Kind() == '{' {
			var tweak struct {
				SetTweak jsontext.Value `json:"set_tweak"`
			}
			if err := json.Unmarshal(a, &tweak); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrRule, err)
			}
			if tweak.SetTweak != nil && tweak.SetTweak.Kind() != '"' {
				return nil, fmt.Errorf("%w: set_tweak is the name of a tweak", ErrRule)
			}
		}
	}
	return compact(actions)
}

func parseConditions(conditions jsontext.Value) (jsontext.Value, error) {
	if conditions == nil {
		return jsontext.Value("[]"), nil
	}
	list, err := listOf(conditions, "conditions")
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if _, err := parseCondition(c); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRule, err)
		}
	}
	return compact(conditions)
}

// listOf splits a JSON list into its elements; null elements are an error.
func listOf(v jsontext.Value, name string) ([]jsontext.Value, error) {
	if v == nil {
		return nil, fmt.Errorf("%w: %s is missing", ErrRule, name)
	}
	if v.Kind() != '[' {
		return nil, fmt.Errorf("%w: %s is not a list", ErrRule, name)
	}
	var list []jsontext.Value
	if err := json.Unmarshal(v, &list); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRule, name, err)
	}
	return list, nil
}

// compact returns a copy without whitespace. It does not change how numbers and
// strings are written.
func compact(v jsontext.Value) (jsontext.Value, error) {
	v = bytes.Clone(v)
	if err := v.Compact(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRule, err)
	}
	return v, nil
}

func stringOf(v jsontext.Value) (string, error) {
	if v.Kind() != '"' {
		return "", errors.New("want a string")
	}
	var s string
	err := json.Unmarshal(v, &s)
	return s, err
}

func checkPattern(pattern string) error {
	if len(pattern) > maxPattern {
		return fmt.Errorf("%w: a pattern has at most %d bytes", ErrRule, maxPattern)
	}
	return nil
}
