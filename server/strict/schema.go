// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"touchstone.example/api"
	"touchstone.example/api/id"
)

// A schema is compiled when it is first used.
type schema struct {
	c    *compiler
	url  string
	once sync.Once
	s    *jsonschema.Schema
	err  error
}

func (s *schema) compiled() (*jsonschema.Schema, error) {
	s.once.Do(func() {
		s.c.mu.Lock()
		defer s.c.mu.Unlock()
		s.s, s.err = s.c.c.Compile(s.url)
	})
	return s.s, s.err
}

// A finding is one keyword that a value fails.
type finding struct{ pointer, keyword, schema, message string }

// check returns what a value fails, keyword by keyword.
func (s *schema) check(v any) ([]finding, error) {
	compiled, err := s.compiled()
	if err != nil {
		return nil, err
	}
	err = compiled.Validate(v)
	var invalid *jsonschema.ValidationError
	if err == nil || !errors.As(err, &invalid) {
		return nil, err
	}
	return leaves(nil, invalid), nil
}

// violations returns what a value fails as violations of a direction's rules.
func (s *schema) violations(v any, base Violation, prefix string) ([]Violation, error) {
	found, err := s.check(v)
	if err != nil {
		return nil, fmt.Errorf("strict: %w", err)
	}
	var vs []Violation
	for _, f := range found {
		one := base
		if prefix != "" {
			one.Rule = prefix + class(f.keyword)
		}
		one.Keyword, one.Schema = f.keyword, f.schema
		if f.keyword == "required" {
			for _, name := range missingNames(f.message) {
				one.Where, one.Expected = api.InBody(f.pointer+"/"+escape(name)), "the member "+name
				vs = append(vs, one)
			}
			continue
		}
		one.Where, one.Expected = api.InBody(f.pointer), expectation(f.keyword, f.message)
		vs = append(vs, one)
	}
	// What a format says of a string, a pattern need not say again.
	slices.SortStableFunc(vs, func(a, b Violation) int { return cmp.Compare(patternLast(a.Keyword), patternLast(b.Keyword)) })
	return vs, nil
}

func patternLast(keyword string) int {
	if keyword == "pattern" {
		return 1
	}
	return 0
}

// leaves lists the keywords at the ends of an error's tree. Failed
// alternatives are one finding: which branch was meant, nobody knows.
func leaves(out []finding, e *jsonschema.ValidationError) []finding {
	keyword := path.Base(e.KeywordLocation)
	alternatives := keyword == "anyOf" || keyword == "oneOf"
	if len(e.Causes) > 0 && !alternatives {
		for _, c := range e.Causes {
			out = leaves(out, c)
		}
		return out
	}
	at, err := url.PathUnescape(e.InstanceLocation) // the library writes it as in a URL
	if err != nil {
		at = e.InstanceLocation
	}
	return append(out, finding{at, keyword, trimURL(e.AbsoluteKeywordLocation), e.Message})
}

// trimURL leaves the file and the pointer.
func trimURL(location string) string { return strings.TrimPrefix(location, "spec:///") }

// class sorts the keywords of JSON Schema into rules.
func class(keyword string) string {
	switch keyword {
	case "type", "additionalProperties":
		return "type"
	case "required":
		return "required"
	case "enum":
		return "enum"
	case "pattern", "format", "x-pattern-format", "propertyNames":
		return "format"
	case "anyOf", "oneOf":
		return "alternatives"
	}
	return "limits"
}

// decode reads JSON with its numbers as they are written.
func decode(body []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more follows the JSON value")
	}
	return tame(v), nil
}

// tame replaces numbers of absurd size, which the schema library would write
// out in full or stumble over, by others that are as large and as whole.
func tame(v any) any {
	switch v := v.(type) {
	case json.Number:
		_, exp, _ := strings.Cut(strings.ToLower(v.String()), "e")
		switch {
		case strings.HasPrefix(exp, "-") && len(exp) > 4:
			return json.Number("1e-999")
		case len(v) > 400 || len(exp) > 4:
			return json.Number("1e999")
		}
	case map[string]any:
		for k, e := range v {
			v[k] = tame(e)
		}
	case []any:
		for i, e := range v {
			v[i] = tame(e)
		}
	}
	return v
}

// formats are the specification's string formats. Values that are no strings
// are the business of type.
func formats() map[string]func(any) bool {
	text := func(valid func(string) bool) func(any) bool {
		return func(v any) bool {
			s, ok := v.(string)
			return !ok || valid(s)
		}
	}
	return map[string]func(any) bool{
		"mx-user-id":                 text(func(s string) bool { _, err := id.ParseUserID(s); return err == nil }),
		"mx-room-id":                 text(func(s string) bool { _, err := id.ParseRoomID(s); return err == nil }),
		"mx-event-id":                text(func(s string) bool { _, err := id.ParseEventID(s); return err == nil }),
		"mx-room-alias":              text(func(s string) bool { _, err := id.ParseRoomAlias(s); return err == nil }),
		"mx-server-name":             text(func(s string) bool { _, err := id.ParseServerName(s); return err == nil }),
		"mx-mxc-uri":                 text(func(s string) bool { _, err := id.ParseMXC(s); return err == nil }),
		"mx-unpadded-base64":         text(base64.MatchString),
		"mx-urlsafe-unpadded-base64": text(base64url.MatchString),
	}
}

var (
	base64    = regexp.MustCompile(`^[A-Za-z0-9+/]*$`)
	base64url = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)
)

const extensionName = "matrix"

// extension reads the keywords that the specification and our overlays add.
type extension struct{}

// extended is what they say of one schema.
type extended struct {
	open       bool // x-open: members that are not listed are welcome
	deprecated bool
	names      []nameFormat
}

// A nameFormat is the format of the names that match a pattern.
type nameFormat struct {
	pattern *regexp.Regexp
	format  string
	valid   func(any) bool
}

func (extension) Compile(_ jsonschema.CompilerContext, m map[string]any) (jsonschema.ExtSchema, error) {
	var e extended
	e.open = m["x-open"] == true
	e.deprecated = m["deprecated"] == true
	patterns, _ := m["patternProperties"].(map[string]any)
	for p, v := range patterns {
		sub, _ := v.(map[string]any)
		format, _ := sub["x-pattern-format"].(string)
		if valid := formats()[format]; valid != nil {
			re, err := regexp.Compile(p)
			if err != nil {
				return nil, err
			}
			e.names = append(e.names, nameFormat{re, format, valid})
		}
	}
	if !e.open && !e.deprecated && e.names == nil {
		return nil, nil
	}
	return e, nil
}

// Validate checks the names of an object's members.
func (e extended) Validate(ctx jsonschema.ValidationContext, v any) error {
	o, _ := v.(map[string]any)
	for name := range o {
		for _, f := range e.names {
			if f.pattern.MatchString(name) && !f.valid(name) {
				return ctx.Error("x-pattern-format", "names that are a valid %s", f.format)
			}
		}
	}
	return nil
}
