// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A bundler copies schemas without descriptions and collects the schemas that
// they refer to. finish names the collected schemas at the end, so that names
// do not depend on the order of the copies.
type bundler struct {
	src    *source
	prefix string                // prefix of references in the output, such as "#/$defs/"
	found  map[position]object   // referenced schemas by their upstream position
	refs   map[position][]object // for each, the copies that contain a $ref to it
}

func newBundler(src *source, prefix string) *bundler {
	return &bundler{src, prefix, map[position]object{}, map[position][]object{}}
}

// schema copies one schema.
func (b *bundler) schema(at position, v any) (any, error) {
	if yes, ok := v.(bool); ok {
		return yes, nil
	}
	in, err := schemaKind.check(at, v)
	if err != nil {
		return nil, err
	}
	out := object{}
	for key, val := range in {
		if schemaKind.keywords[key] == drop {
			continue
		}
		if err := b.keyword(at.member(key), out, key, val); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// keyword copies one keyword of a schema to out.
func (b *bundler) keyword(at position, out object, key string, val any) (err error) {
	switch key {
	case "$ref":
		err = b.reference(at, out, val)
	case "properties", "patternProperties":
		out[key], err = b.schemaMap(at, val)
	case "items", "additionalProperties", "propertyNames":
		out[key], err = b.schema(at, val)
	case "allOf", "anyOf", "oneOf":
		out[key], err = b.schemaList(at, val)
	case "x-addedInMatrixVersion":
		out["x-added"], err = added(at, val)
	case "required":
		out[key], err = sortedNames(at, val)
	default:
		out[key], err = plain(at, val)
	}
	return err
}

func (b *bundler) schemaMap(at position, v any) (any, error) {
	in, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%s: not a mapping", at)
	}
	out := object{}
	for name, s := range in {
		var err error
		if out[name], err = b.schema(at.member(name), s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *bundler) schemaList(at position, v any) (any, error) {
	in, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: not a list", at)
	}
	out := make([]any, len(in))
	for i, s := range in {
		var err error
		if out[i], err = b.schema(at.member(fmt.Sprint(i)), s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// reference copies a referenced schema, once, and records the object with the
// reference until the schema has a name.
func (b *bundler) reference(at position, holder object, v any) error {
	ref, ok := v.(string)
	if !ok {
		return fmt.Errorf("%s: not a string", at)
	}
	to, target, err := b.src.resolve(at, ref)
	if err != nil {
		return err
	}
	b.refs[to] = append(b.refs[to], holder)
	if _, seen := b.found[to]; seen {
		return nil
	}
	b.found[to] = nil // because a schema may refer to itself
	s, err := b.schema(to, target)
	if err != nil {
		return err
	}
	o, ok := s.(object)
	if !ok {
		return fmt.Errorf("%s: a $ref to a schema that is only true or false", at)
	}
	b.found[to] = o
	return nil
}

var componentName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// finish names the collected schemas, sets the references to them and returns
// them. A schema is named after its file, or after the last part of its
// pointer; if two names are equal, the folder or file is added to both.
func (b *bundler) finish() (object, error) {
	taken := map[string]int{}
	for at := range b.found {
		taken[shortName(at)]++
	}
	out := object{}
	for at, s := range b.found {
		name := shortName(at)
		if taken[name] > 1 || name == "response" {
			name = longName(at)
		}
		if _, double := out[name]; double || !componentName.MatchString(name) {
			return nil, fmt.Errorf("%s: no name for this schema, %q will not do", at, name)
		}
		out[name] = s
		for _, holder := range b.refs[at] {
			holder["$ref"] = b.prefix + name
		}
	}
	return out, nil
}

func shortName(at position) string {
	dir, parent := path.Base(path.Dir(at.file)), path.Base(path.Dir(path.Dir(at.file)))
	switch {
	case at.ptr != "":
		return path.Base(at.ptr)
	case parent == "definitions" && dir != "errors" && dir != "components":
		return dir + "_" + stem(at.file)
	}
	return stem(at.file)
}

func longName(at position) string {
	if at.ptr != "" {
		return stem(at.file) + "_" + path.Base(at.ptr)
	}
	dir := path.Dir(at.file)
	for base := path.Base(dir); base == "definitions" || base == "components" || base == "schema"; base = path.Base(dir) {
		dir = path.Dir(dir)
	}
	return path.Base(dir) + "_" + stem(at.file)
}

// added reads the release in an added-in mark. It must be a string, because
// YAML would read 1.10 as 1.1.
func added(at position, v any) (string, error) {
	s, ok := v.(string)
	if !ok || !strings.HasPrefix(s, "1.") {
		return "", fmt.Errorf("%s: %v is no version in quotes", at, v)
	}
	return s, nil
}

// sortedNames returns a list of member names, sorted and without duplicates.
func sortedNames(at position, v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: not a list", at)
	}
	names := make([]string, len(list))
	for i, e := range list {
		if names[i], ok = e.(string); !ok {
			return nil, fmt.Errorf("%s: %v is no name", at, e)
		}
	}
	slices.Sort(names)
	out := []any{}
	for _, n := range slices.Compact(names) {
		out = append(out, n)
	}
	return out, nil
}

// plain copies a value that contains no schema.
func plain(at position, v any) (any, error) {
	switch v := v.(type) {
	case string, bool, int, float64, nil:
		return v, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			var err error
			if out[i], err = plain(at.member(fmt.Sprint(i)), e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case object:
		out := object{}
		for k, e := range v {
			var err error
			if out[k], err = plain(at.member(k), e); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s: a value of type %T", at, v)
}
