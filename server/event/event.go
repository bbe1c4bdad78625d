// SPDX-License-Identifier: Apache-2.0

// Package event holds room events in the federation format: reading and
// building them in the format of each room version, their IDs, hashes,
// signatures and redaction, and the form that clients see. It authorizes
// nothing, and knows neither rooms nor storage.
//
// Spec: server-server "PDUs" and "Signing Events"; room versions "Event format",
// "Event IDs" and "Redactions".
package event

import (
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
)

// Types of events that the pure packages know.
const (
	TypeCreate           = "m.room.create"
	TypeMember           = "m.room.member"
	TypePowerLevels      = "m.room.power_levels"
	TypeJoinRules        = "m.room.join_rules"
	TypeThirdPartyInvite = "m.room.third_party_invite"
	TypeRedaction        = "m.room.redaction"
	TypeAliases          = "m.room.aliases"
)

// An Event is a PDU: its canonical bytes and its header, decoded. It is a value
// that nobody changes once it is made; what makes another event out of one, such
// as Redact or Sign, returns a new one.
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
	namesRoom  bool // the PDU has a room_id of its own
	signatures []byte
}

// A StateKey names one entry of a room's state.
type StateKey struct {
	Type string
	Key  string
}

// Rules are those of the version of the event's room.
func (e *Event) Rules() *roomver.Rules { return e.rules }

// PDU returns the event in the federation format, as canonical JSON with hashes
// and signatures and without unsigned. The bytes must not be changed.
func (e *Event) PDU() []byte { return e.pdu }

// IsState tells whether the event is a state event.
func (e *Event) IsState() bool { return e.StateKey != nil }

// Key names the entry of the room state that a state event sets. It is only
// meaningful if IsState.
func (e *Event) Key() StateKey { return StateKey{e.Type, e.stateKey} }

// IsStateOf tells whether the event is a state event with this type and key.
func (e *Event) IsStateOf(typ, key string) bool {
	return e.StateKey != nil && e.Type == typ && e.stateKey == key
}

// Redacts returns the event that an m.room.redaction names as its target,
// wherever the room version puts it; empty for other types, or if it names none.
func (e *Event) Redacts() id.EventID { return e.redacts }

// NamesRoom tells whether the PDU carries a room_id. Only the create event of
// versions whose room IDs are its hash should not.
func (e *Event) NamesRoom() bool { return e.namesRoom }

// ContentMember returns a member of the content, nil if it has none of that
// name.
func (e *Event) ContentMember(name string) jsontext.Value { return Member(e.Content, name) }

// ContentText returns a member of the content that is a string, and whether it
// is one.
func (e *Event) ContentText(name string) (string, bool) {
	return Text(Member(e.Content, name))
}

// Membership returns content.membership, empty if that is not a string.
func (e *Event) Membership() string {
	s, _ := e.ContentText("membership")
	return s
}
