// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Fields is the list event_fields: which members of an event to return.
//
// Spec: client-server "Filtering".
type Fields struct {
	all   bool
	keep  bool // keep the object even if it becomes empty
	below map[string]*Fields
	paths []string // of the whole list
}

// newFields compiles paths into a tree. A path whose prefix is listed too adds
// nothing to it.
func newFields(paths []string) *Fields {
	root := &Fields{below: map[string]*Fields{}, paths: paths}
	root.add(paths)
	return root
}

// WithRequired adds the members that every event must have; content may become empty.
// The specification permits more fields than were asked for.
//
// Spec: client-server "Filtering", event_fields; "Room event format".
func (f *Fields) WithRequired() *Fields {
	if f == nil {
		return nil
	}
	root := &Fields{below: map[string]*Fields{"content": {keep: true}}, paths: f.paths}
	root.add(f.paths)
	root.add([]string{"event_id", "origin_server_ts", "sender", "state_key", "type"})
	return root
}

func (f *Fields) add(paths []string) {
	for _, path := range paths {
		node := f
		for _, name := range SplitPath(path) {
			next := node.below[name]
			if next == nil {
				next = &Fields{}
				if node.below == nil {
					node.below = map[string]*Fields{}
				}
				node.below[name] = next
			}
			node = next
		}
		node.all = true
	}
}

// SplitPath splits a dot-separated property path into names. A backslash before
// a dot or a backslash makes that part of the name; other escapes are left as
// they are.
//
// Spec: appendices "Dot-separated property paths".
func SplitPath(path string) []string {
	var names []string
	var name strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path) && (path[i+1] == '.' || path[i+1] == '\\'):
			i++
			name.WriteByte(path[i])
		case c == '.':
			names = append(names, name.String())
			name.Reset()
		default:
			name.WriteByte(c)
		}
	}
	return append(names, name.String())
}

// Project appends the event with only the listed members, in their order and
// with their bytes. An object on the way to a member is kept only if the member
// is there. A nil Fields appends the event as it is, as does an event that is
// no object.
func (f *Fields) Project(dst, event []byte) []byte {
	if f == nil {
		return append(dst, event...)
	}
	start := len(dst)
	dst, _, err := f.project(dst, event)
	if err != nil {
		return append(dst[:start], event...)
	}
	return dst
}

func (f *Fields) project(dst, object []byte) (_ []byte, kept bool, err error) {
	dec := jsontext.NewDecoder(bytes.NewReader(object), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if tok, err := dec.ReadToken(); err != nil {
		return dst, false, err
	} else if tok.Kind() != '{' {
		return dst, false, errNoObject
	}
	dst = append(dst, '{')
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return dst, false, err
		}
		nameAt := len(dst)
		if kept {
			dst = append(dst, ',')
		}
		dst = append(append(dst, name...), ':')
		want := f.below[unquote(name)]
		value, err := dec.ReadValue()
		if err != nil {
			return dst, false, err
		}
		added := false
		switch {
		case want == nil:
		case want.all:
			dst, added = append(dst, value...), true
		case value.Kind() == '{':
			if dst, added, err = want.project(dst, value); err != nil {
				return dst, false, err
			}
			added = added || want.keep
		}
		if !added {
			dst = dst[:nameAt]
		}
		kept = kept || added
	}
	if _, err := dec.ReadToken(); err != nil {
		return dst, false, err
	}
	return append(dst, '}'), kept, nil
}

func unquote(name jsontext.Value) string {
	if bytes.IndexByte(name, '\\') < 0 {
		return string(name[1 : len(name)-1])
	}
	s, err := jsontext.AppendUnquote(nil, name)
	if err != nil {
		return ""
	}
	return string(s)
}
