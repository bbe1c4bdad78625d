// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"touchstone.example/api"
)

// Request judges the JSON body of a request, and the events in it. param gives a
// parameter of the path. It returns what it finds with its settings, each rule
// once for a place. Nothing is stored: the request may be judged twice.
func (j *Judge) Request(op *api.Operation, param func(name string) string, body []byte) ([]Violation, error) {
	schemas := j.cfg.Measure || j.requests
	takesEvents := eventsOf[op.Name()]
	judgesEvents := takesEvents != nil && (j.events || len(j.prose) > 0)
	if !schemas && !judgesEvents && len(j.prose[op.Name()]) == 0 {
		return nil, nil
	}
	value, err := decode(body)
	if err != nil {
		return nil, nil // the decoder says so
	}
	var found []Violation
	base := Violation{Direction: Request, Operation: op.Name()}
	if schemas {
		_, o, err := j.lib.operation(op)
		if err != nil {
			return nil, err
		}
		if o.request != nil {
			if found, err = j.judge(o.request, value, base, "request-"); err != nil {
				return nil, err
			}
		}
	}
	found = append(found, j.prose.body(op.Name(), op.Name(), value, "", base)...)
	if !judgesEvents {
		return j.settled(op, found, value), nil
	}
	for _, e := range takesEvents(param, value) {
		if j.events {
			vs, err := j.content(base, e)
			if err != nil {
				return nil, err
			}
			found = append(found, vs...)
		}
		base.Event = e.kind
		found = append(found, j.prose.body("event:"+e.kind, op.Name(), e.content, e.at, base)...)
	}
	return j.settled(op, found, value), nil
}

// settled completes violations of one body: those of rules that are off and
// second ones of a rule at a place are left out.
func (j *Judge) settled(op *api.Operation, vs []Violation, body any) []Violation {
	if len(vs) == 0 {
		return nil
	}
	type key struct {
		rule  string
		where Where
	}
	seen := map[key]bool{}
	var out []Violation
	for _, v := range vs {
		v.Setting = j.Setting(v.Rule)
		if k := (key{v.Rule, v.Where}); v.Setting == Off || seen[k] {
			continue
		} else {
			seen[k] = true
		}
		if v.Section == "" {
			r := j.rules[v.Rule]
			v.Section = cmp.Or(section(op), r.Link())
		}
		v.ErrCode = "M_BAD_JSON"
		if v.Event == "m.room.canonical_alias" && class(v.Keyword) == "format" {
			v.ErrCode = "M_INVALID_PARAM" // as setRoomStateWithKey says
		}
		if v.Keyword == "minProperties" { // only setProfileField has a least number of members
			v.ErrCode = "M_MISSING_PARAM"
		}
		hint := v.Hint
		api.Describe(&v, body)
		v.Hint = cmp.Or(hint, v.Hint)
		out = append(out, v)
	}
	return out
}

// A judgedEvent is an event in a request: its type, its content, and where in the
// body the content stands.
type judgedEvent struct {
	kind    string
	content any
	at      string
	partial bool // some members come from elsewhere
}

// eventsOf finds the events in the bodies of operations that take some.
var eventsOf = map[string]func(param func(string) string, body any) []judgedEvent{
	"clientapi.sendMessage":           wholeBody("eventType"),
	"clientapi.setRoomStateWithKey":   wholeBody("eventType"),
	"clientapi.setAccountData":        wholeBody("type"),
	"clientapi.setAccountDataPerRoom": wholeBody("type"),
	"clientapi.createRoom":            initialState,
	"clientapi.sendToDevice":          toDevice,
}

func wholeBody(param string) func(func(string) string, any) []judgedEvent {
	return func(value func(string) string, body any) []judgedEvent {
		return []judgedEvent{{kind: value(param), content: body}}
	}
}

func initialState(_ func(string) string, body any) []judgedEvent {
	room, _ := body.(map[string]any)
	list, _ := room["initial_state"].([]any)
	var out []judgedEvent
	for i, e := range list {
		event, _ := e.(map[string]any)
		if kind, ok := event["type"].(string); ok && event["content"] != nil {
			out = append(out, judgedEvent{kind: kind, content: event["content"], at: pointerTo("initial_state", i, "content")})
		}
	}
	if levels := room["power_level_content_override"]; levels != nil {
		out = append(out, judgedEvent{kind: "m.room.power_levels", content: levels, at: "/power_level_content_override", partial: true})
	}
	return out
}

func toDevice(param func(string) string, body any) []judgedEvent {
	object, _ := body.(map[string]any)
	users, _ := object["messages"].(map[string]any)
	var out []judgedEvent
	for _, user := range slices.Sorted(maps.Keys(users)) {
		devices, _ := users[user].(map[string]any)
		for _, device := range slices.Sorted(maps.Keys(devices)) {
			out = append(out, judgedEvent{kind: param("eventType"), content: devices[device], at: pointerTo("messages", user, device)})
		}
	}
	return out
}

// content judges the content of an event by the schema of its type. Types
// without a schema are free.
//
// Spec: client-server "Types of room events".
func (j *Judge) content(base Violation, e judgedEvent) ([]Violation, error) {
	object, _ := e.content.(map[string]any)
	names := []string{e.kind}
	for kind, member := range map[string]string{"m.room.message": "msgtype", "m.key.verification.start": "method"} {
		if variant, ok := object[member].(string); ok && e.kind == kind {
			names = []string{e.kind + "$" + variant, e.kind}
		}
	}
	s, whole, err := j.contentSchema(names)
	if err != nil || s == nil {
		return nil, err
	}
	base.Rule, base.Event = EventContent, e.kind
	value, prefix := e.content, ""
	if whole {
		prefix = "/content"
		value = map[string]any{
			"type": e.kind, "content": e.content, "state_key": "", "sender": "@a:b", "room_id": "!a:b",
			"event_id": "$a:b", "origin_server_ts": json.Number("0"),
		}
	}
	found, err := s.violations(value, base, "")
	if err != nil {
		return nil, err
	}
	var out []Violation
	for _, v := range found {
		rest, inContent := strings.CutPrefix(v.Where.Pointer, prefix)
		if !inContent || rest != "" && rest[0] != '/' || e.partial && v.Keyword == "required" {
			continue
		}
		if v.Keyword == "enum" {
			v.Rule = "request-enum"
		}
		v.Where, v.Section = api.InBody(e.at+rest), eventSection(e.kind)
		out = append(out, v)
	}
	return out, nil
}

// contentSchema returns the first schema that there is.
func (j *Judge) contentSchema(names []string) (s *schema, whole bool, err error) {
	for _, name := range names {
		if strings.Contains(name, "/") { // a type that is made to lead elsewhere
			return nil, false, nil
		}
		if s, whole, err = j.lib.content(name); err != nil || s != nil {
			return s, whole, err
		}
	}
	return nil, false, nil
}

// eventSection is the address of the section of an event type. The pages have one
// for each type that has a schema.
func eventSection(kind string) string {
	return site + "client-server-api/#" + strings.ReplaceAll(strings.ToLower(kind), ".", "")
}
