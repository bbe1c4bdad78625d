// SPDX-License-Identifier: Apache-2.0

// Package bodygen makes request bodies from the schemas of the specification:
// valid bodies, and bodies with a single error. It reads spec/ itself, so that
// it does not share bugs with the generator.
package bodygen

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Schema is a JSON Schema with resolved references and merged allOf. Of
// alternatives, it is the first.
type Schema struct {
	Types      []string // empty: any
	Format     string
	Enum       []string
	Properties map[string]*Schema
	Required   []string
	Keys       map[string]*Schema // patternProperties; additionalProperties is the key ""
	Items      *Schema
	MinMembers int
	Choice     bool // there are alternatives, so that an error here may be valid for another one
}

// Is reports whether a type is allowed.
func (s *Schema) Is(typ string) bool {
	return len(s.Types) == 0 || slices.Contains(s.Types, typ) || (typ == "integer" && slices.Contains(s.Types, "number"))
}

type reader struct{ components map[string]any }

func (r reader) schema(node any) (*Schema, error) {
	m, ok := node.(map[string]any)
	if !ok {
		return &Schema{}, nil // the schema true: any value
	}
	s := &Schema{Properties: map[string]*Schema{}, Keys: map[string]*Schema{}}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if err := r.keyword(s, key, m[key]); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return s, nil
}

func (r reader) keyword(s *Schema, key string, v any) (err error) {
	switch key {
	case "$ref":
		name, ok := strings.CutPrefix(v.(string), "#/components/schemas/")
		target, found := r.components[name]
		if !ok || !found {
			return fmt.Errorf("no schema %v", v)
		}
		return r.merge(s, target)
	case "allOf":
		for _, part := range v.([]any) {
			if err := r.merge(s, part); err != nil {
				return err
			}
		}
	case "oneOf", "anyOf":
		s.Choice = true
		return r.merge(s, v.([]any)[0])
	case "type":
		s.Types = stringList(v)
	case "format":
		s.Format = v.(string)
	case "enum":
		s.Enum = stringList(v)
	case "required":
		s.Required = append(s.Required, stringList(v)...)
	case "properties":
		return r.children(s.Properties, v)
	case "patternProperties":
		return r.children(s.Keys, v)
	case "additionalProperties":
		s.Keys[""], err = r.schema(v)
	case "items":
		s.Items, err = r.schema(v)
	case "minProperties":
		s.MinMembers = int(v.(float64))
	}
	return err
}

func (r reader) children(into map[string]*Schema, v any) error {
	for name, child := range v.(map[string]any) {
		c, err := r.schema(child)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		into[name] = c
	}
	return nil
}

// merge adds the constraints of another node to s.
func (r reader) merge(s *Schema, node any) error {
	o, err := r.schema(node)
	if err != nil {
		return err
	}
	if len(o.Types) > 0 {
		s.Types = o.Types
	}
	if o.Format != "" {
		s.Format = o.Format
	}
	if len(o.Enum) > 0 {
		s.Enum = o.Enum
	}
	if o.Items != nil {
		s.Items = o.Items
	}
	maps.Copy(s.Properties, o.Properties)
	maps.Copy(s.Keys, o.Keys)
	s.Required = append(s.Required, o.Required...)
	s.MinMembers = max(s.MinMembers, o.MinMembers)
	s.Choice = s.Choice || o.Choice
	return nil
}

func stringList(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var out []string
	for _, e := range v.([]any) {
		out = append(out, fmt.Sprint(e))
	}
	return out
}
