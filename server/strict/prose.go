// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"touchstone.example/api"
	"touchstone.example/spec"
)

// A proseRule is a row of spec/rules: what the specification asks for in prose
// and no schema says.
type proseRule struct {
	ID      string   `json:"id"`
	Class   string   `json:"class"`
	Says    string   `json:"says"`
	Section string   `json:"section"`
	Applies []string `json:"applies"`
	Within  string   `json:"within"`
	At      string   `json:"at"`
	If      string   `json:"if"`
	Needs   string   `json:"needs"`
	Limit   int      `json:"limit"`
	Pattern string   `json:"pattern"`

	pattern *regexp.Regexp
}

// proseRules reads the table. A fault in it is one of our own data.
var proseRules = sync.OnceValue(func() []*proseRule {
	text, err := fs.ReadFile(spec.Files, "rules/rules.json")
	if err != nil {
		panic(err) // it is embedded
	}
	var rows []*proseRule
	if err := json.Unmarshal(text, &rows); err != nil {
		panic("spec/rules/rules.json: " + err.Error())
	}
	for _, r := range rows {
		if r.Pattern != "" {
			r.pattern = regexp.MustCompile(r.Pattern)
		}
	}
	return rows
})

// The classes of rules.
const (
	classRequiredIf    = "required-if"
	classMaxBytes      = "max-bytes"
	classMaxCharacters = "max-characters"
	classPattern       = "pattern"
	classMilliseconds  = "milliseconds"
	classBehaviour     = "behaviour"
)

// prose holds the rows whose rules are on, by the operation or event they apply to.
type prose map[string][]*proseRule

func newProse(settings Settings) prose {
	out := prose{}
	for _, r := range proseRules() {
		if settings[r.ID] == Off {
			continue
		}
		for _, to := range r.Applies {
			out[to] = append(out[to], r)
		}
	}
	return out
}

// body returns what a body, or an event in it at a pointer, breaks of the rows for
// an operation or event.
func (p prose) body(to, operation string, value any, at string, base Violation) (out []Violation) {
	for _, r := range p[to] {
		if r.Class == classBehaviour || r.Within != "" && r.Within != operation || r.At != "" && r.At[0] != '/' {
			continue
		}
		each(value, r.At, "", func(v any, pointer string) {
			if one, ok := r.breaks(v); ok {
				one.Rule, one.Section, one.Where = r.ID, site+r.Section, api.InBody(at+pointer+one.Where.Pointer)
				one.Direction, one.Operation, one.Event = base.Direction, base.Operation, base.Event
				out = append(out, one)
			}
		})
	}
	return out
}

// parameters returns what the parameters of a request break.
func (p prose) parameters(x *api.Exchange) (out []Violation) {
	for _, r := range p[x.Op.Name()] {
		in, name, ok := strings.Cut(r.At, ":")
		if !ok {
			continue
		}
		where, text := api.InPath(name), x.Params.Named(name)
		if in == "query" {
			where, text = api.InQuery(name), x.R.URL.Query().Get(name)
		}
		var value any = text
		if n, err := strconv.ParseFloat(text, 64); err == nil && r.Class == classMilliseconds {
			value = n
		}
		if v, ok := r.breaks(value); ok {
			v.Rule, v.Section, v.Where, v.Found = r.ID, site+r.Section, where, api.Shape(value)
			out = append(out, v)
		}
	}
	return out
}

// breaks says what is wrong with a value; Where is a pointer below it.
func (r *proseRule) breaks(value any) (v Violation, broken bool) {
	text, isText := value.(string)
	switch r.Class {
	case classRequiredIf:
		object, ok := value.(map[string]any)
		if !ok || !holds(object, r.If) {
			return v, false
		}
		for _, need := range strings.Split(r.Needs, "|") {
			if has(object, need) {
				return v, false
			}
		}
		first, _, more := strings.Cut(r.Needs, "|")
		v.Where, v.Expected = api.InBody("/"+first), r.Says
		if more {
			v.Hint = "one of " + strings.ReplaceAll(r.Needs, "|", ", ")
		}
		return v, true
	case classMaxBytes:
		v.Expected = fmt.Sprintf("at most %d bytes", r.Limit)
		return v, isText && len(text) > r.Limit
	case classMaxCharacters:
		v.Expected = fmt.Sprintf("at most %d characters", r.Limit)
		return v, isText && utf8.RuneCountInString(text) > r.Limit
	case classPattern:
		v.Expected = r.Says
		return v, isText && !r.pattern.MatchString(text)
	case classMilliseconds:
		v.Expected, v.Hint = "milliseconds since 1970", "this looks like seconds: times have three digits more"
		return v, seconds(value)
	}
	return v, false
}

// seconds reports whether a number is a time of the years 2001 to 2286, if in
// seconds, and in milliseconds one of the spring of 1970.
func seconds(v any) bool {
	f, ok := v.(float64)
	if n, isNumber := v.(json.Number); isNumber {
		var err error
		f, err = n.Float64()
		ok = err == nil
	}
	return ok && f >= 1e9 && f < 1e10
}

// holds reports whether the condition of a row is true of an object.
func holds(object map[string]any, condition string) bool {
	if condition == "" {
		return true
	}
	if name, value, ok := strings.Cut(condition, "!="); ok {
		return object[name] != any(value)
	}
	if name, value, ok := strings.Cut(condition, "="); ok {
		return object[name] == any(value)
	}
	return object[condition] != nil
}

// has reports whether an object has a member, or one deeper in it.
func has(object map[string]any, path string) bool {
	name, rest, deeper := strings.Cut(path, "/")
	v, ok := object[name]
	if !ok || !deeper {
		return ok
	}
	in, ok := v.(map[string]any)
	return !ok || has(in, rest) // what is no object is the schema's business
}

// each calls f for the values at a pointer in which * stands for every element.
func each(v any, pointer, at string, f func(v any, at string)) {
	if pointer == "" {
		f(v, at)
		return
	}
	name, rest, more := strings.Cut(pointer[1:], "/")
	if more {
		rest = "/" + rest
	}
	switch in := v.(type) {
	case map[string]any:
		if e, ok := in[name]; ok {
			each(e, rest, at+"/"+escape(name), f)
		}
	case []any:
		if name == "*" {
			for i, e := range in {
				each(e, rest, at+"/"+strconv.Itoa(i), f)
			}
		}
	}
}
