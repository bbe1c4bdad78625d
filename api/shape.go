// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Shape describes a JSON value without its contents: its type and size.
func Shape(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return count(utf8.RuneCountInString(v), "string of %d character")
	case []any:
		return count(len(v), "array of %d element")
	case map[string]any:
		return object(v)
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
	case fmt.Stringer: // a number as it was written
		if !strings.ContainsAny(v.String(), ".eE") {
			return "integer"
		}
	}
	return "number"
}

func count(n int, format string) string {
	s := fmt.Sprintf(format, n)
	if n != 1 {
		s += "s"
	}
	return s
}

// shownMembers is how many member names a shape lists, shownName how long they may be:
// longer ones may be data.
const shownMembers, shownName = 8, 40

func object(m map[string]any) string {
	if len(m) == 0 {
		return "empty object"
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if len(names) < shownMembers && len(name) <= shownName && !strings.ContainsFunc(name, unusual) {
			names = append(names, name)
		}
	}
	s := "object with members " + strings.Join(names, ", ")
	switch rest := len(m) - len(names); {
	case len(names) == 0:
		return count(rest, "object with %d member")
	case rest > 0:
		return fmt.Sprintf("%s and %d more", s, rest)
	}
	return s
}

func unusual(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.:", r)
}

// Describe adds to a violation what the body has at its place, and the usual cause.
func Describe(v *Violation, body any) {
	value, ok := Lookup(body, v.Where.Pointer)
	if !ok {
		v.Found, v.Hint = "absent", missingHint(v)
		return
	}
	v.Found = Shape(value)
	v.Hint = Hint(v.Expected, value)
}

// Lookup returns the value at a JSON pointer.
func Lookup(v any, pointer string) (any, bool) {
	if pointer == "" {
		return v, true
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch in := v.(type) {
		case map[string]any:
			value, ok := in[token]
			if !ok {
				return nil, false
			}
			v = value
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func missingHint(v *Violation) string {
	if v.Event == "m.room.message" && strings.HasSuffix(v.Where.Pointer, "/msgtype") {
		return "every m.room.message says what it is: msgtype m.text for text"
	}
	return ""
}

// sigils are the sigils of identifiers, with an example of each.
var sigils = map[string][2]string{
	"a user ID":    {"@", "@alice:example.org"},
	"a room ID":    {"!", "!room:example.org"},
	"an event ID":  {"$", "$event"},
	"a room alias": {"#", "#room:example.org"},
}

// Hint names a common mistake of clients, from what was expected and what was found.
func Hint(expected string, value any) string {
	if value == nil {
		if expected == "an array" {
			return "null is not an absent list: leave the member out, or send []"
		}
		return "null is not an absent member: leave it out"
	}
	text, isText := value.(string)
	if sigil, ok := sigils[expected]; ok && isText {
		return identifierHint(expected, sigil, text)
	}
	_, isList := value.([]any)
	switch _, isObject := value.(map[string]any); {
	case expected == "an array" && !isList:
		return "a single value stands in a list, too"
	case isText && expected == "an object" && strings.HasPrefix(strings.TrimSpace(text), "{"):
		return "this looks like an object that was encoded twice, into a string"
	case isText && (expected == "an integer" || expected == "a number" || expected == "true or false"):
		return "without quotes"
	case !isText && !isList && !isObject && expected == "a string":
		return "in quotes"
	}
	return ""
}

func identifierHint(expected string, sigil [2]string, text string) string {
	switch {
	case !strings.HasPrefix(text, sigil[0]):
		return fmt.Sprintf("%s begins with %s, as in %s", expected, sigil[0], sigil[1])
	case !strings.Contains(text, ":") && strings.Contains(sigil[1], ":"):
		return fmt.Sprintf("%s names its server, as in %s", expected, sigil[1])
	}
	return ""
}
