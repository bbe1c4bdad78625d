// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/pushrules"
)

var _ clientapi.Pushrules = (*Push)(nil)

// GetPushRules returns all the caller's rules.
//
// Spec: client-server getPushRules.
func (p *Push) GetPushRules(ctx context.Context, who api.Caller, _ *clientapi.GetPushRulesRequest) (*clientapi.GetPushRulesResponse, error) {
	set, err := p.global(ctx, who)
	if err != nil {
		return nil, err
	}
	return &clientapi.GetPushRulesResponse{Global: *set}, nil
}

// GetPushRulesGlobal returns all the caller's rules.
//
// Spec: client-server getPushRulesGlobal.
func (p *Push) GetPushRulesGlobal(ctx context.Context, who api.Caller, _ *clientapi.GetPushRulesGlobalRequest) (*clientapi.GetPushRulesGlobalResponse, error) {
	return p.global(ctx, who)
}

func (p *Push) global(ctx context.Context, who api.Caller) (*clientapi.PushRuleset, error) {
	set, err := p.ruleset(ctx, who.User)
	if err != nil {
		return nil, err
	}
	out := &clientapi.PushRuleset{}
	return out, json.Unmarshal(set.AppendJSON(nil), out)
}

// kindOf is the kind of rules that a path names. Others were refused with it.
func kindOf(name clientapi.PushRuleKind) (pushrules.Kind, error) {
	k, ok := pushrules.ParseKind(string(name))
	if !ok {
		return k, api.NotFound("There is no kind %q of push rules", name)
	}
	return k, nil
}

// rule finds one of the caller's rules.
func (p *Push) rule(ctx context.Context, who api.Caller, kind clientapi.PushRuleKind, ruleID string) (*clientapi.PushRule, error) {
	k, err := kindOf(kind)
	if err != nil {
		return nil, err
	}
	set, err := p.ruleset(ctx, who.User)
	if err != nil {
		return nil, err
	}
	r, ok := set.Rule(k, ruleID)
	if !ok {
		return nil, api.NotFound("You have no %s rule %q", kind, ruleID)
	}
	out := &clientapi.PushRule{}
	return out, json.Unmarshal(r.AppendJSON(nil, k), out)
}

// GetPushRule returns one of the caller's rules.
//
// Spec: client-server getPushRule.
func (p *Push) GetPushRule(ctx context.Context, who api.Caller, req *clientapi.GetPushRuleRequest) (*clientapi.GetPushRuleResponse, error) {
	return p.rule(ctx, who, req.Kind, req.RuleID)
}

// GetPushRuleActions returns what one of the caller's rules does.
//
// Spec: client-server getPushRuleActions.
func (p *Push) GetPushRuleActions(ctx context.Context, who api.Caller, req *clientapi.GetPushRuleActionsRequest) (*clientapi.GetPushRuleActionsResponse, error) {
	r, err := p.rule(ctx, who, req.Kind, req.RuleID)
	if err != nil {
		return nil, err
	}
	return &clientapi.GetPushRuleActionsResponse{Actions: r.Actions}, nil
}

// IsPushRuleEnabled tells whether one of the caller's rules is on.
//
// Spec: client-server isPushRuleEnabled.
func (p *Push) IsPushRuleEnabled(ctx context.Context, who api.Caller, req *clientapi.IsPushRuleEnabledRequest) (*clientapi.IsPushRuleEnabledResponse, error) {
	r, err := p.rule(ctx, who, req.Kind, req.RuleID)
	if err != nil {
		return nil, err
	}
	return &clientapi.IsPushRuleEnabledResponse{Enabled: r.Enabled}, nil
}

// SetPushRule adds a rule or changes one that the caller has added.
//
// Spec: client-server setPushRule.
func (p *Push) SetPushRule(ctx context.Context, who api.Caller, req *clientapi.SetPushRuleRequest) (*api.Empty, error) {
	k, err := kindOf(req.Kind)
	if err != nil {
		return nil, err
	}
	return p.changed(ctx, who, func(set *pushrules.Ruleset) error {
		return set.Put(k, req.RuleID, jsontext.Value(req.Body.AppendJSON(nil)), req.Before.Value, req.After.Value)
	})
}

// DeletePushRule deletes a rule that the caller has added.
//
// Spec: client-server deletePushRule.
func (p *Push) DeletePushRule(ctx context.Context, who api.Caller, req *clientapi.DeletePushRuleRequest) (*api.Empty, error) {
	k, err := kindOf(req.Kind)
	if err != nil {
		return nil, err
	}
	return p.changed(ctx, who, func(set *pushrules.Ruleset) error { return set.Delete(k, req.RuleID) })
}

// SetPushRuleActions changes what a rule does, also a predefined one.
//
// Spec: client-server setPushRuleActions.
func (p *Push) SetPushRuleActions(ctx context.Context, who api.Caller, req *clientapi.SetPushRuleActionsRequest) (*api.Empty, error) {
	k, err := kindOf(req.Kind)
	if err != nil {
		return nil, err
	}
	actions, err := json.Marshal(req.Body.Actions)
	if err != nil {
		return nil, err
	}
	return p.changed(ctx, who, func(set *pushrules.Ruleset) error { return set.SetActions(k, req.RuleID, actions) })
}

// SetPushRuleEnabled turns a rule on or off, also a predefined one.
//
// Spec: client-server setPushRuleEnabled.
func (p *Push) SetPushRuleEnabled(ctx context.Context, who api.Caller, req *clientapi.SetPushRuleEnabledRequest) (*api.Empty, error) {
	k, err := kindOf(req.Kind)
	if err != nil {
		return nil, err
	}
	return p.changed(ctx, who, func(set *pushrules.Ruleset) error { return set.SetEnabled(k, req.RuleID, req.Body.Enabled) })
}

func (p *Push) changed(ctx context.Context, who api.Caller, edit func(set *pushrules.Ruleset) error) (*api.Empty, error) {
	if err := p.change(ctx, who, edit); err != nil {
		return nil, err
	}
	return &api.Empty{}, nil
}
