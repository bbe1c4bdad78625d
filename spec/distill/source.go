// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A position is a position in the upstream data: a file below data/ and a JSON
// pointer.
type position struct{ file, ptr string }

func (p position) String() string { return p.file + "#" + p.ptr }

// member returns the place of a nested member.
func (p position) member(keys ...string) position {
	for _, k := range keys {
		p.ptr += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
	}
	return p
}

// A source reads the data folder of the checkout, each file once.
type source struct {
	root  string
	files map[string]any
}

func newSource(root string) *source { return &source{root, map[string]any{}} }

// list returns the files that match a pattern, sorted.
func (s *source) list(pattern string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(s.root, filepath.FromSlash(pattern)))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no sources in %s", filepath.Join(s.root, pattern))
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = path.Join(path.Dir(pattern), filepath.Base(f))
	}
	return names, nil
}

func (s *source) load(file string) (any, error) {
	if v, ok := s.files[file]; ok {
		return v, nil
	}
	raw, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(file)))
	if err != nil {
		return nil, err
	}
	var v any
	if err := yaml.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	s.files[file] = v
	return v, nil
}

// resolve returns the target of a $ref at a place.
func (s *source) resolve(from position, ref string) (position, any, error) {
	rel, frag, _ := strings.Cut(ref, "#")
	at := position{file: from.file}
	if rel != "" {
		at.file = path.Join(path.Dir(from.file), rel)
	}
	v, err := s.load(at.file)
	if err != nil {
		return at, nil, fmt.Errorf("%s: %w", from, err)
	}
	for _, key := range strings.FieldsFunc(frag, func(r rune) bool { return r == '/' }) {
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		o, _ := v.(object)
		next, ok := o[key]
		if !ok {
			return at, nil, fmt.Errorf("%s: dangling $ref %q", from, ref)
		}
		v, at = next, at.member(key)
	}
	return at, v, nil
}

// deref follows the $ref of a parameter, response, header, request body or
// security scheme. Only descriptions may be beside it.
func (s *source) deref(at position, v any) (position, any, error) {
	o, ok := v.(object)
	if !ok || o["$ref"] == nil {
		return at, v, nil
	}
	for key := range o {
		if key != "$ref" && key != "description" && key != "example" {
			return at, nil, fmt.Errorf("%s: unknown keyword %q beside a $ref", at, key)
		}
	}
	ref, ok := o["$ref"].(string)
	if !ok {
		return at, nil, fmt.Errorf("%s: a $ref that is no string", at)
	}
	at, v, err := s.resolve(at, ref)
	if err != nil {
		return at, nil, err
	}
	return s.deref(at, v)
}

// stem returns the name of a file without folder and extension.
func stem(file string) string { return strings.TrimSuffix(path.Base(file), ".yaml") }
