// SPDX-License-Identifier: Apache-2.0

package strict

import "touchstone.example/api"

// Answer judges an answer of this server. A violation of an enforced rule is
// an error that names it.
func (j *Judge) Answer(op *api.Operation, status int, body []byte) error {
	d, o, err := j.lib.operation(op)
	if err != nil {
		return err
	}
	base := Violation{Direction: Answer, Operation: op.Name(), Status: status, Section: o.link}
	s, declared := o.declares(status)
	if !declared && !d.common.statuses[status] {
		v := base
		v.Rule, v.Expected = "answer-status", "a status that the operation declares or that is common"
		if err := j.Note(v); err != nil {
			return err
		}
	}
	value, err := decode(body)
	if err != nil {
		if status < 400 && s == nil {
			return nil
		}
		v := base
		v.Rule, v.Expected = "answer-json", "a JSON value"
		return j.Note(v)
	}
	if status >= 400 {
		return j.failure(d, o, s, value, base)
	}
	if s == nil {
		return nil
	}
	vs, err := j.judge(s, value, base, "answer-")
	if err != nil {
		return err
	}
	return j.notes(vs)
}

// failure judges an error answer. One with an errcode is a standard error,
// whatever else it holds. One without is only right where the operation
// declares such a thing: the first answer of user-interactive authentication.
func (j *Judge) failure(d *document, o *operation, s *schema, value any, base Violation) error {
	object, _ := value.(map[string]any)
	code, has := object["errcode"]
	if !has && s != nil {
		found, err := s.violations(value, base, "answer-")
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return nil
		}
	}
	if err := j.standardError(object, base); err != nil {
		return err
	}
	name, _ := code.(string)
	if !has || name == "" {
		return nil
	}
	if !d.common.codes[name] && !o.codes[name] && matrixCode(name) {
		v := base
		v.Rule, v.Where, v.Expected = "answer-errcode", api.InBody("/errcode"), "not "+name+", but a code that is common or that the operation names"
		return j.Note(v)
	}
	if s == nil || d.common.codes[name] && object["flows"] == nil {
		// What the operation declares for the status may be another error.
		return nil
	}
	vs, err := s.violations(value, base, "answer-")
	if err != nil {
		return err
	}
	return j.notes(vs)
}

// standardError checks the two members that every error has.
func (j *Judge) standardError(object map[string]any, base Violation) error {
	var first error
	for _, name := range []string{"errcode", "error"} {
		if _, ok := object[name].(string); ok {
			continue
		}
		v := base
		v.Rule, v.Where, v.Expected = "answer-error-shape", api.InBody("/"+name), "a string"
		if err := j.Note(v); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// matrixCode reports whether a code lies in the specification's namespace.
// Other namespaces are open to all.
func matrixCode(code string) bool { return len(code) > 2 && code[:2] == "M_" }
