// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// An event is the schema of one file in events/ or edus/.
type event struct {
	file    string // output file, without .gen.go
	path    string // path of the schema
	types   []string
	name    string // Go name of the content's type
	content *goType
	kinds   string // a Go expression
}

// eventAPI is the package of event contents. Unknown members of a content must
// be kept, so all of its types are open.
var eventAPI = api{file: "events", pkg: "events", title: "event contents"}

// eventNames replaces parts of schema file names that make bad Go names.
var eventNames = strings.NewReplacer("$m.", ".", "key.verification.m.", "key.verification.")

// baseKinds maps the schema that an event extends to the kind of the event.
var baseKinds = map[string]string{"state_event": "State", "room_event": "Message"}

// kindsByName gives the kinds of events whose schema extends none of these.
var kindsByName = map[string]string{
	"m.accepted_terms":           "AccountData",
	"m.direct":                   "AccountData",
	"m.identity_server":          "AccountData",
	"m.ignored_user_list":        "AccountData",
	"m.image_pack.rooms":         "AccountData",
	"m.invite_permission_config": "AccountData",
	"m.key_backup":               "AccountData",
	"m.push_rules":               "AccountData",
	"m.recent_emoji":             "AccountData",
	"m.fully_read":               "RoomAccountData",
	"m.marked_unread":            "RoomAccountData",
	"m.tag":                      "RoomAccountData",
	"m.receipt":                  "Ephemeral",
	"m.receipt.private":          "Ephemeral",
	"m.typing":                   "Ephemeral",
	"m.presence":                 "Presence",
	"m.dummy":                    "ToDevice",
	"m.forwarded_room_key":       "ToDevice",
	"m.room_key":                 "ToDevice",
	"m.room_key.withheld":        "ToDevice",
	"m.room_key_bundle":          "ToDevice",
	"m.room_key_request":         "ToDevice",
	"m.secret.request":           "ToDevice",
	"m.secret.send":              "ToDevice",
	"m.key.verification.accept":  "Message | ToDevice",
	"m.key.verification.cancel":  "Message | ToDevice",
	"m.key.verification.done":    "Message | ToDevice",
	"m.key.verification.key":     "Message | ToDevice",
	"m.key.verification.mac":     "Message | ToDevice",
	"m.key.verification.ready":   "Message | ToDevice",
	"m.key.verification.request": "ToDevice",
	"m.key.verification.start":   "Message | ToDevice",
	"m.room.encrypted":           "Message | ToDevice",
}

// loadEvents runs all passes but the last for the event schemas.
func loadEvents(dir, release string) (*pkg, []*event, error) {
	p := &pkg{api: eventAPI, release: release, doc: &document{}, enums: map[string]*enum{}, components: map[string]*goType{}}
	p.doc.Components.Schemas = map[string]*schema{}
	var list []*event
	for _, folder := range []string{"events", "edus"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			return nil, nil, err
		}
		for _, entry := range entries {
			s := new(schema)
			if err := read(filepath.Join(dir, folder, entry.Name()), s); err != nil {
				return nil, nil, err
			}
			stem := strings.TrimSuffix(entry.Name(), ".json")
			p.addDefs(folder+"/"+stem, s)
			if e := p.event(stem, folder == "edus", s); e != nil {
				list = append(list, e)
			}
		}
	}
	if err := errors.Join(p.errs...); err != nil {
		return nil, nil, err
	}
	return p, list, errors.Join(p.name(), p.mergeEqualStructs())
}

// addDefs adds the schemas that an event schema refers to. Schemas with the
// same name must be equal.
func (p *pkg) addDefs(at string, s *schema) {
	p.checkSchema(at, s)
	for name, def := range s.Defs {
		if have := p.doc.Components.Schemas[name]; have != nil && !reflect.DeepEqual(have, def) {
			p.fail("%s: the schema %s is another elsewhere", at, name)
		}
		p.doc.Components.Schemas[name] = def
	}
}

// event makes the type for an event's content.
func (p *pkg) event(stem string, edu bool, s *schema) *event {
	m := p.merged(s)
	typ, suffix := m.Properties["type"], "Content"
	if edu {
		typ, suffix = m.Properties["edu_type"], "EDU"
	}
	if m.Properties["content"] == nil {
		return nil // only a part of other schemas
	}
	e := &event{file: strings.ToLower(strings.TrimPrefix(eventNames.Replace(stem), "m.")), name: goName(eventNames.Replace(stem)) + suffix, path: "events/" + stem + ".json"}
	if edu {
		e.file, e.path = "edu."+e.file, "edus/"+stem+".json"
	}
	e.file = strings.ReplaceAll(e.file, ".", "_")
	for _, v := range p.merged(typ).Enum {
		text, err := unquote(v)
		if err != nil {
			p.fail("%s: %v", stem, err)
		}
		e.types = append(e.types, text)
	}
	if len(e.types) == 0 {
		e.types = []string{stem} // the file is named after the type
	}
	if !edu {
		e.kinds = p.kindOf(stem, e.types[0], s)
	}
	owner := &object{name: e.name, fixed: true, short: strings.TrimSuffix(e.name, "Content"),
		doc: fmt.Sprintf("is the content of %s.", strings.Join(e.types, " and "))}
	content := *p.merged(m.Properties["content"])
	if len(content.Type) == 0 {
		content.Type = typeNames{"object"}
	}
	e.content = p.typ(&content, schemaContext{owner: owner, file: e.file, open: true})
	return e
}

func (p *pkg) kindOf(stem, typ string, s *schema) string {
	for _, base := range s.AllOf {
		name := base.Ref[strings.LastIndexByte(base.Ref, '/')+1:]
		if k := baseKinds[name]; k != "" {
			return k
		}
	}
	k := kindsByName[typ]
	if k == "" {
		p.fail("%s: an event of no known kind", stem)
	}
	return k
}

// events writes the package of event contents.
func (w *writer) events(p *pkg, list []*event) error {
	sources := map[string]*source{}
	of := func(file string) *source {
		if sources[file] == nil {
			sources[file] = &source{}
		}
		return sources[file]
	}
	p.writeTypes(of)
	kinds := map[string]string{}
	for _, e := range list {
		if e.content.kind != kObject || e.content.object.name != e.name {
			writeNamed(of(e.file), e.name, fmt.Sprintf("is the content of %s.", strings.Join(e.types, " and ")), e.content)
		}
		for _, t := range e.types {
			if e.kinds != "" {
				kinds[t] = e.kinds
			}
		}
	}
	for _, file := range slices.Sorted(maps.Keys(sources)) {
		if err := w.add(p.api.pkg, file, "", sources[file].String()); err != nil {
			return err
		}
	}
	return w.add(p.api.pkg, "events", eventsDoc, kindTable(kinds)+contentTable(list))
}

const eventsDoc = `// Package events has the contents of the event types that the specification
// defines, and of the ephemeral data units between servers. Whoever reads them
// reads what somebody else wrote: enums are open, further members are kept.
`

// contentTable writes the table of contents by schema name.
func contentTable(list []*event) string {
	s := &source{}
	s.p(`
// A Content is what this package has a type for.
type Content interface {
	AppendJSON(b []byte) []byte
	UnmarshalJSONFrom(dec *jsontext.Decoder) error
}

// New returns an empty content by the name of its schema, such as
// events/m.room.member or edus/m.typing; or nil.
func New(schema string) Content {
	switch schema {`)
	for _, e := range list {
		s.p("case %q:\nreturn new(%s)", strings.TrimSuffix(e.path, ".json"), e.name)
	}
	s.p("}\nreturn nil\n}")
	return s.String()
}

func kindTable(kinds map[string]string) string {
	s := &source{}
	s.p(`// A Kind says where events of a type occur.
type Kind uint8

// The kinds. An event type may be of several.
const (
	State Kind = 1 << iota
	Message
	Ephemeral
	ToDevice
	AccountData
	RoomAccountData
	Presence
)

// Kinds has the kinds of the event types that the specification defines.
var Kinds = map[string]Kind{`)
	for _, t := range slices.Sorted(maps.Keys(kinds)) {
		s.p("Type%s: %s,", goName(t), kinds[t])
	}
	s.p("}\n\n// The event types.\nconst (")
	for _, t := range slices.Sorted(maps.Keys(kinds)) {
		s.p("Type%s = %q", goName(t), t)
	}
	s.p(")")
	return s.String()
}
