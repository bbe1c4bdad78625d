// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"bytes"
	"strings"

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

// defaults are the predefined rules, in the specification's order.
//
// Spec: client-server "Predefined Rules".
var defaults = [kinds][]defaultRule{
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

const masterRule = ".m.rule.master"

func findDefault(k Kind, ruleID string) *defaultRule {
	for i := range defaults[k] {
		if defaults[k][i].id == ruleID {
			return &defaults[k][i]
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
func Defaults(user id.UserID) *Ruleset {
	s := &Ruleset{user: user}
	for k := range kinds {
		for i := range defaults[k] {
			s.rules[k] = append(s.rules[k], defaults[k][i].rule(user))
		}
	}
	return s
}
