// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An api is one document and the package generated from it.
type api struct {
	file   string // of the document, without .json
	pkg    string
	prefix string // prefix of the operation variables in package ops
	page   string // page on the website of the specification
	title  string // description of the package
}

var apis = []api{
	{"client-server", "clientapi", "Client", "client-server-api", "the client-server API of Matrix"},
	{"server-server", "fedapi", "Fed", "server-server-api", "the server-server API of Matrix"},
	{"application-service", "asapi", "AS", "application-service-api", "the application-service API of Matrix"},
	{"identity", "identityapi", "Identity", "identity-service-api", "the identity service API of Matrix"},
	{"push-gateway", "pushapi", "Push", "push-gateway-api", "the push gateway API of Matrix"},
	extra,
}

// extra is the endpoints that are not in the documents of the specification.
var extra = api{"extra", "extraapi", "Extra", "", "what a server offers besides the documents of Matrix"}

// A pkg is one API in the generator, from loading to writing.
type pkg struct {
	api
	doc     *document
	release string

	ops        []*op
	objects    []*object
	enums      map[string]*enum // by their set of values
	components map[string]*goType
	errs       []error
}

func (p *pkg) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

// build makes the types and operations from the document.
func (p *pkg) build() error {
	p.enums, p.components = map[string]*enum{}, map[string]*goType{}
	for _, o := range p.doc.operations() {
		p.ops = append(p.ops, p.operation(o))
	}
	return errors.Join(p.errs...)
}

type kind uint8

const (
	kString kind = iota
	kInt
	kFloat
	kBool
	kRaw  // any JSON value, kept as bytes
	kOpen // a JSON object, kept as bytes
	kID
	kEnum
	kObject
	kList
	kMap
	kNull // elem, or null
)

// A goType is the Go type for a schema.
type goType struct {
	kind   kind
	id     string // kID: the type's name in package id
	enum   *enum
	object *object
	elem   *goType // kList, kMap, kNull
	key    *goType // kMap
	kinds  string  // kRaw: the first bytes of allowed values; empty: all

	counted     bool // whether least and most are limits
	least, most int
}

// An object is a struct to generate.
type object struct {
	name   string
	fixed  bool    // the name must not be changed
	parent *object // the struct that contains it
	part   string  // its field name there
	short  string  // a shorter prefix to try instead of the parent's name
	doc    string
	fields []*field
	extra  *goType         // type of further members, nil if they are ignored
	files  map[string]bool // the files that use it
	input  bool            // part of a request body
	answer bool            // the single response of an operation; its name is taken
	owner  string          // the package that declares the type, if this one has only an alias
}

// A field is a member of an object.
type field struct {
	json, name string
	typ        *goType
	required   bool
	note       string // further text for its comment
}

// An enum is a set of allowed strings.
type enum struct {
	name   string
	owner  *object // the first object that uses it, to name it after
	part   string
	values []string
	files  map[string]bool
	of     string // as owner of an object
}

// keptAsBytes are components that are kept as bytes, because unknown members must be
// kept.
var keptAsBytes = map[string]bool{
	"client_event": true, "client_event_without_room_id": true, "event": true, "room_event": true,
	"state_event": true, "stripped_state": true, "sync_room_event": true, "sync_state_event": true,
	"edu": true, "edu_with_example": true,
}

var formats = map[string]string{
	"mx-user-id": "UserID", "mx-room-id": "RoomID", "mx-event-id": "EventID",
	"mx-room-alias": "RoomAlias", "mx-server-name": "ServerName", "mx-mxc-uri": "MXC",
}

// A schemaContext is the position of a schema, which determines its Go name and the
// files that use it.
type schemaContext struct {
	owner *object
	part  string
	file  string
	input bool
	open  bool // inside an object whose unknown members must be kept
}

// one returns the context for an element of the list or map.
func (at schemaContext) one() schemaContext {
	at.part = singular(at.part)
	return at
}

// typ returns the Go type of a schema.
func (p *pkg) typ(s *schema, at schemaContext) *goType {
	if s == nil {
		return &goType{kind: kRaw}
	}
	if name, c := p.component(s); c != nil {
		return p.named(name, c, at)
	}
	s = p.merged(s)
	if alts := slices.Concat(s.OneOf, s.AnyOf); len(alts) > 0 {
		return p.either(alts, at)
	}
	types := slices.Clone(s.Type)
	if len(types) == 0 && len(s.Properties)+len(s.PatternProperties) > 0 {
		types = typeNames{"object"}
	}
	if i := slices.Index(types, "null"); i >= 0 && len(types) == 2 {
		one := *s
		one.Type = slices.Delete(types, i, i+1)
		return &goType{kind: kNull, elem: p.typ(&one, at)}
	}
	if len(types) != 1 {
		return &goType{kind: kRaw, kinds: firstBytes(types)}
	}
	switch types[0] {
	case "string":
		return p.text(s, at)
	case "integer":
		return &goType{kind: kInt}
	case "number":
		return &goType{kind: kFloat}
	case "boolean":
		return &goType{kind: kBool}
	case "array":
		t := &goType{kind: kList, elem: p.typ(s.Items, at.one())}
		return t.count(s.MinItems, s.MaxItems)
	case "object":
		return p.objectType(s, at).count(s.MinProperties, s.MaxProperties)
	}
	p.fail("%s: type %q", at.part, types[0])
	return &goType{kind: kRaw}
}

func (t *goType) count(least, most *int) *goType {
	if least == nil && most == nil || t.kind != kList && t.kind != kMap {
		return t
	}
	t.counted, t.most = true, 1<<31-1
	if least != nil {
		t.least = *least
	}
	if most != nil {
		t.most = *most
	}
	return t
}

// firstBytes returns the possible first bytes of values of some JSON types.
func firstBytes(types []string) string {
	var b strings.Builder
	for _, t := range types {
		b.WriteString(map[string]string{
			"null": "n", "boolean": "tf", "string": `"`, "number": "0", "integer": "0", "object": "{", "array": "[",
		}[t])
	}
	return b.String()
}

// either returns the type for a value that may match one of several schemas. It
// is a specific type only if all are strings.
func (p *pkg) either(alts []*schema, at schemaContext) *goType {
	texts, objects := 0, 0
	for _, a := range alts {
		switch m := p.merged(a); {
		case slices.Equal(m.Type, typeNames{"string"}):
			texts++
		case slices.Equal(m.Type, typeNames{"object"}):
			objects++
		}
	}
	switch len(alts) {
	case texts:
		return &goType{kind: kString}
	case objects:
		return &goType{kind: kOpen}
	case texts + objects:
		return &goType{kind: kRaw, kinds: `"{`}
	}
	return &goType{kind: kRaw}
}

func (p *pkg) text(s *schema, at schemaContext) *goType {
	if id := formats[s.Format]; id != "" {
		return &goType{kind: kID, id: id}
	}
	if len(s.Enum) < 2 { // a single value will probably be extended
		return &goType{kind: kString}
	}
	values := make([]string, len(s.Enum))
	for i, v := range s.Enum {
		text, err := unquote(v)
		if err != nil {
			p.fail("%s: enum value %s is no string", at.part, v)
		}
		values[i] = text
	}
	slices.Sort(values)
	set := strings.Join(values, ",")
	if p.enums[set] == nil {
		p.enums[set] = &enum{owner: at.owner, part: at.part, values: values, files: map[string]bool{}}
	}
	p.enums[set].files[at.file] = true
	return &goType{kind: kEnum, enum: p.enums[set]}
}

// objectType returns the type for a schema of an object.
func (p *pkg) objectType(s *schema, at schemaContext) *goType {
	more := s.AdditionalProperties
	free := more != nil && !more.never && more.free()
	switch {
	case s.Open && s.isEvent():
	case len(s.Properties) > 0:
		return &goType{kind: kObject, object: p.object(s, at)}
	case len(s.PatternProperties) > 1 || len(s.PatternProperties) == 1 && more != nil && !more.never:
		p.fail("%s: more than one kind of member", at.part)
	case len(s.PatternProperties) == 1:
		for pattern, v := range s.PatternProperties {
			format := p.merged(v).PatternFormat
			if format == "" || formats[format] == "" {
				p.fail("%s: members named by %q, without a format", at.part, pattern)
			}
			return &goType{kind: kMap, key: &goType{kind: kID, id: formats[format]}, elem: p.typ(v, at.one())}
		}
	case more != nil && !more.never && !free:
		key := &goType{kind: kString}
		if s.PropertyNames != nil && formats[s.PropertyNames.Format] != "" {
			key = &goType{kind: kID, id: formats[s.PropertyNames.Format]}
		}
		return &goType{kind: kMap, key: key, elem: p.typ(more, at.one())}
	}
	return &goType{kind: kOpen}
}

// isEvent reports whether the schema describes an event. An event whose unknown
// members must be kept is kept as bytes.
func (s *schema) isEvent() bool {
	return s.Properties["type"] != nil && s.Properties["sender"] != nil && s.Properties["content"] != nil
}

// free reports whether any value satisfies the schema.
func (s *schema) free() bool {
	return s != nil && !s.never && len(s.Type) == 0 && s.Ref == "" && len(s.AllOf)+len(s.OneOf)+len(s.AnyOf) == 0 && !s.describes()
}

// named returns the type for a component.
func (p *pkg) named(name string, c *schema, at schemaContext) *goType {
	if keptAsBytes[name] {
		return &goType{kind: kOpen}
	}
	if t := p.components[name]; t != nil {
		p.use(t, at)
		return t
	}
	p.components[name] = &goType{kind: kOpen} // recursive components are kept as bytes
	t := p.typ(c, schemaContext{owner: &object{name: goName(name), fixed: true}, file: at.file, input: at.input, open: p.api == eventAPI})
	p.components[name] = t
	return t
}

// use records one more use of a type.
func (p *pkg) use(t *goType, at schemaContext) {
	switch t.kind {
	case kList, kMap, kNull:
		p.use(t.elem, at)
	case kEnum:
		t.enum.files[at.file] = true
	case kObject:
		o := t.object
		if o.files[at.file] && (o.input || !at.input) {
			return
		}
		o.files[at.file] = true
		o.input = o.input || at.input
		for _, f := range o.fields {
			p.use(f.typ, at)
		}
		if o.extra != nil {
			p.use(o.extra, at)
		}
	}
}

func (p *pkg) object(s *schema, at schemaContext) *object {
	o := &object{parent: at.owner, part: at.part, input: at.input, files: map[string]bool{at.file: true}}
	if at.part == "" { // the schema of the context itself
		*o = object{name: at.owner.name, fixed: true, short: at.owner.short, answer: at.owner.answer,
			doc: at.owner.doc, input: at.input, files: o.files}
	}
	p.objects = append(p.objects, o)
	at.open = at.open || s.Open
	members := maps.Clone(s.Properties)
	for _, name := range s.Required {
		if members[name] == nil {
			members[name] = &schema{} // required, but not described
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		prop := members[name]
		f := &field{json: name, name: goName(name), required: slices.Contains(s.Required, name)}
		if short, ok := strings.CutPrefix(name, "m."); ok && members[short] != nil {
			f.name = "M" + f.name
		}
		f.typ = p.typ(prop, schemaContext{owner: o, part: f.name, file: at.file, input: at.input, open: at.open})
		f.note = notes(prop.Added, prop.Deprecated, prop.Default)
		if slices.ContainsFunc(o.fields, func(g *field) bool { return g.name == f.name }) {
			p.fail("%s: two members are called %s", o.name, f.name)
		}
		o.fields = append(o.fields, f)
	}
	if more := s.AdditionalProperties; more != nil && !more.never {
		o.extra = p.typ(more, schemaContext{owner: o, part: "Extra", file: at.file, input: at.input})
	} else if at.open {
		o.extra = &goType{kind: kRaw}
	}
	return o
}

// notes returns facts that the type of a member does not express.
func notes(added string, deprecated bool, def []byte) string {
	var out []string
	if def != nil {
		out = append(out, "default "+string(def))
	}
	if added != "" {
		out = append(out, "since v"+added)
	}
	if deprecated {
		out = append(out, "deprecated")
	}
	return strings.Join(out, ", ")
}
