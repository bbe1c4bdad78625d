// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"cmp"
	"strings"

	"touchstone.example/api"
)

// settle says what becomes of a violation that was found outside of the judge: by
// a decoder, by a rule of behaviour, or as the code of a refusal.
func (j *Judge) settle(op *api.Operation, v *Violation) {
	if v.Rule == api.RuleQueryMissing {
		v.Rule = api.RuleParameterRequired
		if op != nil && op.ID == "getRoomEvents" {
			v.Rule = MessagesWithoutDir // dir is its only required parameter
		}
	}
	of := section(op)
	if r, ok := j.rules[v.Rule]; ok {
		if v.Setting == Off {
			v.Setting = j.cfg.Settings[v.Rule]
		}
		if v.Rule != api.RuleBodyMissing && !strings.HasPrefix(v.Rule, "request-") {
			of = ""
		}
		v.Section = cmp.Or(v.Section, of, r.Link())
		v.Expected = cmp.Or(v.Expected, r.Says)
		return
	}
	if r, ok := j.decoding[v.Rule]; ok {
		v.Setting = Enforce
		v.Section = cmp.Or(v.Section, r.Link())
		v.Expected = cmp.Or(v.Expected, r.Says)
		return
	}
	code, ok := j.codes[v.Rule]
	v.Setting = api.SettingNote
	if ok && code.Strict == Enforce {
		v.Setting = Enforce
	}
	says := "what the operation's description allows"
	switch {
	case strings.HasPrefix(v.Rule, "auth/"):
		says = "an event that the room's authorization rules allow"
	case ok:
		says = code.Says
	}
	v.Section = cmp.Or(v.Section, of, site+errorCodes)
	if strings.HasPrefix(v.Section, "/") {
		v.Section = site + v.Section[1:]
	}
	v.Expected = cmp.Or(v.Expected, says)
}

// section is the address of an operation's section, or nothing where it has none.
func section(op *api.Operation) string {
	if op == nil || files[op.API].page == "" {
		return ""
	}
	return site + files[op.API].page + "/#" + anchor(strings.ToLower(op.Method), op.Path)
}

// store keeps a violation of a request, and counts it.
func (j *Judge) keep(v Violation) {
	j.log.Add(v)
	j.store.Add(v)
}
