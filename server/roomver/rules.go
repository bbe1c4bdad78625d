// SPDX-License-Identifier: Apache-2.0

// Package roomver says how rooms of each version behave. A Rules value is plain
// data, a row of named behaviours; it is the only place that knows version
// numbers. Code elsewhere asks for the behaviour that it needs, never for a
// version, and nothing here performs one.
//
// Spec: room versions 1 to 12.
package roomver

import "fmt"

// Rules are the behaviours of one room version. Values are shared and must not
// be changed.
type Rules struct {
	// Version is the identifier that m.room.create carries as room_version.
	Version string

	// Event format.

	// EventID says where the ID of an event comes from.
	EventID EventIDFormat
	// ReferencesCarryHashes: prev_events and auth_events are pairs of an event
	// ID and its reference hash, not plain IDs.
	ReferencesCarryHashes bool
	// RoomIDIsCreateHash: the room's ID is the ID of its create event with the
	// sigil "!", and the create event itself has no room_id. Every other room
	// ID carries the domain of the server that made it.
	RoomIDIsCreateHash bool
	// StrictJSON: events are canonical JSON in the letter: integers in
	// ±(2^53−1), no floats. Elsewhere floats and big numbers pass.
	StrictJSON bool
	// MaxDepth is the largest depth that an event may claim.
	MaxDepth int64
	// RedactsInContent: m.room.redaction names its target in content.redacts,
	// not at the top level.
	RedactsInContent bool
	// CreatorInContent: m.room.create names the creator in content.creator. In
	// other versions the creator is the sender.
	CreatorInContent bool

	// Redaction says which members survive a redaction.
	Redaction *Redaction
	// RedactionNeedsAuth: whether a redaction may be applied is decided by the
	// authorization rules. Elsewhere the redaction is an ordinary event, and the
	// decision is made where it meets its target.
	RedactionNeedsAuth bool

	// EventIDServerSigns: the server named in the event ID must have signed the
	// event, besides the sender's.
	EventIDServerSigns bool
	// KeyValidityEnforced: a signing key counts only up to its valid_until_ts,
	// which itself counts for seven days at most.
	KeyValidityEnforced bool

	// StateResolution names the algorithm.
	StateResolution StateResolution

	// Authorization rules.

	// CreateEventImplied: events do not list the create event in auth_events,
	// since their room_id names it, and it must have been accepted.
	CreateEventImplied bool
	// AliasesHaveOwnRule: m.room.aliases is authorized by its state key alone.
	AliasesHaveOwnRule bool
	// NotificationLevelsChecked: changes to the notifications of
	// m.room.power_levels need the levels that they change.
	NotificationLevelsChecked bool
	// IntegerPowerLevels: power levels are JSON integers. Elsewhere strings,
	// and where JSON is not strict also floats, stand for integers.
	IntegerPowerLevels bool
	// Knock: users may ask to join by the membership and join rule "knock".
	Knock bool
	// Restricted: the join rule "restricted" lets members of other rooms join,
	// vouched for by join_authorised_via_users_server.
	Restricted bool
	// KnockRestricted: the join rule "knock_restricted" combines both.
	KnockRestricted bool
	// CreatorsPrivileged: the creators' power is infinite and cannot be listed
	// in m.room.power_levels.
	CreatorsPrivileged bool
	// AdditionalCreators: content.additional_creators of m.room.create names
	// further creators.
	AdditionalCreators bool
}

// An EventIDFormat says where event IDs come from.
type EventIDFormat uint8

const (
	// EventIDGiven: the origin chose the ID, $opaque:domain, and the event
	// carries it.
	EventIDGiven EventIDFormat = iota
	// EventIDHash: the reference hash in standard unpadded base64.
	EventIDHash
	// EventIDHashURLSafe: the reference hash in URL-safe unpadded base64.
	EventIDHashURLSafe
)

// A StateResolution names a state resolution algorithm.
type StateResolution string

const (
	StateResolutionV1  StateResolution = "1"
	StateResolutionV2  StateResolution = "2"
	StateResolutionV21 StateResolution = "2.1"
)

// A Redaction lists what a redacted event keeps.
type Redaction struct {
	// TopLevel names the members of the event that stay.
	TopLevel []string
	// Content names, per event type, the members of content that stay. The
	// content of every other type becomes empty.
	Content map[string][]string
	// WholeCreate: m.room.create keeps all of its content.
	WholeCreate bool
	// ThirdPartySigned: content.third_party_invite of m.room.member stays, with
	// nothing but its member "signed".
	ThirdPartySigned bool
}

// Default is the version of rooms that nobody chose a version for.
//
// Spec: room versions, "Servers SHOULD use room version 12 as the default".
const Default = "12"

// Of returns the rules of a version that a stored room has.
func Of(version string) (*Rules, error) {
	rules, ok := Get(version)
	if !ok {
		return nil, fmt.Errorf("unknown room version %q", version)
	}
	return rules, nil
}

// Get returns the rules of a version, and whether there is such a version.
func Get(version string) (*Rules, bool) {
	for i := range all {
		if all[i].Version == version {
			return &all[i], true
		}
	}
	return nil, false
}

// All returns the rules of every version, oldest first.
func All() []*Rules {
	rules := make([]*Rules, len(all))
	for i := range all {
		rules[i] = &all[i]
	}
	return rules
}
