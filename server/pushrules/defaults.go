// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// me is the placeholder for the user's own ID in the conditions of default
// rules.
const me = `"@"`

// A defaultRule is a predefined rule, which every user has.
type defaultRule struct {
	id         string
	disabled   bool
	conditions string
	actions    string
}

// Predefined are the rules that every user of a server has.
type Predefined struct {
	rules    [kinds][]defaultRule
	shared   func() *compiled               // all of them, for users who have changed none
	compiled func() map[string]compiledRule // each of them, disabled ones too
}

// Standard are those of the specification, and WithPolls those and the ones of
// MSC3930 by their unstable names.
//
// Spec: client-server "Predefined Rules".
var (
	Standard  = newPredefined(standard)
	WithPolls = newPredefined(withPolls())
)

func newPredefined(rules [kinds][]defaultRule) *Predefined {
	p := &Predefined{rules: rules}
	p.shared = sync.OnceValue(func() *compiled { return compile(p.Defaults("")) })
	p.compiled = sync.OnceValue(p.compileEach)
	return p
}

// standard are in the specification's order.
var standard = [kinds][]defaultRule{
	Override: {
		{id: ".m.rule.master", disabled: true, conditions: `[]`, actions: `[]`},
		{
			id:         ".m.rule.suppress_notices",
			conditions: `[{"kind":"event_match","key":"content.msgtype","pattern":"m.notice"}]`,
			actions:    `[]`,
		},
		{
			id: ".m.rule.invite_for_me",
			conditions: `[{"kind":"event_match","key":"type","pattern":"m.room.member"},` +
				`{"kind":"event_match","key":"content.membership","pattern":"invite"},` +
				`{"kind":"event_match","key":"state_key","pattern":` + me + `}]`,
			actions: `["notify",{"set_tweak":"sound","value":"default"}]`,
		},
		{
			id:         ".m.rule.member_event",
			conditions: `[{"kind":"event_match","key":"type","pattern":"m.room.member"}]`,
			actions:    `[]`,
		},
		{
			id:         ".m.rule.is_user_mention",
			conditions: `[{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":` + me + `}]`,
			actions:    `["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}]`,
		},
		{
			id: ".m.rule.is_room_mention",
			conditions: `[{"kind":"event_property_is","key":"content.m\\.mentions.room","value":true},` +
				`{"kind":"sender_notification_permission","key":"room"}]`,
			actions: `["notify",{"set_tweak":"highlight"}]`,
		},
		{
			id: ".m.rule.tombstone",
			conditions: `[{"kind":"event_match","key":"type","pattern":"m.room.tombstone"},` +
				`{"kind":"event_match","key":"state_key","pattern":""}]`,
			actions: `["notify",{"set_tweak":"highlight"}]`,
		},
		{
			id:         ".m.rule.reaction",
			conditions: `[{"kind":"event_match","key":"type","pattern":"m.reaction"}]`,
			actions:    `[]`,
		},
		{
			id: ".m.rule.room.server_acl",
			conditions: `[{"kind":"event_match","key":"type","pattern":"m.room.server_acl"},` +
				`{"kind":"event_match","key":"state_key","pattern":""}]`,
			actions: `[]`,
		},
		{
			id:         ".m.rule.suppress_edits",
			conditions: `[{"kind":"event_property_is","key":"content.m\\.relates_to.rel_type","value":"m.replace"}]`,
			actions:    `[]`,
		},
	},
	Underride: {
		{
			id:         ".m.rule.call",
			conditions: `[{"kind":"event_match","key":"type","pattern":"m.call.invite"}]`,
			actions:    `["notify",{"set_tweak":"sound","value":"ring"}]`,
		},
		{
			id: ".m.rule.encrypted_room_one_to_one",
			conditions: `[{"kind":"room_member_count","is":"2"},` +
				`{"kind":"event_match","key":"type","pattern":"m.room.encrypted"}]`,
			actions: `["notify",{"set_tweak":"sound","value":"default"}]`,
		},
		{
			id: ".m.rule.room_one_to_one",
			conditions: `[{"kind":"room_member_count","is":"2"},` +
				`{"kind":"event_match","key":"type","pattern":"m.room.message"}]`,
			actions: `["notify",{"set_tweak":"sound","value":"default"}]`,
		},
		{
			id:         ".m.rule.message",
			conditions: `[{"kind":"event_match","key":"type","pattern":"m.room.message"}]`,
			actions:    `["notify"]`,
		},
		{
			id:         ".m.rule.encrypted",
			conditions: `[{"kind":"event_match","key":"type","pattern":"m.room.encrypted"}]`,
			actions:    `["notify"]`,
		},
	},
}

// withPolls adds the rules for polls. Those for rooms of two come first.
//
// Spec: MSC3930.
func withPolls() [kinds][]defaultRule {
	event := func(name string) string {
		return `{"kind":"event_match","key":"type","pattern":"org.matrix.msc3381.poll.` + name + `"}`
	}
	const prefix, two = ".org.matrix.msc3930.rule.poll_", `{"kind":"room_member_count","is":"2"},`
	const sound = `["notify",{"set_tweak":"sound","value":"default"}]`
	rules := standard
	rules[Override] = append(slices.Clone(standard[Override]),
		defaultRule{id: prefix + "response", conditions: `[` + event("response") + `]`, actions: `[]`})
	rules[Underride] = append(slices.Clone(standard[Underride]),
		defaultRule{id: prefix + "start_one_to_one", conditions: `[` + two + event("start") + `]`, actions: sound},
		defaultRule{id: prefix + "start", conditions: `[` + event("start") + `]`, actions: `["notify"]`},
		defaultRule{id: prefix + "end_one_to_one", conditions: `[` + two + event("end") + `]`, actions: sound},
		defaultRule{id: prefix + "end", conditions: `[` + event("end") + `]`, actions: `["notify"]`},
	)
	return rules
}

const masterRule = ".m.rule.master"

func (p *Predefined) find(k Kind, ruleID string) *defaultRule {
	for i := range p.rules[k] {
		if p.rules[k][i].id == ruleID {
			return &p.rules[k][i]
		}
	}
	return nil
}

func (d *defaultRule) rule(user id.UserID) Rule {
	conditions := strings.Replace(d.conditions, me, string(appendString(nil, string(user))), 1)
	return Rule{ID: d.id, Enabled: !d.disabled, Conditions: jsontext.Value(conditions), Actions: jsontext.Value(d.actions)}
}

// unchanged reports whether the user has not changed the default rule. Its
// conditions cannot be changed.
func (d *defaultRule) unchanged(r *Rule) bool {
	return r.ID == d.id && r.Enabled != d.disabled && bytes.Equal(r.Actions, []byte(d.actions))
}

// Defaults returns the rules of a user who has not changed any.
func (p *Predefined) Defaults(user id.UserID) *Ruleset {
	s := &Ruleset{user: user, predefined: p}
	for k := range kinds {
		for i := range p.rules[k] {
			s.rules[k] = append(s.rules[k], p.rules[k][i].rule(user))
		}
	}
	return s
}
