// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// schemas writes the package that locates the JSON Schemas of operations, and
// the extra documents as one JSON document.
func (w *writer) schemas(all []*pkg, events []*event) error {
	s := &source{}
	s.p("// operations has a row for every operation, by its API and id.\nvar operations = map[string]row{")
	for _, p := range all {
		for _, o := range p.ops {
			s.p("%q: {%q, %q, %t, %s},", p.api.pkg+"."+o.ID, p.file, p.pointer(o), o.RequestBody.json() != nil, o.jsonStatuses())
		}
		if p.api == extra {
			text, err := p.document()
			if err != nil {
				return err
			}
			w.files["schemas/extra.json"] = text
		}
	}
	s.p("}\n\n// events has the files of the schemas of every event type.\nvar events = map[string][]string{")
	files := map[string][]string{}
	for _, e := range events {
		if e.kinds == "" {
			continue
		}
		for _, t := range e.types {
			files[t] = append(files[t], fmt.Sprintf("%q", e.path))
		}
	}
	for _, t := range slices.Sorted(maps.Keys(files)) {
		s.p("%q: {%s},", t, strings.Join(files[t], ", "))
	}
	s.p("}\n\n// edus has the file of the schema of every ephemeral data unit.\nvar edus = map[string]string{")
	for _, e := range events {
		if e.kinds == "" {
			s.p("%q: %q,", e.types[0], e.path)
		}
	}
	s.p("}\n")
	if err := w.add("schemas", "tables", "", s.String()); err != nil {
		return err
	}
	return w.add("schemas", "schemas", schemasDoc, fmt.Sprintf(schemasCode, w.module+"/api", w.module+"/spec"))
}

// pointer returns the JSON pointer of an operation in its document.
func (p *pkg) pointer(o *op) string {
	at := "/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(o.path) + "/" + strings.ToLower(o.method)
	for i, v := range p.doc.Paths[o.path][strings.ToLower(o.method)].Variants {
		if v.ID == o.ID {
			at += fmt.Sprintf("/x-operations/%d", i)
		}
	}
	return at
}

// jsonStatuses lists the statuses whose response has a schema.
func (o *op) jsonStatuses() string {
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(o.Responses)) {
		if o.Responses[code].json() != nil {
			codes = append(codes, fmt.Sprintf("%q", code))
		}
	}
	if codes == nil {
		return "nil"
	}
	return "[]string{" + strings.Join(codes, ", ") + "}"
}

// document returns the extra documents as one.
func (p *pkg) document() ([]byte, error) {
	text, err := json.MarshalIndent(p.doc.raw, "", "\t") // sorts the members
	return append(text, '\n'), err
}

const schemasDoc = `// Package schemas says where the specification's documents have the JSON Schema
// of a request, an answer or an event, for a judge that is independent of the
// generated decoders. It compiles nothing.
`

const schemasCode = `import (
	_ "embed"
	"fmt"
	"io/fs"
	"slices"

	%q
	%q
)

//go:embed extra.json
var extra []byte

type row struct {
	document, pointer string
	body              bool
	statuses          []string // whose answers have a schema
}

// Document returns one of the files that the references point into, such as
// client-server.json or events/m.room.member.json.
func Document(name string) ([]byte, error) {
	if name == "extra.json" {
		return slices.Clone(extra), nil
	}
	return fs.ReadFile(spec.FS(), name)
}

// Request returns a reference to the schema of an operation's JSON body: a file
// and a pointer. It is false where there is none.
func Request(op *api.Operation) (string, bool) {
	r, ok := operations[op.API+"."+op.ID]
	return r.document + ".json#" + r.pointer + "/requestBody/content/application~1json/schema", ok && r.body
}

// Answer returns a reference to the schema of an operation's JSON answer with a
// status.
func Answer(op *api.Operation, status int) (string, bool) {
	r := operations[op.API+"."+op.ID]
	for _, code := range []string{fmt.Sprint(status), fmt.Sprintf("%%dXX", status/100)} {
		if slices.Contains(r.statuses, code) {
			return r.document + ".json#" + r.pointer + "/responses/" + code + "/content/application~1json/schema", true
		}
	}
	return "", false
}

// Event returns the files of the schemas of an event type. An event has to
// follow the one that fits its content.
func Event(typ string) []string { return events[typ] }

// EDU returns the file of the schema of an ephemeral data unit.
func EDU(typ string) (string, bool) { f, ok := edus[typ]; return f, ok }
`
