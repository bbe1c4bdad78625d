// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// What a change of rules can run into. The text around them says more.
var (
	ErrNotFound = errors.New("the push rule was not found")
	ErrRuleID   = errors.New("this rule id is not possible")
	ErrRule     = errors.New("this push rule is not possible")
	ErrAnchor   = errors.New("before/after rule not found")
	ErrFull     = errors.New("too many push rules")
)

// maxRules bounds what an event costs for one user.
const maxRules = 5000

// Put adds or changes a rule of the user. The body is that of the request,
// {actions, conditions?, pattern?}; before and after are ids of the user's
// rules of that kind, or empty. With both, before counts.
//
// Spec: client-server PUT /pushrules/global/{kind}/{ruleId}.
func (s *Ruleset) Put(k Kind, ruleID string, body jsontext.Value, before, after string) error {
	if err := checkID(k, ruleID); err != nil {
		return err
	}
	rule, err := parseBody(k, body)
	if err != nil {
		return err
	}
	rule.ID = ruleID
	rule.Enabled = true
	rules := slices.Clone(s.rules[k]) // Rules may have handed out the old ones
	old := s.index(k, ruleID)
	if old >= 0 {
		rule.Enabled = rules[old].Enabled
		if before == "" && after == "" {
			rules[old] = rule
			s.rules[k] = rules
			return nil
		}
		rules = slices.Delete(rules, old, old+1)
	} else if s.own() >= maxRules {
		return fmt.Errorf("%w: more than %d", ErrFull, maxRules)
	}
	at, err := place(rules, before, after)
	if err != nil {
		return err
	}
	s.rules[k] = slices.Insert(rules, at, rule)
	return nil
}

// own counts the rules that the user made.
func (s *Ruleset) own() int {
	n := 0
	for k := range kinds {
		n += len(s.rules[k]) - len(defaults[k])
	}
	return n
}

// place finds the index for a rule: next to its anchor, or else before all
// other rules of the user, which only the master rule precedes.
func place(rules []Rule, before, after string) (int, error) {
	anchor, offset := before, 0
	if anchor == "" {
		anchor, offset = after, 1
	}
	if anchor == "" {
		if len(rules) > 0 && rules[0].ID == masterRule {
			return 1, nil
		}
		return 0, nil
	}
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == anchor })
	if i < 0 || rules[i].Default() {
		return 0, fmt.Errorf("%w: %s", ErrAnchor, anchor)
	}
	return i + offset, nil
}

// Delete removes a rule of the user. Default rules cannot be removed.
func (s *Ruleset) Delete(k Kind, ruleID string) error {
	i := s.index(k, ruleID)
	if i < 0 {
		return ErrNotFound
	}
	if s.rules[k][i].Default() {
		return fmt.Errorf("%w among your own: predefined rules can only be disabled", ErrNotFound)
	}
	s.rules[k] = slices.Delete(slices.Clone(s.rules[k]), i, i+1)
	return nil
}

// SetEnabled turns a rule on or off, a default one too.
func (s *Ruleset) SetEnabled(k Kind, ruleID string, enabled bool) error {
	return s.change(k, ruleID, func(r *Rule) { r.Enabled = enabled })
}

// SetActions changes the actions of a rule, of a default one too.
func (s *Ruleset) SetActions(k Kind, ruleID string, actions jsontext.Value) error {
	if s.index(k, ruleID) < 0 {
		return ErrNotFound
	}
	list, err := parseActions(actions)
	if err != nil {
		return err
	}
	return s.change(k, ruleID, func(r *Rule) { r.Actions = list })
}

func (s *Ruleset) change(k Kind, ruleID string, f func(*Rule)) error {
	i := s.index(k, ruleID)
	if i < 0 {
		return ErrNotFound
	}
	s.rules[k] = slices.Clone(s.rules[k])
	f(&s.rules[k][i])
	return nil
}

// CopyRoom gives a room the rule that another one has, right before it. The
// specification does not ask for it, but deployed servers let an upgraded room
// take over the rules of its predecessor. It reports whether anything changed:
// the old room may have no rule, the new one may have its own.
func (s *Ruleset) CopyRoom(from, to id.RoomID) bool {
	i := s.index(Room, string(from))
	if i < 0 || s.index(Room, string(to)) >= 0 || s.own() >= maxRules {
		return false
	}
	rule := s.rules[Room][i]
	rule.ID = string(to)
	s.rules[Room] = slices.Insert(slices.Clone(s.rules[Room]), i, rule)
	return true
}

func checkID(k Kind, ruleID string) error {
	switch {
	case ruleID == "":
		return fmt.Errorf("%w: it is empty", ErrRuleID)
	case !utf8.ValidString(ruleID):
		return fmt.Errorf("%w: it is not UTF-8", ErrRuleID)
	case strings.HasPrefix(ruleID, "."):
		return fmt.Errorf("%w: ids that begin with a dot are the server's", ErrRuleID)
	case strings.ContainsAny(ruleID, `/\`):
		return fmt.Errorf("%w: slashes and backslashes are not allowed", ErrRuleID)
	}
	var err error
	switch k {
	case Room:
		_, err = id.ParseRoomID(ruleID)
	case Sender:
		_, err = id.ParseUserID(ruleID)
	}
	if err != nil {
		return fmt.Errorf("%w: a %s rule is named by its %s: %w", ErrRuleID, k, k, err)
	}
	return nil
}
