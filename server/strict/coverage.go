// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// Coverage counts the members of judged bodies: those that a schema describes,
// those that passed through an object without a description, and those that an
// object with a description does not list.
type Coverage struct {
	Typed   int         `json:"typed"`
	Bare    int         `json:"bare"`
	Unknown int         `json:"unknown"`
	Where   []BareCount `json:"where"` // the undescribed objects, most members first
}

// A BareCount is an undescribed object and how many members passed there.
type BareCount struct {
	Direction Direction `json:"direction"`
	Operation string    `json:"operation"`
	Schema    string    `json:"schema"`
	Members   int       `json:"members"`
}

// coverage gathers measurements.
type coverage struct {
	mu                   sync.Mutex
	typed, bare, unknown int
	where                map[BareCount]int
}

func (c *coverage) add(base Violation, m measurement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.typed += m.typed
	c.unknown += len(m.unknown)
	if c.where == nil {
		c.where = map[BareCount]int{}
	}
	for at, n := range m.bare {
		c.bare += n
		c.where[BareCount{base.Direction, base.Operation, at, 0}] += n
	}
}

// Coverage returns what has been measured so far.
func (j *Judge) Coverage() Coverage {
	c := &j.coverage
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Coverage{Typed: c.typed, Bare: c.bare, Unknown: c.unknown}
	for b, n := range c.where {
		b.Members = n
		out.Where = append(out.Where, b)
	}
	slices.SortFunc(out.Where, func(a, b BareCount) int {
		return cmp.Or(cmp.Compare(b.Members, a.Members), cmp.Compare(a.Operation, b.Operation),
			cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Schema, b.Schema))
	})
	return out
}

// A measurement is what one body holds.
type measurement struct {
	typed   int
	bare    map[string]int // members by the schema of the object around them
	unknown []unknownMember
	// deprecated are members whose schema says so; the name is in the pointer.
	deprecated []unknownMember
}

type unknownMember struct{ pointer, name, schema string }

// measure walks a value along its schema.
func measure(s *jsonschema.Schema, v any) measurement {
	m := measurement{bare: map[string]int{}}
	m.walk([]*jsonschema.Schema{s}, v, "")
	return m
}

// walk measures a value to which all the schemas apply.
func (m *measurement) walk(schemas []*jsonschema.Schema, v any, at string) {
	var all []*jsonschema.Schema
	for _, s := range schemas {
		all = expand(all, s, v)
	}
	switch v := v.(type) {
	case map[string]any:
		m.object(all, v, at)
	case []any:
		var items []*jsonschema.Schema
		for _, s := range all {
			if s.Items2020 != nil {
				items = append(items, s.Items2020)
			}
		}
		for i, e := range v {
			if items == nil {
				m.bare[place(all)] += members(e)
				continue
			}
			m.walk(items, e, fmt.Sprintf("%s/%d", at, i))
		}
	}
}

func (m *measurement) object(all []*jsonschema.Schema, v map[string]any, at string) {
	described, open := false, false
	for _, s := range all {
		described = described || describes(s)
		e, _ := s.Extensions[extensionName].(extended)
		open = open || e.open || s.AdditionalProperties == true
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		sub := memberSchemas(all, name)
		switch {
		case len(sub) > 0:
			m.typed++
			if slices.ContainsFunc(sub, deprecated) {
				m.deprecated = append(m.deprecated, unknownMember{pointer: at + "/" + escape(name), schema: place(all)})
			}
			m.walk(sub, v[name], at+"/"+escape(name))
		case open || !described:
			m.bare[place(all)] += 1 + members(v[name])
		default:
			m.unknown = append(m.unknown, unknownMember{at, name, place(all)})
		}
	}
}

// expand adds the schemas that apply to a value because s does.
func expand(out []*jsonschema.Schema, s *jsonschema.Schema, v any) []*jsonschema.Schema {
	if slices.Contains(out, s) {
		return out
	}
	out = append(out, s)
	if s.Ref != nil {
		out = expand(out, s.Ref, v)
	}
	for _, sub := range s.AllOf {
		out = expand(out, sub, v)
	}
	for _, sub := range slices.Concat(s.AnyOf, s.OneOf) {
		if sub.Validate(v) == nil {
			out = expand(out, sub, v)
		}
	}
	return out
}

// describes reports whether a schema lists members at all.
func describes(s *jsonschema.Schema) bool {
	_, more := s.AdditionalProperties.(*jsonschema.Schema)
	return s.Properties != nil || s.PatternProperties != nil || more || s.AdditionalProperties == false
}

// memberSchemas returns what the schemas say of a member.
func memberSchemas(all []*jsonschema.Schema, name string) []*jsonschema.Schema {
	var out []*jsonschema.Schema
	for _, s := range all {
		before := len(out)
		if p := s.Properties[name]; p != nil {
			out = append(out, p)
		}
		for re, p := range s.PatternProperties {
			if re.MatchString(name) {
				out = append(out, p)
			}
		}
		if more, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && len(out) == before {
			out = append(out, more)
		}
	}
	return out
}

func deprecated(s *jsonschema.Schema) bool {
	e, _ := s.Extensions[extensionName].(extended)
	return e.deprecated
}

// members counts the members in a value, at all depths.
func members(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += 1 + members(e)
		}
	case []any:
		for _, e := range v {
			n += members(e)
		}
	}
	return n
}

// place names an object by the first schema that describes it, or else by the
// first that applies.
func place(all []*jsonschema.Schema) string {
	at := all[0]
	for _, s := range all {
		if describes(s) {
			at = s
			break
		}
	}
	return trimURL(at.Location)
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// escape makes a name a part of a JSON pointer.
func escape(name string) string { return escaper.Replace(name) }
