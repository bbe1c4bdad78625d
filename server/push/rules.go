// SPDX-License-Identifier: Apache-2.0

// Package push is how people hear of what they have not read: their push rules,
// and later the gateways that are told. The rules themselves are decided by
// package pushrules.
package push

import (
	"context"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/pushrules"
)

var _ clientapi.Pushrules = (*Push)(nil)

// Push serves push rules. Every user has the default ones.
type Push struct{}

// content is what m.push_rules of a user's account data holds.
func content(user id.UserID) []byte {
	return append(pushrules.Defaults(user).AppendJSON([]byte(`{"global":`)), '}')
}

// GetPushRules returns all the caller's rules.
//
// Spec: client-server getPushRules.
func (p *Push) GetPushRules(_ context.Context, who api.Caller, _ *clientapi.GetPushRulesRequest) (*clientapi.GetPushRulesResponse, error) {
	set, err := ruleset(who)
	if err != nil {
		return nil, err
	}
	return &clientapi.GetPushRulesResponse{Global: *set}, nil
}

// GetPushRulesGlobal returns all the caller's rules.
//
// Spec: client-server getPushRulesGlobal.
func (p *Push) GetPushRulesGlobal(_ context.Context, who api.Caller, _ *clientapi.GetPushRulesGlobalRequest) (*clientapi.GetPushRulesGlobalResponse, error) {
	return ruleset(who)
}

func ruleset(who api.Caller) (*clientapi.PushRuleset, error) {
	set := &clientapi.PushRuleset{}
	return set, json.Unmarshal(pushrules.Defaults(who.User).AppendJSON(nil), set)
}

// rule finds one of the caller's rules.
func rule(who api.Caller, kind clientapi.PushRuleKind, ruleID string) (*clientapi.PushRule, error) {
	unknown := api.NotFound("You have no %s rule %q", kind, ruleID)
	k, ok := pushrules.ParseKind(string(kind))
	if !ok {
		return nil, unknown
	}
	r, ok := pushrules.Defaults(who.User).Rule(k, ruleID)
	if !ok {
		return nil, unknown
	}
	out := &clientapi.PushRule{}
	return out, json.Unmarshal(r.AppendJSON(nil, k), out)
}

// GetPushRule returns one of the caller's rules.
//
// Spec: client-server getPushRule.
func (p *Push) GetPushRule(_ context.Context, who api.Caller, req *clientapi.GetPushRuleRequest) (*clientapi.GetPushRuleResponse, error) {
	return rule(who, req.Kind, req.RuleID)
}

// GetPushRuleActions returns what one of the caller's rules does.
//
// Spec: client-server getPushRuleActions.
func (p *Push) GetPushRuleActions(_ context.Context, who api.Caller, req *clientapi.GetPushRuleActionsRequest) (*clientapi.GetPushRuleActionsResponse, error) {
	r, err := rule(who, req.Kind, req.RuleID)
	if err != nil {
		return nil, err
	}
	return &clientapi.GetPushRuleActionsResponse{Actions: r.Actions}, nil
}

// IsPushRuleEnabled tells whether one of the caller's rules is on.
//
// Spec: client-server isPushRuleEnabled.
func (p *Push) IsPushRuleEnabled(_ context.Context, who api.Caller, req *clientapi.IsPushRuleEnabledRequest) (*clientapi.IsPushRuleEnabledResponse, error) {
	r, err := rule(who, req.Kind, req.RuleID)
	if err != nil {
		return nil, err
	}
	return &clientapi.IsPushRuleEnabledResponse{Enabled: r.Enabled}, nil
}

// DeletePushRule is not served yet.
func (p *Push) DeletePushRule(context.Context, api.Caller, *clientapi.DeletePushRuleRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// SetPushRule is not served yet.
func (p *Push) SetPushRule(context.Context, api.Caller, *clientapi.SetPushRuleRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// SetPushRuleActions is not served yet.
func (p *Push) SetPushRuleActions(context.Context, api.Caller, *clientapi.SetPushRuleActionsRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// SetPushRuleEnabled is not served yet.
func (p *Push) SetPushRuleEnabled(context.Context, api.Caller, *clientapi.SetPushRuleEnabledRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// Content is what m.push_rules of a user's account data holds: all rules.
//
// Spec: client-server "m.push_rules".
func (p *Push) Content(_ context.Context, user id.UserID) ([]byte, error) { return content(user), nil }
