// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"bytes"

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
	maxMembers      int
	isDefault       bool
}

type compiledRule struct {
	conditions []condition
	outcome    Outcome
}

// compileEach compiles every predefined rule, disabled ones too. The compiled
// rules of a user refer to them for those that the user has not changed.
func (p *Predefined) compileEach() map[string]compiledRule {
	all := map[string]compiledRule{}
	for k := range kinds {
		for i := range p.rules[k] {
			r := p.rules[k][i].rule("")
			conditions, _ := compileConditions(&r)
			all[r.ID] = compiledRule{conditions, outcomeOf(k, &r)}
		}
	}
	return all
}

// Compile compiles a user's rules. Users who changed nothing share one value.
func Compile(s *Ruleset) *Rules {
	if s.IsDefault() {
		return &Rules{user: s.user, set: s.predefined.shared()}
	}
	return &Rules{user: s.user, set: compile(s)}
}

// IsDefault reports whether these are the default rules, so that Shared has the
// outcome for this user.
func (r *Rules) IsDefault() bool { return r.set.isDefault }

// MaxMembers returns the largest number with which a rule compares that of the
// room's members, 0 for none. The caller need not tell larger numbers apart from
// the next one.
func (r *Rules) MaxMembers() int { return r.set.maxMembers }

// WantDisplayName reports whether a rule contains the condition
// contains_display_name. Otherwise the caller need not load the display name.
func (r *Rules) WantDisplayName() bool { return r.set.wantDisplayName }

func compile(s *Ruleset) *compiled {
	c := &compiled{byRoom: map[id.RoomID]*Outcome{}, bySender: map[id.UserID]*Outcome{}, isDefault: s.IsDefault()}
	for k := range kinds {
		for i := range s.rules[k] {
			if r := &s.rules[k][i]; r.Enabled {
				c.add(s.predefined, k, r)
			}
		}
	}
	return c
}

func (c *compiled) add(p *Predefined, k Kind, r *Rule) {
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
		if rule, ok := p.compileRule(k, r); ok {
			c.lists[k] = append(c.lists[k], rule)
			for _, condition := range rule.conditions {
				switch is := condition.(type) {
				case containsDisplayName:
					c.wantDisplayName = true
				case memberCount:
					c.maxMembers = max(c.maxMembers, is.n)
				}
			}
		}
	}
}

// compileRule compiles a rule with conditions. It returns false if one of the
// conditions can never be true.
func (p *Predefined) compileRule(k Kind, r *Rule) (compiledRule, bool) {
	if !r.Default() {
		conditions, ok := compileConditions(r)
		return compiledRule{conditions, outcomeOf(k, r)}, ok
	}
	rule := p.compiled()[r.ID]
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
		mentioned: ev.mentioned(r.user), about: ev.About(r.user),
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
