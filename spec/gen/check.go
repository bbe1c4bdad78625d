// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// known are the keyword values that the generator supports. Unknown members are
// an error in load already.
var (
	knownTypes   = []string{"array", "boolean", "integer", "null", "number", "object", "string"}
	knownFormats = []string{
		"", "int64", "float", "uri", "email", "byte",
		"mx-user-id", "mx-room-id", "mx-event-id", "mx-room-alias", "mx-server-name", "mx-mxc-uri",
		"mx-unpadded-base64",
	}
	knownMethods  = []string{"get", "put", "post", "delete"}
	knownPlaces   = []string{"path", "query", "header"}
	knownContents = []string{
		"application/json", "application/octet-stream", "application/xml", "multipart/mixed",
		"image/jpeg", "image/png", "image/gif", "image/webp", "image/apng",
	}
)

// check returns an error for every keyword value that the later passes do not
// support.
func (p *pkg) check() error {
	for _, name := range slices.Sorted(maps.Keys(p.doc.Components.Schemas)) {
		p.checkSchema("components/schemas/"+name, p.doc.Components.Schemas[name])
	}
	for _, path := range slices.Sorted(maps.Keys(p.doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(p.doc.Paths[path])) {
			at := method + " " + path
			p.known(at, "method", method, knownMethods)
			o := p.doc.Paths[path][method]
			p.checkOperation(at, o)
			for _, v := range o.Variants {
				p.checkOperation(at+" "+v.ID, v)
			}
		}
	}
	return errors.Join(p.errs...)
}

func (p *pkg) known(at, what, value string, known []string) {
	if !slices.Contains(known, value) {
		p.fail("%s: unknown %s %q", at, what, value)
	}
}

func (p *pkg) checkOperation(at string, o *operation) {
	for _, q := range o.Parameters {
		p.known(at, "place of a parameter", q.In, knownPlaces)
		p.checkSchema(at+" "+q.Name, q.Schema)
	}
	p.checkBody(at+" request", o.RequestBody)
	for _, code := range slices.Sorted(maps.Keys(o.Responses)) {
		p.checkBody(at+" "+code, o.Responses[code])
	}
}

func (p *pkg) checkBody(at string, b *body) {
	if b == nil {
		return
	}
	for _, mime := range slices.Sorted(maps.Keys(b.Content)) {
		p.known(at, "content type", mime, knownContents)
		p.checkSchema(at+" "+mime, b.Content[mime].Schema)
	}
	for name, h := range b.Headers {
		p.checkSchema(at+" "+name, h.Schema)
	}
}

func (p *pkg) checkSchema(at string, s *schema) {
	if s == nil {
		return
	}
	for _, t := range s.Type {
		p.known(at, "type", t, knownTypes)
	}
	p.known(at, "format", s.Format, knownFormats)
	p.known(at, "format", s.PatternFormat, knownFormats)
	for name, group := range map[string]map[string]*schema{"properties": s.Properties, "patternProperties": s.PatternProperties, "$defs": s.Defs} {
		for member, sub := range group {
			p.checkSchema(at+"/"+name+"/"+member, sub)
		}
	}
	for name, list := range map[string][]*schema{"allOf": s.AllOf, "oneOf": s.OneOf, "anyOf": s.AnyOf} {
		for i, sub := range list {
			p.checkSchema(at+"/"+name+"/"+strconv.Itoa(i), sub)
		}
	}
	p.checkSchema(at+"/items", s.Items)
	p.checkSchema(at+"/additionalProperties", s.AdditionalProperties)
	p.checkSchema(at+"/propertyNames", s.PropertyNames)
}

func unquote(v jsontext.Value) (string, error) {
	if v.Kind() != '"' {
		return "", fmt.Errorf("%s is no string", v)
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err
}
