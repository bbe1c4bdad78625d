// SPDX-License-Identifier: Apache-2.0

package event

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
)

// Limits on events.
//
// Spec: client-server "Size limits"; the event formats of the room versions.
const (
	// MaxSize is the maximum size of an event in canonical JSON, with
	// signatures, in bytes.
	MaxSize = 65536
	// MaxID is the maximum length of sender, room_id, event_id, type and
	// state_key, in bytes.
	MaxID = 255
	// MaxPrevEvents and MaxAuthEvents limit the references of an event.
	MaxPrevEvents = 20
	MaxAuthEvents = 10
)

// ErrTooLarge is wrapped by the FormatError of an event or member that exceeds
// its limit.
var ErrTooLarge = errors.New("too large")

// A FormatError is the error of bytes that are not an event in the format of
// their room version. Such an event is dropped, not rejected.
type FormatError struct {
	Member string // empty if the error is about the whole event
	Reason string
	Err    error
}

func (e *FormatError) Error() string {
	if e.Member == "" {
		return "event " + e.Reason
	}
	return "event: " + e.Member + " " + e.Reason
}

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Err }

func wrongType(member, want string) error {
	return &FormatError{Member: member, Reason: "is not " + want}
}

func tooLarge(member string, n, limit int) error {
	return &FormatError{
		Member: member,
		Reason: fmt.Sprintf("has %d bytes, more than %d", n, limit),
		Err:    ErrTooLarge,
	}
}

// check checks those members that newEvent does not decode.
func (h *header) check(rules *roomver.Rules) error {
	if h.redacts != nil && !rules.RedactsInContent && !isString(h.redacts) {
		return wrongType("redacts", "a string")
	}
	if !isObject(h.hashes) {
		return wrongType("hashes", "an object")
	}
	if !isString(Member(h.hashes, "sha256")) {
		return wrongType("hashes.sha256", "a string")
	}
	if !isObject(h.signatures) {
		return wrongType("signatures", "an object")
	}
	servers := object(h.signatures)
	for _, keys, ok := servers.next(); ok; _, keys, ok = servers.next() {
		if !isObject(keys) {
			return wrongType("signatures", "an object of objects")
		}
		each := object(keys)
		for _, signature, ok := each.next(); ok; _, signature, ok = each.next() {
			if !isString(signature) {
				return wrongType("signatures", "an object of objects of strings")
			}
		}
	}
	if h.unsigned != nil && !isObject(h.unsigned) {
		return wrongType("unsigned", "an object")
	}
	return nil
}

// check checks the header: grammar and limits.
func (e *Event) check() error {
	if _, err := id.ParseUserID(string(e.Sender)); err != nil {
		return invalid("sender", string(e.Sender), err)
	}
	if err := e.checkRoomID(); err != nil {
		return err
	}
	if err := checkEventID("event_id", e.ID, e.rules); err != nil {
		return err
	}
	if len(e.Type) > MaxID {
		return tooLarge("type", len(e.Type), MaxID)
	}
	if len(e.stateKey) > MaxID {
		return tooLarge("state_key", len(e.stateKey), MaxID)
	}
	if e.Depth < 0 || e.Depth > e.rules.MaxDepth {
		return wrongType("depth", fmt.Sprintf("in 0 to %d", e.rules.MaxDepth))
	}
	return e.checkReferences()
}

func (e *Event) checkRoomID() error {
	if !e.namesRoom {
		// Spec: room version 12, "Event format": room_id is omitted from
		// m.room.create events.
		if e.rules.RoomIDIsCreateHash && e.Type == TypeCreate {
			return nil
		}
		return wrongType("room_id", "there")
	}
	roomID, err := id.ParseRoomID(string(e.RoomID))
	if err != nil {
		return invalid("room_id", string(e.RoomID), err)
	}
	if _, ok := roomID.Server(); !ok && !e.rules.RoomIDIsCreateHash {
		return wrongType("room_id", "a room ID with a domain")
	}
	return nil
}

func (e *Event) checkReferences() error {
	if n := len(e.PrevEvents); n > MaxPrevEvents {
		return wrongType("prev_events", fmt.Sprintf("a list of at most %d events", MaxPrevEvents))
	}
	if n := len(e.AuthEvents); n > MaxAuthEvents {
		return wrongType("auth_events", fmt.Sprintf("a list of at most %d events", MaxAuthEvents))
	}
	for _, ref := range e.PrevEvents {
		if err := checkEventID("prev_events", ref, e.rules); err != nil {
			return err
		}
	}
	for _, ref := range e.AuthEvents {
		if err := checkEventID("auth_events", ref, e.rules); err != nil {
			return err
		}
	}
	return nil
}

func checkEventID(member string, eventID id.EventID, rules *roomver.Rules) error {
	if _, err := id.ParseEventID(string(eventID)); err != nil {
		return invalid(member, string(eventID), err)
	}
	if _, ok := eventID.Server(); !ok && rules.EventID == roomver.EventIDGiven {
		return wrongType(member, "an event ID with a domain")
	}
	return nil
}

func invalid(member, value string, err error) error {
	if len(value) > MaxID {
		return tooLarge(member, len(value), MaxID)
	}
	return &FormatError{Member: member, Reason: "is invalid: " + err.Error(), Err: err}
}

func isObject(b []byte) bool { return len(b) > 0 && b[0] == '{' }
func isArray(b []byte) bool  { return len(b) > 0 && b[0] == '[' }
func isString(b []byte) bool { return len(b) > 0 && b[0] == '"' }

// integer decodes a number that is an integer. Where JSON is not strict, it
// accepts other notations of integers, such as 1e3.
func integer(raw []byte, strict bool) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err == nil {
		return n, true
	}
	if strict || len(raw) == 0 || isString(raw) {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}
