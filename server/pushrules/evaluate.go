// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"bytes"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// RoomInfo is the data of an event's room that conditions read.
type RoomInfo struct {
	Members           int                    // number of joined members
	SenderLevel       int64                  // the sender's power level
	NotificationLevel func(key string) int64 // power level needed to notify; nil: the default
}

// Outcome is the result of evaluating rules for an event. The zero Outcome
// means that no rule matched, so nobody is notified.
type Outcome struct {
	Kind      Kind
	RuleID    string         // of the rule that matched
	Notify    bool           // the event counts as a notification
	Highlight bool           // the event counts as a highlight; only if Notify
	Sound     string         // the tweak "sound", if the event notifies
	Tweaks    jsontext.Value // all tweaks as an object, in the format of the push gateway API
	Actions   jsontext.Value // the rule's actions, as /notifications returns them
}

// Rules are a user's compiled rules. They are immutable and safe for concurrent
// use.
type Rules struct {
	user id.UserID
	set  *compiled
}

// compiled has the rules that can match, by kind. Room rules are indexed by
// room and sender rules by sender.
type compiled struct {
	lists           [kinds][]compiledRule
	byRoom          map[id.RoomID]*Outcome
	bySender        map[id.UserID]*Outcome
	wantDisplayName bool
}

type compiledRule struct {
	conditions []condition
	outcome    Outcome
}

// common is the compiled default rules, shared by all users.
var common = sync.OnceValue(func() *compiled { return compile(Defaults("")) })

// compiledDefaults has every default rule, disabled ones too. The compiled
// rules of a user refer to it for default rules that the user has not changed.
var compiledDefaults = sync.OnceValue(func() map[string]compiledRule {
	all := map[string]compiledRule{}
	for k := range kinds {
		for i := range defaults[k] {
			r := defaults[k][i].rule("")
			conditions, _ := compileConditions(&r)
			all[r.ID] = compiledRule{conditions, outcomeOf(k, &r)}
		}
	}
	return all
})

// Compile compiles a user's rules. Users who changed nothing share one value.
func Compile(s *Ruleset) *Rules {
	if s.IsDefault() {
		return &Rules{user: s.user, set: common()}
	}
	return &Rules{user: s.user, set: compile(s)}
}

// IsDefault reports whether these are the default rules, so that Shared has the
// outcome for this user.
func (r *Rules) IsDefault() bool { return r.set == common() }

// WantDisplayName reports whether a rule contains the condition
// contains_display_name. Otherwise the caller need not load the display name.
func (r *Rules) WantDisplayName() bool { return r.set.wantDisplayName }

func compile(s *Ruleset) *compiled {
	c := &compiled{byRoom: map[id.RoomID]*Outcome{}, bySender: map[id.UserID]*Outcome{}}
	for k := range kinds {
		for i := range s.rules[k] {
			if r := &s.rules[k][i]; r.Enabled {
				c.add(k, r)
			}
		}
	}
	return c
}

func (c *compiled) add(k Kind, r *Rule) {
	switch k {
	case Room:
		o := outcomeOf(k, r)
		c.byRoom[id.RoomID(r.ID)] = &o
	case Sender:
		o := outcomeOf(k, r)
		c.bySender[id.UserID(r.ID)] = &o
	case Content:
		match := []condition{bodyMatch{newPattern(r.Pattern)}}
		c.lists[k] = append(c.lists[k], compiledRule{match, outcomeOf(k, r)})
	default:
		if rule, ok := compileRule(k, r); ok {
			c.lists[k] = append(c.lists[k], rule)
			c.wantDisplayName = c.wantDisplayName || slices.Contains(rule.conditions, condition(containsDisplayName{}))
		}
	}
}

// compileRule compiles a rule with conditions. It returns false if one of the
// conditions can never be true.
func compileRule(k Kind, r *Rule) (compiledRule, bool) {
	if !r.Default() {
		conditions, ok := compileConditions(r)
		return compiledRule{conditions, outcomeOf(k, r)}, ok
	}
	rule := compiledDefaults()[r.ID]
	if !bytes.Equal(r.Actions, rule.outcome.Actions) {
		rule.outcome = outcomeOf(k, r)
	}
	return rule, true
}

func compileConditions(r *Rule) ([]condition, bool) {
	var list []jsontext.Value
	if json.Unmarshal(r.Conditions, &list) != nil {
		return nil, false
	}
	out := make([]condition, 0, len(list))
	for _, raw := range list {
		c, err := parseCondition(raw)
		switch {
		case err != nil || c == nil:
			return nil, false
		case isAboutMe(c, ".m.rule.invite_for_me", r.ID):
			c = aboutMe{}
		case isAboutMe(c, ".m.rule.is_user_mention", r.ID):
			c = mentionsMe{}
		}
		out = append(out, c)
	}
	return out, true
}

// isAboutMe reports whether a condition of a default rule names the user.
func isAboutMe(c condition, ruleID, is string) bool {
	if is != ruleID {
		return false
	}
	switch c := c.(type) {
	case eventMatch:
		return len(c.path) == 1 && c.path[0] == "state_key"
	case propertyContains:
		return true
	default:
		return false
	}
}

// outcomeOf reads the actions of a rule. It ignores unknown and obsolete
// actions.
//
// Spec: client-server "Actions".
func outcomeOf(k Kind, r *Rule) Outcome {
	o := Outcome{Kind: k, RuleID: r.ID, Actions: r.Actions}
	var actions []jsontext.Value
	_ = json.Unmarshal(r.Actions, &actions) // the actions of a Ruleset are always lists
	tweaks := map[string]jsontext.Value{}
	for _, a := range actions {
		if a.Kind() == '"' {
			name, _ := stringOf(a)
			o.Notify = o.Notify || name == "notify"
			continue
		}
		var tweak struct {
			Name  *string        `json:"set_tweak"`
			Value jsontext.Value `json:"value"`
		}
		if json.Unmarshal(a, &tweak) != nil || tweak.Name == nil {
			continue
		}
		if tweak.Value == nil && *tweak.Name == "highlight" {
			tweak.Value = jsontext.Value("true")
		}
		if tweak.Value != nil {
			tweaks[*tweak.Name] = tweak.Value
		}
	}
	o.Tweaks, _ = json.Marshal(tweaks, json.Deterministic(true))
	if o.Notify {
		o.Highlight = string(tweaks["highlight"]) == "true"
		if sound, ok := tweaks["sound"]; ok {
			o.Sound, _ = stringOf(sound)
		}
	}
	return o
}

// Evaluate returns the outcome for an event. displayName is the user's name in
// the room; it may be empty unless WantDisplayName. Users are not notified of
// their own events.
func (r *Rules) Evaluate(ev *Event, room *RoomInfo, displayName string) Outcome {
	if ev.sender == r.user {
		return Outcome{}
	}
	return r.set.evaluate(ev, &input{
		room: room, displayName: displayName,
		mentioned: ev.mentioned(r.user), about: ev.about(r.user),
	})
}

func (c *compiled) evaluate(ev *Event, in *input) Outcome {
	for k := range kinds {
		switch k {
		case Room:
			if o := c.byRoom[ev.roomID]; o != nil {
				return *o
			}
		case Sender:
			if o := c.bySender[ev.sender]; o != nil {
				return *o
			}
		default:
			for i := range c.lists[k] {
				if c.lists[k][i].match(ev, in) {
					return c.lists[k][i].outcome
				}
			}
		}
	}
	return Outcome{}
}

func (r *compiledRule) match(ev *Event, in *input) bool {
	for _, c := range r.conditions {
		if !c.holds(ev, in) {
			return false
		}
	}
	return true
}
