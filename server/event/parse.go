// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"fmt"
	"strings"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
)

// Parse reads an event from outside. It checks the event format of the room
// version and the size limits, canonicalises, and computes the event's ID and,
// where it is the create event's hash, the room ID. The caller must check
// signatures and the content hash. unsigned counts towards the size but is
// removed, since no signature covers it.
//
// Where JSON is strict, numbers must be written as in canonical JSON: a server
// that signed 1e3 cannot have computed its hash over 1000.
//
// Spec: server-server "Checks performed on receipt of a PDU", 1; client-server
// "Size limits"; room version 6 "Canonical JSON".
func Parse(rules *roomver.Rules, pdu []byte) (*Event, error) {
	b, err := canonicalPDU(rules, pdu)
	if err != nil {
		return nil, err
	}
	return parseCanonical(rules, b)
}

// canonicalPDU returns a canonical copy of an event from outside.
func canonicalPDU(rules *roomver.Rules, pdu []byte) ([]byte, error) {
	if canonjson.IsCanonical(pdu, mode(rules)) {
		return bytes.Clone(pdu), nil
	}
	if rules.StrictJSON && !plainNumbers(pdu) {
		return nil, &FormatError{Reason: "has a number with a fraction, an exponent or a negative zero", Err: canonjson.ErrNumber}
	}
	b, err := canonjson.Append(make([]byte, 0, len(pdu)), pdu, mode(rules))
	if err != nil {
		return nil, fmt.Errorf("canonicalise event: %w", err)
	}
	return b, nil
}

// parseCanonical is Parse for bytes that are canonical already. The event keeps
// them.
func parseCanonical(rules *roomver.Rules, b []byte) (*Event, error) {
	if len(b) > MaxSize {
		return nil, tooLarge("", len(b), MaxSize)
	}
	h, err := scanHeader(b)
	if err != nil {
		return nil, err
	}
	if err := h.check(rules); err != nil {
		return nil, err
	}
	if h.unsigned != nil {
		b = cutUnsigned(b)
	}
	e, err := newEvent(rules, b, &h)
	if err != nil {
		return nil, err
	}
	if rules.EventID != roomver.EventIDGiven {
		e.setID(e.hashID())
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return e, nil
}

// Trusted reads an event from our own storage. pdu must be what PDU returned
// for an event that Parse or Build made, and eventID its ID. The event keeps
// pdu.
func Trusted(rules *roomver.Rules, eventID id.EventID, pdu []byte) (*Event, error) {
	h, err := scanHeader(pdu)
	if err != nil {
		return nil, err
	}
	e, err := newEvent(rules, pdu, &h)
	if err != nil {
		return nil, err
	}
	e.setID(eventID)
	return e, nil
}

func mode(rules *roomver.Rules) canonjson.Mode {
	if rules.StrictJSON {
		return canonjson.Strict
	}
	return canonjson.Lenient
}

// header holds the raw value of each member that this package reads.
type header struct {
	authEvents, content, depth, eventID, hashes, originServerTS, prevEvents []byte
	redacts, roomID, sender, signatures, stateKey, typ, unsigned            []byte
}

func scanHeader(pdu []byte) (h header, err error) {
	c := object(pdu)
	for key, value, ok := c.next(); ok; key, value, ok = c.next() {
		switch string(key) {
		case "auth_events":
			h.authEvents = value
		case "content":
			h.content = value
		case "depth":
			h.depth = value
		case "event_id":
			h.eventID = value
		case "hashes":
			h.hashes = value
		case "origin_server_ts":
			h.originServerTS = value
		case "prev_events":
			h.prevEvents = value
		case "redacts":
			h.redacts = value
		case "room_id":
			h.roomID = value
		case "sender":
			h.sender = value
		case "signatures":
			h.signatures = value
		case "state_key":
			h.stateKey = value
		case "type":
			h.typ = value
		case "unsigned":
			h.unsigned = value
		}
	}
	if c.bad {
		return h, &FormatError{Reason: "is not a JSON object"}
	}
	return h, nil
}

// cutUnsigned removes the member unsigned from b, in place. All members in the
// header sort before it, so the header stays valid.
func cutUnsigned(b []byte) []byte {
	c := object(b)
	for start := c.i; ; start = c.i {
		key, _, ok := c.next()
		switch {
		case !ok:
			return b
		case string(key) != "unsigned":
		case c.i < len(b): // c.i is the index of the next member
			return append(b[:start], b[c.i:]...)
		case b[start-1] == ',':
			return append(b[:start-1], '}')
		default:
			return append(b[:start], '}')
		}
	}
}

// newEvent decodes the header of canonical bytes, which the event keeps. It
// sets the ID if the event carries one.
func newEvent(rules *roomver.Rules, pdu []byte, h *header) (*Event, error) {
	e := &Event{rules: rules, pdu: pdu, Content: h.content, signatures: h.signatures}
	if !isObject(h.content) {
		return nil, wrongType("content", "an object")
	}
	var ok bool
	if e.Depth, ok = integer(h.depth, rules.StrictJSON); !ok {
		return nil, wrongType("depth", "an integer")
	}
	if e.OriginServerTS, ok = integer(h.originServerTS, rules.StrictJSON); !ok {
		return nil, wrongType("origin_server_ts", "an integer")
	}
	texts := newArena(h)
	if err := e.decodeTexts(h, texts); err != nil {
		return nil, err
	}
	if err := e.decodeReferences(h, texts); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Event) decodeTexts(h *header, texts *arena) error {
	var ok bool
	if e.Type, ok = texts.decode(h.typ); !ok {
		return wrongType("type", "a string")
	}
	sender, ok := texts.decode(h.sender)
	if !ok {
		return wrongType("sender", "a string")
	}
	e.Sender = id.UserID(sender)
	if h.stateKey != nil {
		if e.stateKey, ok = texts.decode(h.stateKey); !ok {
			return wrongType("state_key", "a string")
		}
		e.StateKey = &e.stateKey
	}
	if h.roomID != nil {
		roomID, ok := texts.decode(h.roomID)
		if !ok {
			return wrongType("room_id", "a string")
		}
		e.RoomID, e.namesRoom = id.RoomID(roomID), true
	}
	if e.rules.EventID == roomver.EventIDGiven {
		eventID, ok := texts.decode(h.eventID)
		if !ok {
			return wrongType("event_id", "a string")
		}
		e.ID = id.EventID(eventID)
	}
	if e.Type == TypeRedaction {
		target := h.redacts
		if e.rules.RedactsInContent {
			target = Member(h.content, "redacts")
		}
		redacts, _ := texts.decode(target)
		e.redacts, _ = id.ParseEventID(redacts) // a value that is no event ID names no event
	}
	return nil
}

func (e *Event) decodeReferences(h *header, texts *arena) error {
	ids := make([]id.EventID, 0, countElements(h.prevEvents)+countElements(h.authEvents))
	var ok bool
	if ids, ok = texts.references(ids, h.prevEvents, e.rules); !ok {
		return wrongType("prev_events", "a list of references to events")
	}
	n := len(ids)
	if ids, ok = texts.references(ids, h.authEvents, e.rules); !ok {
		return wrongType("auth_events", "a list of references to events")
	}
	e.PrevEvents, e.AuthEvents = ids[:n:n], ids[n:]
	return nil
}

// setID sets the ID of an event, and its room ID if that is derived from it.
func (e *Event) setID(eventID id.EventID) {
	e.ID = eventID
	if e.rules.RoomIDIsCreateHash && e.Type == TypeCreate && len(eventID) > 0 {
		e.RoomID = id.RoomID("!" + eventID[1:])
	}
}

// An arena decodes all strings of one header with a single allocation.
type arena struct{ b strings.Builder }

func newArena(h *header) *arena {
	a := new(arena)
	a.b.Grow(len(h.typ) + len(h.sender) + len(h.stateKey) + len(h.roomID) + len(h.eventID) +
		len(h.redacts) + len(h.prevEvents) + len(h.authEvents))
	return a
}

func (a *arena) decode(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		return unquote(raw)
	}
	start := a.b.Len()
	a.b.Write(raw[1 : len(raw)-1])
	return a.b.String()[start:], true
}

// references appends the event IDs of prev_events or auth_events to ids.
func (a *arena) references(ids []id.EventID, raw []byte, rules *roomver.Rules) ([]id.EventID, bool) {
	if !isArray(raw) {
		return ids, false
	}
	for ref := range elements(raw) {
		if rules.ReferencesCarryHashes {
			var ok bool
			if ref, ok = firstOfPair(ref); !ok {
				return ids, false
			}
		}
		eventID, ok := a.decode(ref)
		if !ok {
			return ids, false
		}
		ids = append(ids, id.EventID(eventID))
	}
	return ids, true
}

// firstOfPair returns the event ID of a reference in the old format: an event
// ID with its hashes.
func firstOfPair(pair []byte) (eventID []byte, ok bool) {
	n := 0
	for v := range elements(pair) {
		switch n {
		case 0:
			eventID = v
		case 1:
			ok = isString(Member(v, "sha256"))
		default:
			return nil, false
		}
		n++
	}
	return eventID, ok
}

func countElements(array []byte) int {
	n := 0
	for range elements(array) {
		n++
	}
	return n
}
