// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"strings"
)

// component returns the name and schema of a component if s is only a reference
// to it. Marks beside the reference are ignored, and so is what the component
// says too (type: object).
func (p *pkg) component(s *schema) (string, *schema) {
	if s.Ref == "" && !s.describes() {
		parts := slices.DeleteFunc(slices.Clone(s.AllOf), (*schema).free)
		if len(parts) == 1 {
			return p.component(parts[0])
		}
	}
	if s.Ref == "" || s.describes() {
		return "", nil
	}
	name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	c := p.doc.Components.Schemas[name]
	if c == nil {
		p.fail("dangling reference %s", s.Ref)
		return "", nil
	}
	// A component may be an alias of another component.
	if again, inner := p.component(c); inner != nil {
		return again, inner
	}
	return name, c
}

// describes reports whether the schema has keywords besides $ref and allOf.
func (s *schema) describes() bool {
	return len(s.Properties)+len(s.PatternProperties)+len(s.Required)+len(s.Enum) > 0 ||
		s.AdditionalProperties != nil || s.Items != nil || s.Format != ""
}

// merged combines $ref and allOf into one schema. Later and outer keywords
// override earlier and inner ones; the members of two inline objects are
// combined.
func (p *pkg) merged(s *schema) *schema {
	if s == nil || s.Ref == "" && len(s.AllOf) == 0 {
		return s
	}
	own := *s
	own.Ref, own.AllOf = "", nil
	out := &schema{}
	if s.Ref != "" {
		c := p.doc.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
		if c == nil {
			p.fail("dangling reference %s", s.Ref)
			return out
		}
		out = p.merged(c)
	}
	for _, part := range s.AllOf {
		out = p.over(out, p.merged(part))
	}
	return p.over(out, &own)
}

// over returns base with the keywords of top on top of it.
func (p *pkg) over(base, top *schema) *schema {
	out := *base
	set(&out.Format, top.Format)
	set(&out.Pattern, top.Pattern)
	set(&out.Added, top.Added)
	set(&out.PatternFormat, top.PatternFormat)
	if len(top.Type) > 0 {
		out.Type = top.Type
	}
	if top.Default != nil {
		out.Default = top.Default
	}
	if top.Enum != nil {
		out.Enum = top.Enum
	}
	if top.Items != nil {
		out.Items = top.Items
	}
	if top.AdditionalProperties != nil {
		out.AdditionalProperties = top.AdditionalProperties
	}
	if len(top.PatternProperties) > 0 {
		out.PatternProperties = top.PatternProperties
	}
	if len(top.OneOf)+len(top.AnyOf) > 0 {
		out.OneOf, out.AnyOf = top.OneOf, top.AnyOf
	}
	set(&out.PropertyNames, top.PropertyNames)
	set(&out.MinProperties, top.MinProperties)
	set(&out.MaxProperties, top.MaxProperties)
	set(&out.MinItems, top.MinItems)
	set(&out.MaxItems, top.MaxItems)
	set(&out.MaxLength, top.MaxLength)
	out.Open = base.Open || top.Open
	out.Deprecated = base.Deprecated || top.Deprecated
	out.Required = slices.Concat(base.Required, top.Required)
	out.Properties = maps.Clone(base.Properties)
	for name, prop := range top.Properties {
		if out.Properties == nil {
			out.Properties = map[string]*schema{}
		}
		if have := out.Properties[name]; have != nil {
			prop = p.member(have, prop)
		}
		out.Properties[name] = prop
	}
	return &out
}

// member combines two descriptions of one member.
func (p *pkg) member(base, top *schema) *schema {
	if name, _ := p.component(top); name != "" {
		return top
	}
	if top.free() { // has only marks
		return &schema{AllOf: []*schema{base}, Added: top.Added, Deprecated: top.Deprecated}
	}
	return p.over(p.merged(base), p.merged(top))
}

func set[T comparable](dst *T, v T) {
	var zero T
	if v != zero {
		*dst = v
	}
}
