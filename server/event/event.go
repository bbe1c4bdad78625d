// SPDX-License-Identifier: Apache-2.0

// Package event implements room events in the federation format: parsing and
// building in the format of each room version, event IDs, hashes, signatures
// and redaction, and the client format. It authorizes nothing, and knows
// neither rooms nor storage.
//
// Spec: server-server "PDUs" and "Signing Events"; room versions "Event
// format", "Event IDs" and "Redactions".
package event

import (
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
)

// Event types that the pure packages use.
const (
	TypeCreate           = "m.room.create"
	TypeMember           = "m.room.member"
	TypePowerLevels      = "m.room.power_levels"
	TypeJoinRules        = "m.room.join_rules"
	TypeThirdPartyInvite = "m.room.third_party_invite"
	TypeRedaction        = "m.room.redaction"
	TypeAliases          = "m.room.aliases"
)

// An Event is a PDU: its canonical bytes and its decoded header. It is
// immutable; methods that change an event, such as Redact and Sign, return a
// new one.
type Event struct {
	ID             id.EventID
	RoomID         id.RoomID
	Sender         id.UserID
	Type           string
	StateKey       *string // nil for message events
	Depth          int64
	OriginServerTS int64
	PrevEvents     []id.EventID
	AuthEvents     []id.EventID
	Content        jsontext.Value // canonical, always an object

	rules      *roomver.Rules
	pdu        []byte
	stateKey   string
	redacts    id.EventID
	namesRoom  bool // the PDU has a room_id
	signatures []byte
}

// A StateKey is the key of an entry of a room's state: event type and state
// key.
type StateKey struct {
	Type string
	Key  string
}

// Rules returns the rules of the event's room version.
func (e *Event) Rules() *roomver.Rules { return e.rules }

// PDU returns the event in the federation format, as canonical JSON with hashes
// and signatures and without unsigned. The bytes must not be changed.
func (e *Event) PDU() []byte { return e.pdu }

// IsState reports whether the event is a state event.
func (e *Event) IsState() bool { return e.StateKey != nil }

// Key returns the key of the state entry that a state event sets. Call it only
// if IsState.
func (e *Event) Key() StateKey { return StateKey{e.Type, e.stateKey} }

// IsStateOf reports whether the event is a state event with this type and key.
func (e *Event) IsStateOf(typ, key string) bool {
	return e.StateKey != nil && e.Type == typ && e.stateKey == key
}

// Redacts returns the target of an m.room.redaction, from wherever the room
// version has it; empty for other types, and if the event names no target.
func (e *Event) Redacts() id.EventID { return e.redacts }

// NamesRoom reports whether the PDU has a room_id. Create events do not have
// one in versions where their hash is the room ID.
func (e *Event) NamesRoom() bool { return e.namesRoom }

// ContentMember returns a member of the content, nil if the content has no such
// member.
func (e *Event) ContentMember(name string) jsontext.Value { return Member(e.Content, name) }

// ContentText returns a string member of the content; ok is false if there is
// no such member or it is not a string.
func (e *Event) ContentText(name string) (string, bool) {
	return Text(Member(e.Content, name))
}

// Membership returns content.membership, empty if that is not a string.
func (e *Event) Membership() string {
	s, _ := e.ContentText("membership")
	return s
}
