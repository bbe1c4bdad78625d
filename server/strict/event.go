// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"strings"
)

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
