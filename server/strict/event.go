// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Content judges the content of an event by the schema of its type. Types
// without a schema are free. who says who made the event.
//
// Spec: client-server "Types of room events".
func (j *Judge) Content(who, eventType string, content []byte) error {
	if j.Setting("event-content") == Off {
		return nil
	}
	v, err := decode(content)
	if err != nil {
		return fmt.Errorf("strict: content: %w", err)
	}
	object, _ := v.(map[string]any)
	name := eventType
	if kind, ok := object["msgtype"].(string); ok && eventType == "m.room.message" {
		name += "$" + kind
	}
	if method, ok := object["method"].(string); ok && eventType == "m.key.verification.start" {
		name += "$" + method
	}
	s, err := j.eventSchema("events/", name, eventType)
	if err != nil || s == nil {
		return err
	}
	// The schema is that of a whole event; only the content is looked at.
	whole := map[string]any{
		"type": eventType, "content": v, "state_key": "", "sender": "@a:b", "room_id": "!a:b",
		"event_id": "$a:b", "origin_server_ts": json.Number("0"),
	}
	vs, err := s.violations(whole, Violation{Direction: Event, Rule: "event-content", Event: eventType}, "")
	if err != nil {
		return err
	}
	var inContent []Violation
	for _, one := range vs {
		if one.Where.Pointer == "/content" || strings.HasPrefix(one.Where.Pointer, "/content/") {
			inContent = append(inContent, one)
		}
	}
	return j.notes(inContent)
}

// EDU judges an ephemeral message between servers by its type.
//
// Spec: server-server "EDUs".
func (j *Judge) EDU(who string, edu []byte) error {
	return j.federation(who, edu, "edu_type", "edus/", func(kind string) string { return kind })
}

// PDU judges an event between servers by the format of its room version.
//
// Spec: server-server "PDUs", and the room versions' event formats.
func (j *Judge) PDU(who, roomVersion string, pdu []byte) error {
	format, ok := pduFormats[roomVersion]
	if !ok {
		return nil
	}
	return j.federation(who, pdu, "type", "pdus/", func(string) string { return "pdu_" + format })
}

// pduFormats says which format each room version uses.
var pduFormats = map[string]string{
	"1": "v1", "2": "v1", "3": "v3", "4": "v4", "5": "v4", "6": "v6", "7": "v6", "8": "v6",
	"9": "v6", "10": "v6", "11": "v11", "12": "v12",
}

func (j *Judge) federation(who string, body []byte, kindMember, folder string, file func(kind string) string) error {
	if j.Setting("federation-event") == Off {
		return nil
	}
	v, err := decode(body)
	if err != nil {
		return fmt.Errorf("strict: event: %w", err)
	}
	object, _ := v.(map[string]any)
	kind, _ := object[kindMember].(string)
	s, err := j.eventSchema(folder, file(kind))
	if err != nil || s == nil {
		return err
	}
	vs, err := s.violations(v, Violation{Direction: Event, Rule: "federation-event", Event: kind, Who: Sender{Server: who}}, "")
	if err != nil {
		return err
	}
	return j.notes(vs)
}

// eventSchema returns the first schema that there is.
func (j *Judge) eventSchema(folder string, names ...string) (*schema, error) {
	for _, name := range names {
		if strings.Contains(name, "/") { // a type that is made to lead elsewhere
			return nil, nil
		}
		s, err := j.lib.event(folder + name)
		if err != nil || s != nil {
			return s, err
		}
	}
	return nil, nil
}
