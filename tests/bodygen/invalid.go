// SPDX-License-Identifier: Apache-2.0

package bodygen

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Fault is a request body with a single error.
type Fault struct {
	Name string // the error and its position
	Body any
}

// samples has one value of each JSON type.
var samples = []struct {
	typ   string
	value any
}{
	{"string", "text"}, {"integer", 7}, {"boolean", true}, {"array", []any{}}, {"object", map[string]any{}},
}

// Missing returns one body for each required member, without that member.
func (m Maker) Missing(s *Schema) []Fault {
	var faults []Fault
	base := m.Make(s)
	m.visit(s, "", func(place string, s *Schema) {
		for _, name := range slices.Compact(slices.Sorted(slices.Values(s.Required))) {
			if body, ok := without(base, join(place, name)); ok && !s.Choice {
				faults = append(faults, Fault{"without " + join(place, name), body})
			}
		}
	})
	return faults
}

// WrongTypes returns for each position a body with a value of a wrong type
// there, and one with null where null is not allowed.
func (m Maker) WrongTypes(s *Schema) []Fault {
	var faults []Fault
	base := m.Make(s)
	m.visit(s, "", func(place string, s *Schema) {
		if len(s.Types) == 0 || s.Choice {
			return
		}
		i := slices.IndexFunc(samples, func(c struct {
			typ   string
			value any
		}) bool {
			return !s.Is(c.typ)
		})
		if i < 0 {
			return // every type is allowed
		}
		if body, ok := with(base, place, samples[i].value); ok {
			faults = append(faults, Fault{samples[i].typ + " at /" + place, body})
		}
		if body, ok := with(base, place, nil); ok && !s.Is("null") {
			faults = append(faults, Fault{"null at /" + place, body})
		}
	})
	return faults
}

// visit calls f for every schema for which Make makes a value, in order.
func (m Maker) visit(s *Schema, place string, f func(place string, s *Schema)) {
	f(place, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		m.visit(s.Properties[name], join(place, name), f)
	}
	for _, pattern := range slices.Sorted(maps.Keys(s.Keys)) {
		m.visit(s.Keys[pattern], join(place, keyFor(pattern)), f)
	}
	if s.Items != nil {
		m.visit(s.Items, join(place, "0"), f)
	}
}

// with returns a copy of v with another value at an existing position.
func with(v any, place string, value any) (any, bool) {
	if place == "" {
		return value, true
	}
	return edit(v, place, func(parent map[string]any, name string) { parent[name] = value })
}

// without returns a copy of v without the member at an existing position.
func without(v any, place string) (any, bool) {
	return edit(v, place, func(parent map[string]any, name string) { delete(parent, name) })
}

func edit(v any, place string, do func(parent map[string]any, name string)) (any, bool) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, false
	}
	var out any
	if json.Unmarshal(text, &out) != nil {
		return nil, false
	}
	steps := strings.Split(place, "/")
	at := out
	for i, step := range steps {
		switch node := at.(type) {
		case map[string]any:
			if _, ok := node[step]; !ok {
				return nil, false
			}
			if i == len(steps)-1 {
				do(node, step)
				return out, true
			}
			at = node[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(node) {
				return nil, false
			}
			if i == len(steps)-1 {
				wrap := map[string]any{}
				do(wrap, step)
				node[n] = wrap[step]
				return out, true
			}
			at = node[n]
		default:
			return nil, false
		}
	}
	return nil, false
}
