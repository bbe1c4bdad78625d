// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
)

// This file collects the violations found in a request, by whatever part finds them,
// and reports them: in the answer's header and body, in the log, and to the store.

// HeaderViolations counts in an answer what was found in its request.
const HeaderViolations = "Touchstone-Violations"

// MemberViolations lists the violations in an error object.
const MemberViolations = "org.touchstone.violations"

// found takes what a request violates, once for each rule and place. A rule
// that is off is nobody's business.
func (x *Exchange) found(v Violation) Setting {
	settle := x.router.cfg.Checks.Settle
	if settle == nil {
		return SettingOff
	}
	if v.Operation == "" && x.Op != nil {
		v.Operation = x.Op.Name()
	}
	v.Direction = cmp.Or(v.Direction, DirectionRequest)
	settle(x.Op, &v)
	switch {
	case v.Setting == SettingOff || len(x.violations) == maxViolations:
	case slices.ContainsFunc(x.violations, func(o Violation) bool { return o.Rule == v.Rule && o.Where == v.Where }):
	default:
		x.violations = append(x.violations, v)
	}
	return v.Setting
}

// refusal says which rules an error refuses a request by. There always is one:
// where nobody has named it, that is the error's code.
func (x *Exchange) refusal(e *Error) *Error {
	checks := &x.router.cfg.Checks
	if checks.Settle == nil || e.ErrCode == "" {
		return e
	}
	for _, v := range e.violations() {
		v.ErrCode = cmp.Or(v.ErrCode, e.ErrCode)
		x.found(v)
	}
	slices.SortStableFunc(x.violations, func(a, b Violation) int { return cmp.Compare(b.Setting.weight(), a.Setting.weight()) })
	if !checks.Tell || len(x.violations) == 0 {
		return e
	}
	x.fill()
	out := *e
	out.Extra = maps.Clone(e.Extra)
	if out.Extra == nil {
		out.Extra = map[string]any{}
	}
	out.Extra[MemberViolations] = x.violations
	return &out
}

// violations are those of an error, or the one that its cause or its code names.
func (e *Error) violations() []Violation {
	if len(e.Violations) > 0 {
		return e.Violations
	}
	v := Violation{Rule: e.ErrCode, Where: InRequest()}
	var rule interface{ RuleID() string }
	if errors.As(e.Err, &rule) {
		v.Rule = rule.RuleID()
	}
	var section interface{ Section() string }
	if errors.As(e.Err, &section) {
		v.Section = section.Section()
	}
	return []Violation{v}
}

// By names the rule that a refusal follows, and the place in the request.
func (e *Error) By(rule string, where Where) *Error {
	e.Violations = append(e.Violations, Violation{Rule: rule, Where: where, ErrCode: e.ErrCode})
	return e
}

// fill says of each violation who sent the request, and when.
func (x *Exchange) fill() {
	for i := range x.violations {
		v := &x.violations[i]
		v.Who, v.Request = x.sender, x.rec.id
		if now := x.router.cfg.Clock; now != nil && v.Time == 0 {
			v.Time = now().UnixMilli()
		}
	}
}

// announce tells what has been found so far: before the answer begins its number
// goes into the header, and always each goes into the log and the store.
func (x *Exchange) announce() {
	if len(x.violations) == x.announced {
		return
	}
	x.fill()
	departures := 0
	for i := range x.violations {
		v := &x.violations[i]
		if v.Setting == SettingNote {
			continue
		}
		departures++
		if i < x.announced {
			continue
		}
		x.router.cfg.Log.LogAttrs(x.R.Context(), slog.LevelInfo, "violation", x.rec.name(), slog.String("operation", v.Operation),
			slog.String("rule", v.Rule), slog.String("setting", v.Setting.String()), slog.String("where", v.Where.String()),
			slog.String("expected", v.Expected), slog.String("found", v.Found), slog.String("section", v.Section))
		if store := x.router.cfg.Checks.Store; store != nil {
			store(*v)
		}
	}
	if x.rec.status == 0 && departures > 0 {
		x.W.Header()[HeaderViolations] = []string{strconv.Itoa(departures)}
	}
	if departures > 0 && x.announced == 0 {
		x.rec.note(slog.Int("violations", departures))
	}
	x.announced = len(x.violations)
}

// called reports what the judge sees in a request beside its body.
func (x *Exchange) called() error {
	if x.router.cfg.Checks.Call == nil {
		return nil
	}
	for _, v := range x.router.cfg.Checks.Call(x) {
		if err := x.report(v); err != nil {
			return err
		}
	}
	return nil
}

// Sender is who sent the request, once that is known.
func (x *Exchange) Sender() Sender { return x.sender }

type exchangeKey struct{}

// reporting makes a context by which the handler of the request can report.
func (x *Exchange) reporting(ctx context.Context) context.Context {
	if x.router.cfg.Checks.Settle == nil {
		return ctx
	}
	return context.WithValue(ctx, exchangeKey{}, x)
}

// Report notes that the request of a context violates a rule. Where the rule is
// enforced, that is the error, with the code of the violation. Only the goroutine
// that serves the request may call it, before it answers.
func Report(ctx context.Context, v Violation) error {
	x, ok := ctx.Value(exchangeKey{}).(*Exchange)
	if !ok {
		return nil
	}
	return x.report(v)
}

func (x *Exchange) report(v Violation) error {
	if x.found(v) != SettingEnforce {
		return nil
	}
	e := Errorf(400, cmp.Or(v.ErrCode, "M_INVALID_PARAM"), "%s: %s", v.Where, v.Says())
	e.Violations = []Violation{v}
	return e
}
