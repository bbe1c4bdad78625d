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

// Errors of changes to rules; the errors that wrap them say more.
var (
	ErrNotFound = errors.New("the push rule was not found")
	ErrRuleID   = errors.New("this rule id is not possible")
	ErrRule     = errors.New("this push rule is not possible")
	ErrAnchor   = errors.New("before/after rule not found")
	ErrFull     = errors.New("too many push rules")
)

// maxRules limits the rules of one user, and so the cost of an event.
const maxRules = 5000

// Put adds or changes a rule of the user. body is the request body, {actions,
// conditions?, pattern?}. before and after are IDs of rules that the user made
// of the same kind, or empty. If both are given, before is used.
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
	rules := slices.Clone(s.rules[k]) // callers of Rules may still hold the old slice
	old := s.index(k, ruleID)
	if old >= 0 {
		rule.Enabled = rules[old].Enabled
		if before == "" && after == "" {
			rules[old] = rule
			s.rules[k] = rules
			return nil
		}
		rules = slices.Delete(rules, old, old+1)
	} else if s.countOwn() >= maxRules {
		return fmt.Errorf("%w: more than %d", ErrFull, maxRules)
	}
	at, err := insertIndex(rules, before, after)
	if err != nil {
		return err
	}
	s.rules[k] = slices.Insert(rules, at, rule)
	return nil
}

// countOwn returns how many rules the user made.
func (s *Ruleset) countOwn() int {
	n := 0
	for k := range kinds {
		n += len(s.rules[k]) - len(s.predefined.rules[k])
	}
	return n
}

// insertIndex returns the index for a rule: next to the rule before or after,
// else before all other rules that the user made. Only the master rule stays in
// front of it.
func insertIndex(rules []Rule, before, after string) (int, error) {
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

// Delete removes a rule that the user made. Default rules cannot be removed.
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

// SetEnabled enables or disables a rule, which may be a default rule.
func (s *Ruleset) SetEnabled(k Kind, ruleID string, enabled bool) error {
	return s.change(k, ruleID, func(r *Rule) { r.Enabled = enabled })
}

// SetActions changes the actions of a rule, which may be a default rule.
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

// CopyRoom copies the room rule of one room to another, and inserts it right
// before the original. The specification does not require it, but deployed
// servers do it when a room is upgraded. It reports whether anything changed:
// the old room may have no rule, and an existing rule of the new room stays.
func (s *Ruleset) CopyRoom(from, to id.RoomID) bool {
	i := s.index(Room, string(from))
	if i < 0 || s.index(Room, string(to)) >= 0 || s.countOwn() >= maxRules {
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
