// SPDX-License-Identifier: Apache-2.0

package bodygen

import (
	"maps"
	"slices"
	"strings"
)

// Values returns a value for a position such as "auth/type" or
// "initial_state/0/type" where the server accepts fewer values than the schema
// does. ok is false if any value that matches the schema is accepted.
type Values func(place string, s *Schema) (v any, ok bool)

// A Maker makes request bodies.
type Maker struct {
	Values Values
	Full   bool // with all members, not only required ones
}

// Make returns a value that matches the schema.
func (m Maker) Make(s *Schema) any { return m.make(s, "") }

func (m Maker) make(s *Schema, place string) any {
	if m.Values != nil {
		if v, ok := m.Values(place, s); ok {
			return v
		}
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	switch {
	case len(s.Types) == 0 || s.Is("object"):
		return m.object(s, place)
	case s.Is("array"):
		if s.Items == nil || !m.Full {
			return []any{}
		}
		return []any{m.make(s.Items, join(place, "0"))}
	case s.Is("string"):
		return Text(s.Format)
	case s.Is("integer"):
		return 1
	}
	return false
}

func (m Maker) object(s *Schema, place string) any {
	o := map[string]any{}
	for name, p := range s.Properties {
		if m.Full || slices.Contains(s.Required, name) {
			o[name] = m.make(p, join(place, name))
		}
	}
	for i, pattern := range slices.Sorted(maps.Keys(s.Keys)) {
		if (m.Full && len(o) == 0) || i < s.MinMembers {
			key := keyFor(pattern)
			o[key] = m.make(s.Keys[pattern], join(place, key))
		}
	}
	return o
}

// Text returns an example string for a format of the specification.
func Text(format string) string {
	switch format {
	case "mx-user-id":
		return "@someone:hs1"
	case "mx-room-id":
		return "!room:hs1"
	case "mx-event-id":
		return "$event"
	case "mx-room-alias":
		return "#alias:hs1"
	case "mx-server-name":
		return "hs1"
	case "mx-mxc-uri":
		return "mxc://hs1/media"
	case "uri":
		return "https://example.org/"
	case "email":
		return "someone@example.org"
	}
	return "text"
}

func keyFor(pattern string) string {
	switch {
	case strings.HasPrefix(pattern, "^@"):
		return Text("mx-user-id")
	case strings.HasPrefix(pattern, "^!"):
		return Text("mx-room-id")
	case strings.HasPrefix(pattern, `^\$`):
		return Text("mx-event-id")
	}
	return "key"
}

func join(place, name string) string { return strings.TrimPrefix(place+"/"+name, "/") }
