// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// The documents, with all members that the generator supports. A member without
// a field is an error that names its place.

type document struct {
	OpenAPI    string                           `json:"openapi"`
	Reason     string                           `json:"x-reason"` // why spec/extra has it
	Source     string                           `json:"x-source"` // where it is defined
	Info       jsontext.Value                   `json:"info"`
	Paths      map[string]map[string]*operation `json:"paths"` // by path and method
	Components struct {
		Schemas         map[string]*schema        `json:"schemas"`
		SecuritySchemes map[string]jsontext.Value `json:"securitySchemes"`
	} `json:"components"`

	raw map[string]any // of spec/extra: all its documents in one
}

type operation struct {
	ID          string                `json:"operationId"`
	UpstreamID  string                `json:"x-upstream-id"` // if an overlay renamed it
	File        string                `json:"x-file"`
	Added       string                `json:"x-added"`
	RateLimited bool                  `json:"x-rate-limited"`
	Deprecated  bool                  `json:"deprecated"`
	Security    []map[string][]string `json:"security"`
	Parameters  []*parameter          `json:"parameters"`
	RequestBody *body                 `json:"requestBody"`
	Responses   map[string]*body      `json:"responses"`
	Variants    []*operation          `json:"x-operations"` // of a merged route
	When        string                `json:"x-when"`       // of a variant

	method, path, source string
}

type parameter struct {
	Name       string  `json:"name"`
	In         string  `json:"in"`
	Required   bool    `json:"required"`
	Added      string  `json:"x-added"`
	Deprecated bool    `json:"deprecated"`
	MayBeEmpty bool    `json:"x-may-be-empty"` // the router handles it
	Schema     *schema `json:"schema"`
}

// A body is a request body or a response.
type body struct {
	Required    bool                  `json:"required"`
	Description string                `json:"description"`
	Added       string                `json:"x-added"`
	Content     map[string]media      `json:"content"`
	Headers     map[string]*parameter `json:"headers"`
}

type media struct {
	Schema *schema `json:"schema"`
}

// json returns the schema of a JSON body, nil if the body is not JSON.
func (b *body) json() *schema {
	if b == nil {
		return nil
	}
	return b.Content["application/json"].Schema
}

type schema struct {
	Dialect              string             `json:"$schema"`
	Defs                 map[string]*schema `json:"$defs"`
	Ref                  string             `json:"$ref"`
	Type                 typeNames          `json:"type"`
	Format               string             `json:"format"`
	Pattern              string             `json:"pattern"`
	Enum                 []jsontext.Value   `json:"enum"`
	Default              jsontext.Value     `json:"default"`
	Deprecated           bool               `json:"deprecated"`
	Added                string             `json:"x-added"`
	Properties           map[string]*schema `json:"properties"`
	PatternProperties    map[string]*schema `json:"patternProperties"`
	PatternFormat        string             `json:"x-pattern-format"`
	Open                 bool               `json:"x-open"` // unknown members must be kept
	PropertyNames        *schema            `json:"propertyNames"`
	AdditionalProperties *schema            `json:"additionalProperties"`
	Required             []string           `json:"required"`
	MinProperties        *int               `json:"minProperties"`
	MaxProperties        *int               `json:"maxProperties"`
	Items                *schema            `json:"items"`
	MinItems             *int               `json:"minItems"`
	MaxItems             *int               `json:"maxItems"`
	MaxLength            *int               `json:"maxLength"`
	AllOf                []*schema          `json:"allOf"`
	OneOf                []*schema          `json:"oneOf"`
	AnyOf                []*schema          `json:"anyOf"`

	never bool // the schema is false
}

// UnmarshalJSONFrom also decodes the schemas true and false.
func (s *schema) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if k := dec.PeekKind(); k == 't' || k == 'f' {
		s.never = k == 'f'
		return dec.SkipValue()
	}
	type plain schema
	return json.UnmarshalDecode(dec, (*plain)(s))
}

// typeNames is the keyword type: one name or a list of names.
type typeNames []string

func (t *typeNames) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '[' {
		return json.UnmarshalDecode(dec, (*[]string)(t))
	}
	*t = make(typeNames, 1)
	return json.UnmarshalDecode(dec, &(*t)[0])
}

func load(name string) (*document, error) {
	doc := new(document)
	return doc, read(name, doc)
}

// loadExtra reads the YAML documents of spec/extra as one document.
func loadExtra(dir string) (*document, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	paths, schemas := map[string]any{}, map[string]any{}
	all := &document{Paths: map[string]map[string]*operation{}, raw: map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "Extra routes", "version": "1"},
		"paths": paths, "components": map[string]any{"schemas": schemas},
	}}
	all.Components.Schemas = map[string]*schema{}
	for _, name := range names {
		doc, raw, err := readYAML(name)
		if err != nil {
			return nil, err
		}
		maps.Copy(paths, raw.Paths)
		maps.Copy(schemas, raw.Components.Schemas)
		for path, item := range doc.Paths {
			if all.Paths[path] != nil {
				return nil, fmt.Errorf("%s: %s is in another file too", name, path)
			}
			all.Paths[path] = item
			for _, o := range item {
				o.source = doc.Source
			}
		}
		for c, s := range doc.Components.Schemas {
			if have := all.Components.Schemas[c]; have != nil && !reflect.DeepEqual(have, s) {
				return nil, fmt.Errorf("%s: the schema %s is another in another file", name, c)
			}
			all.Components.Schemas[c] = s
		}
	}
	return all, nil
}

// rawDocument is a document whose parts are not decoded.
type rawDocument struct {
	Paths      map[string]any `yaml:"paths"`
	Components struct {
		Schemas map[string]any `yaml:"schemas"`
	} `yaml:"components"`
}

func readYAML(name string) (*document, *rawDocument, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	raw, doc := new(rawDocument), new(document)
	var all any
	if err := errors.Join(yaml.Unmarshal(text, &all), yaml.Unmarshal(text, raw)); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if text, err = json.Marshal(all); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return doc, raw, parse(name, text, doc)
}

func read(name string, into any) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return parse(name, raw, into)
}

// parse decodes a document. A member without a field is an error.
func parse(name string, raw []byte, into any) error {
	err := json.Unmarshal(raw, into, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && semantic.Err != nil { // its own message abbreviates the place
		return fmt.Errorf("%s: at %s: %w", name, semantic.JSONPointer, semantic.Err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// operations returns the operations sorted by file, path and method. For a
// merged route it returns the variants.
func (d *document) operations() []*operation {
	var ops []*operation
	for path, item := range d.Paths {
		for method, op := range item {
			list := op.Variants
			if list == nil {
				list = []*operation{op}
			}
			for _, v := range list {
				v.path, v.method = path, strings.ToUpper(method)
				ops = append(ops, v)
			}
		}
	}
	slices.SortFunc(ops, func(a, b *operation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.path, b.path),
			cmp.Compare(a.method, b.method), cmp.Compare(a.ID, b.ID))
	})
	return ops
}
