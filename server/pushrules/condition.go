// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/server/filter"
)

// A condition is a compiled condition of a rule; it is evaluated for an event
// and a user.
type condition interface {
	holds(ev *Event, in *input) bool
}

// input is what conditions read in addition to the event.
type input struct {
	room        *RoomInfo
	displayName string
	mentioned   bool // the content's m.mentions names the user
	about       bool // it is a membership event whose state key is the user
}

type wireCondition struct {
	Kind    jsontext.Value `json:"kind"`
	Key     jsontext.Value `json:"key"`
	Pattern jsontext.Value `json:"pattern"`
	Is      jsontext.Value `json:"is"`
	Value   jsontext.Value `json:"value"`
}

// parseCondition compiles a condition. It returns nil for a condition of an
// unknown kind, which is allowed but never true.
//
// Spec: client-server "Conditions".
func parseCondition(raw jsontext.Value) (condition, error) {
	var w wireCondition
	if raw.Kind() != '{' {
		return nil, errors.New("a condition is an object")
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, err
	}
	kind, err := w.text("kind", w.Kind)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "event_match":
		return w.eventMatch()
	case "event_property_is":
		path, value, err := w.property()
		return propertyIs{path, value}, err
	case "event_property_contains":
		path, value, err := w.property()
		return propertyContains{path, value}, err
	case "contains_display_name":
		return containsDisplayName{}, nil
	case "room_member_count":
		is, err := w.text("is", w.Is)
		if err != nil {
			return nil, err
		}
		return parseMemberCount(is)
	case "sender_notification_permission":
		key, err := w.text("key", w.Key)
		return senderPermission(key), err
	default:
		return nil, nil
	}
}

func (w *wireCondition) text(name string, v jsontext.Value) (string, error) {
	if v == nil {
		return "", fmt.Errorf("a condition needs a %s", name)
	}
	s, err := stringOf(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (w *wireCondition) eventMatch() (condition, error) {
	key, err := w.text("key", w.Key)
	if err != nil {
		return nil, err
	}
	glob, err := w.text("pattern", w.Pattern)
	if err != nil {
		return nil, err
	}
	if err := checkPattern(glob); err != nil {
		return nil, err
	}
	path := filter.SplitPath(key)
	if len(path) == 2 && path[0] == "content" && path[1] == "body" {
		return bodyMatch{newPattern(glob)}, nil
	}
	return eventMatch{path, newPattern(glob)}, nil
}

func (w *wireCondition) property() (path []string, value scalar, err error) {
	key, err := w.text("key", w.Key)
	if err != nil {
		return nil, value, err
	}
	if w.Value == nil {
		return nil, value, errors.New("a condition needs a value")
	}
	if value = scalarOf(w.Value); value.kind == 0 {
		return nil, value, errors.New("value: want a string, an integer, a boolean or null")
	}
	return filter.SplitPath(key), value, nil
}

// eventMatch compares a whole string with a glob.
type eventMatch struct {
	path    []string
	pattern pattern
}

func (c eventMatch) holds(ev *Event, _ *input) bool {
	n := ev.root.at(c.path)
	return n != nil && n.value.kind == '"' && c.pattern.whole(fold(n.value.text))
}

// bodyMatch looks for a glob in the words of the content's body.
type bodyMatch struct{ pattern pattern }

func (c bodyMatch) holds(ev *Event, _ *input) bool {
	return ev.hasBody && c.pattern.words(ev.body)
}

type propertyIs struct {
	path  []string
	value scalar
}

func (c propertyIs) holds(ev *Event, _ *input) bool {
	n := ev.root.at(c.path)
	return n != nil && n.value == c.value
}

type propertyContains struct {
	path  []string
	value scalar
}

func (c propertyContains) holds(ev *Event, _ *input) bool {
	n := ev.root.at(c.path)
	return n != nil && n.items[c.value]
}

// containsDisplayName looks for the user's display name in the body. The
// specification does not say whether it must be a whole word. We require it, so
// that a name of one letter does not match everything.
type containsDisplayName struct{}

func (containsDisplayName) holds(ev *Event, in *input) bool {
	return in.displayName != "" && ev.hasBody && literal(in.displayName).words(ev.body)
}

// senderPermission is true if the sender's power level allows this kind of
// notification.
type senderPermission string

func (c senderPermission) holds(_ *Event, in *input) bool {
	need := int64(50) // the default of m.room.power_levels' notifications.room
	if in.room.NotificationLevel != nil {
		need = in.room.NotificationLevel(string(c))
	}
	return in.room.SenderLevel >= need
}

// memberCount compares the number of joined members with a number.
type memberCount struct {
	op string
	n  int
}

func parseMemberCount(is string) (condition, error) {
	digits := strings.TrimLeft(is, "=<>")
	op := is[:len(is)-len(digits)]
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("is: %q does not end in a decimal integer", is)
	}
	switch op {
	case "", "==", "<", ">", ">=", "<=":
		return memberCount{op, int(n)}, nil
	default:
		return nil, fmt.Errorf("is: %q is no comparison", op)
	}
}

func (c memberCount) holds(_ *Event, in *input) bool {
	switch n := in.room.Members; c.op {
	case "<":
		return n < c.n
	case ">":
		return n > c.n
	case ">=":
		return n >= c.n
	case "<=":
		return n <= c.n
	default:
		return n == c.n
	}
}

// aboutMe and mentionsMe are the conditions of default rules that name the
// user. They compare exactly and contain no user ID, so that all users share
// the compiled default rules.
type (
	aboutMe    struct{}
	mentionsMe struct{}
)

func (aboutMe) holds(_ *Event, in *input) bool    { return in.about }
func (mentionsMe) holds(_ *Event, in *input) bool { return in.mentioned }
