// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An overlay is a correction to the data: the change, the reason, and the part
// of the specification that justifies it. An overlay whose edits no longer
// match the data is an error, because upstream has changed and a person must
// decide what to do.
type overlay struct {
	What    string   `yaml:"what"`
	Why     string   `yaml:"why"`
	Source  string   `yaml:"source"`
	Edits   []*edit  `yaml:"edits"`
	Formats *formats `yaml:"formats"`
	Merge   []*merge `yaml:"merge"`
	Errors  *struct {
		Common map[string]commonErrors `yaml:"common"` // by API
		// Operations lists, by API, operation ID and status, codes that only
		// the text of the specification mentions.
		Operations map[string]map[string]map[string][]string `yaml:"operations"`
	} `yaml:"errors"`

	file string
}

// An edit changes one place. In names a document (the folder of an API, or
// "events"); Operation or Schema names the operation ID, component or event
// type in it. JSON leads on to the schema of a JSON body: "request" or a
// status. At is a JSON pointer from there, in which a list element may be given
// by its name. Was is the expected old value; without it, there must be no
// value.
type edit struct {
	In        string    `yaml:"in"`
	Operation string    `yaml:"operation"`
	Schema    string    `yaml:"schema"`
	JSON      string    `yaml:"json"`
	At        string    `yaml:"at"`
	Was       yaml.Node `yaml:"was"`
	Set       yaml.Node `yaml:"set"`
	Remove    bool      `yaml:"remove"`
}

// formats sets a format for string parameters with certain names.
type formats struct {
	In    string            `yaml:"in"` // path, query
	Names map[string]string `yaml:"names"`
	APIs  []string          `yaml:"apis"` // the APIs; all if empty
}

// A merge combines operations that have the same method and path upstream.
type merge struct {
	In          string `yaml:"in"`
	OperationID string `yaml:"operationId"` // of the combined operation
	Variants    []struct {
		OperationID string `yaml:"operationId"`
		When        string `yaml:"when"`
	} `yaml:"variants"`

	file string
	used bool
}

func loadOverlays(dir string) ([]*overlay, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []*overlay
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		o := &overlay{file: filepath.Base(file)}
		dec := yaml.NewDecoder(bytes.NewReader(raw))
		dec.KnownFields(true)
		if err := dec.Decode(o); err != nil {
			return nil, fmt.Errorf("overlay %s: %w", o.file, err)
		}
		if o.What == "" || o.Why == "" || o.Source == "" {
			return nil, fmt.Errorf("overlay %s: what, why and source must all be said", o.file)
		}
		all = append(all, o)
	}
	return all, nil
}

// A tree is all data that overlays can edit.
type tree struct {
	docs   map[string]*document
	events map[string]object
}

// apply makes the edits of all overlays, sorted by file name.
func (t *tree) apply(overlays []*overlay) error {
	for _, o := range overlays {
		for i, e := range o.Edits {
			if err := t.edit(e); err != nil {
				return fmt.Errorf("overlay %s, edit %d: %w", o.file, i+1, err)
			}
		}
		if o.Formats != nil {
			if err := t.format(o.Formats); err != nil {
				return fmt.Errorf("overlay %s: %w", o.file, err)
			}
		}
	}
	return nil
}

func (t *tree) edit(e *edit) error {
	root, err := t.find(e)
	if err != nil {
		return err
	}
	keys := e.keys()
	parent, last := any(root), keys[len(keys)-1]
	for i, k := range keys[:len(keys)-1] {
		if parent = child(parent, k); parent == nil {
			return fmt.Errorf("stale: nothing at /%s", strings.Join(keys[:i+1], "/"))
		}
	}
	holder, ok := parent.(object)
	if !ok {
		return fmt.Errorf("stale: %s is not in a mapping", e.At)
	}
	was, err := value(&e.Was)
	if err != nil {
		return err
	}
	have, exists := holder[last]
	switch {
	case e.Was.IsZero() && exists:
		return fmt.Errorf("stale: %s already holds %v", e.At, have)
	case !e.Was.IsZero() && !exists:
		return fmt.Errorf("stale: nothing at %s", e.At)
	case !reflect.DeepEqual(have, was):
		return fmt.Errorf("stale: %s holds %v, not %v", e.At, have, was)
	case e.Remove == !e.Set.IsZero():
		return fmt.Errorf("an edit either sets or removes")
	case e.Remove:
		delete(holder, last)
		return nil
	}
	holder[last], err = value(&e.Set)
	return err
}

// keys returns the path of the edit relative to the result of find.
func (e *edit) keys() []string {
	ptr := e.At
	switch e.JSON {
	case "":
	case "request":
		ptr = "/requestBody/content/application~1json/schema" + ptr
	default:
		ptr = "/responses/" + e.JSON + "/content/application~1json/schema" + ptr
	}
	keys := strings.Split(strings.TrimPrefix(ptr, "/"), "/")
	for i, k := range keys {
		keys[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(k)
	}
	return keys
}

// find returns the mapping at which the pointer of the edit starts.
func (t *tree) find(e *edit) (object, error) {
	if e.In == "events" {
		if s := t.events[e.Schema]; s != nil {
			return s, nil
		}
		return nil, fmt.Errorf("stale: no event schema %q", e.Schema)
	}
	d := t.docs[e.In]
	if d == nil {
		return nil, fmt.Errorf("no document %q", e.In)
	}
	if (e.Operation == "") == (e.Schema == "") {
		return nil, fmt.Errorf("an edit names an operation or a schema")
	}
	if e.Schema != "" {
		if s, ok := d.schemas[e.Schema].(object); ok {
			return s, nil
		}
		return nil, fmt.Errorf("stale: no schema %q", e.Schema)
	}
	for _, op := range d.operations {
		if op.id() == e.Operation {
			return op.object, nil
		}
	}
	return nil, fmt.Errorf("stale: no operation %q", e.Operation)
}

func child(v any, key string) any {
	switch v := v.(type) {
	case object:
		return v[key]
	case []any:
		for i, e := range v {
			if o, ok := e.(object); ok && o["name"] == key || fmt.Sprint(i) == key {
				return e
			}
		}
	}
	return nil
}

func value(n *yaml.Node) (any, error) {
	if n.IsZero() {
		return nil, nil
	}
	var v any
	err := n.Decode(&v)
	return v, err
}

// format sets missing formats. It is an error if a name matches nothing.
func (t *tree) format(f *formats) error {
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.docs)) {
		if len(f.APIs) > 0 && !slices.Contains(f.APIs, name) {
			continue
		}
		for _, op := range t.docs[name].operations {
			params, _ := op.object["parameters"].([]any)
			for _, p := range params {
				p := p.(object)
				format := f.Names[p["name"].(string)]
				s, _ := p["schema"].(object)
				if format == "" || p["in"] != f.In || s["format"] != nil {
					continue
				}
				if s["type"] != "string" {
					return fmt.Errorf("%s: parameter %v is no string", op.id(), p["name"])
				}
				s["format"] = format
				used[p["name"].(string)] = true
			}
		}
	}
	for name := range f.Names {
		if !used[name] {
			return fmt.Errorf("stale: no parameter %q lacks a format", name)
		}
	}
	return nil
}

// merges returns the merges of all overlays.
func merges(overlays []*overlay) []*merge {
	var all []*merge
	for _, o := range overlays {
		for _, m := range o.Merge {
			m.file = o.file
			all = append(all, m)
		}
	}
	return all
}
