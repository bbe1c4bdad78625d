// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A setting is one leaf of Config.
type setting struct {
	path  string // registration.shared_secret
	index []int  // for reflect's FieldByIndex
}

func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
}

// settings lists all settings in the order of the struct.
var settings = settingsOf(reflect.TypeFor[Config](), "", nil)

func settingsOf(t reflect.Type, prefix string, index []int) []setting {
	var out []setting
	for f := range t.Fields() {
		name := f.Tag.Get("yaml")
		if name == "-" {
			continue
		}
		at := append(slices.Clone(index), f.Index...)
		if isSection(f.Type) {
			out = append(out, settingsOf(f.Type, prefix+name+".", at)...)
			continue
		}
		out = append(out, setting{path: prefix + name, index: at})
	}
	return out
}

// isSection reports whether a type is a mapping of further keys.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// A loader applies the sources of settings in order and records the origin of each
// setting.
type loader struct {
	cfg    *Config
	origin map[string]string // path to "touchstone.yaml:3"
	errs   []error
}

func (l *loader) fail(where, format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf(where+": "+format, args...))
}

// file applies a YAML document to the settings.
func (l *loader) file(name string, data io.Reader) {
	dec := yaml.NewDecoder(data)
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF): // empty, or comments only
		return
	case err != nil:
		l.fail(name, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		l.fail(name, "one document only, please: nothing may follow ---")
		return
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	l.section(name, root, reflect.ValueOf(l.cfg).Elem(), "")
}

func (l *loader) section(file string, node *yaml.Node, to reflect.Value, prefix string) {
	node = followed(node)
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return // a section whose keys are all commented out
	}
	where := fmt.Sprintf("%s:%d", file, node.Line)
	if node.Kind != yaml.MappingNode {
		l.fail(where, "%swants keys below it, not %s", label(prefix), describe(node))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], followed(node.Content[i+1])
		path := prefix + key.Value
		where := fmt.Sprintf("%s:%d", file, key.Line)
		if seen[key.Value] {
			l.fail(where, "%s is set twice", path)
			continue
		}
		seen[key.Value] = true
		field, ok := fieldByKey(to, key.Value)
		if !ok {
			l.fail(where, "there is no setting %s%s", path, suggestKey(prefix, key.Value, to.Type()))
			continue
		}
		if isSection(field.Type()) {
			l.section(file, value, field, path+".")
			continue
		}
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			continue // a key without a value keeps its default
		}
		if err := setNode(field, value); err != nil {
			l.fail(where, "%s: %w", path, err)
			continue
		}
		l.recordOrigin(path, where)
	}
}

// recordOrigin records where a setting came from. A setting and its _file variant
// replace each other, unless both are in the same source.
func (l *loader) recordOrigin(path, where string) {
	l.origin[path] = where
	twin, isFile := strings.CutSuffix(path, "_file")
	if !isFile {
		twin = path + "_file"
	}
	if s, ok := settingAt(twin); ok && layer(l.origin[twin]) != layer(where) {
		reflect.ValueOf(l.cfg).Elem().FieldByIndex(s.index).SetZero()
		delete(l.origin, twin)
	}
}

// layer is the source part of an origin, before the line or the name.
func layer(origin string) string {
	if i := strings.LastIndexAny(origin, ": "); i >= 0 {
		return origin[:i]
	}
	return origin
}

func settingAt(path string) (setting, bool) {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.path == path })
	if i < 0 {
		return setting{}, false
	}
	return settings[i], true
}

func fieldByKey(v reflect.Value, key string) (reflect.Value, bool) {
	for f := range v.Type().Fields() {
		if name := f.Tag.Get("yaml"); name == key && name != "-" {
			return v.FieldByIndex(f.Index), true
		}
	}
	return reflect.Value{}, false
}

// followed returns the node that a YAML alias refers to.
func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func label(prefix string) string {
	if prefix == "" {
		return "the file "
	}
	return strings.TrimSuffix(prefix, ".") + " "
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys"
	case yaml.SequenceNode:
		return "a list"
	default:
		return strconv.Quote(n.Value)
	}
}

func setNode(field reflect.Value, n *yaml.Node) error {
	switch {
	case field.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		var list []string
		for _, item := range n.Content {
			if item = followed(item); item.Kind != yaml.ScalarNode {
				return fmt.Errorf("want a list of texts, not of %s", describe(item))
			}
			list = append(list, item.Value)
		}
		field.Set(reflect.ValueOf(list))
		return nil
	case field.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		var m map[string]string
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, item := n.Content[i].Value, followed(n.Content[i+1])
			if item.Kind != yaml.ScalarNode {
				return fmt.Errorf("%s: want a text, not %s", key, describe(item))
			}
			if _, twice := m[key]; twice {
				return fmt.Errorf("%s is set twice", key)
			}
			if m == nil {
				m = map[string]string{}
			}
			m[key] = item.Value
		}
		field.Set(reflect.ValueOf(m))
		return nil
	case field.Kind() == reflect.Slice:
		return fmt.Errorf("want a list, not %s", describe(n))
	case field.Kind() == reflect.Map:
		return fmt.Errorf("want keys below it, not %s", describe(n))
	case n.Kind != yaml.ScalarNode:
		return fmt.Errorf("want one value, not %s", describe(n))
	}
	return setText(field, n.Value)
}

// setText sets a field from text, as in flags and variables.
func setText(field reflect.Value, text string) error {
	if u, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%q is not one of its values", text)
		}
		return nil
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		b, ok := boolWords[strings.ToLower(text)]
		if !ok {
			return fmt.Errorf("want true or false, not %q", text)
		}
		field.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("want a whole number, not %q", text)
		}
		field.SetInt(int64(n))
	case reflect.Slice:
		list := strings.Split(text, ",")
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		field.Set(reflect.ValueOf(list))
	case reflect.Map:
		m := map[string]string{}
		for pair := range strings.SplitSeq(text, ",") {
			k, v, ok := strings.Cut(pair, "=")
			if !ok {
				return fmt.Errorf("want key=value pairs separated by commas, not %q", pair)
			}
			m[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
		field.Set(reflect.ValueOf(m))
	default:
		panic("config: no way to read a " + field.Type().String())
	}
	return nil
}

var boolWords = map[string]bool{"true": true, "yes": true, "on": true, "1": true, "false": false, "no": false, "off": false, "0": false}
