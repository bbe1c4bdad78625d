// SPDX-License-Identifier: Apache-2.0

// Package roomver describes the behaviour of each room version as data. Only
// this package knows version numbers: other code asks a Rules value for the
// single behaviour that it needs. The package implements no behaviour.
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
	// StrictJSON: events must be canonical JSON to the letter: integers in
	// ±(2^53−1), no floats. Other versions accept floats and big numbers.
	StrictJSON bool
	// MaxDepth is the largest depth that an event may have.
	MaxDepth int64
	// RedactsInContent: m.room.redaction names its target in content.redacts,
	// not at the top level.
	RedactsInContent bool
	// CreatorInContent: m.room.create names the creator in content.creator. In
	// other versions the creator is the sender.
	CreatorInContent bool

	// Redaction lists the members that a redaction keeps.
	Redaction *Redaction
	// RedactionNeedsAuth: the authorization rules decide whether a redaction
	// may be sent. In other versions a redaction is an ordinary event, and a
	// server decides when it has both the redaction and its target.
	RedactionNeedsAuth bool

	// EventIDServerSigns: the server named in the event ID must have signed the
	// event, in addition to the sender's server.
	EventIDServerSigns bool
	// KeyValidityEnforced: a signing key is valid only up to its
	// valid_until_ts, which may be at most seven days ahead.
	KeyValidityEnforced bool

	// StateResolution names the algorithm.
	StateResolution StateResolution

	// Authorization rules.

	// CreateEventImplied: events do not list the create event in auth_events,
	// since their room_id names it; it must have been accepted.
	CreateEventImplied bool
	// AliasesHaveOwnRule: m.room.aliases is authorized by its state key alone.
	AliasesHaveOwnRule bool
	// NotificationLevelsChecked: a user may change entries of notifications in
	// m.room.power_levels only up to their own level.
	NotificationLevelsChecked bool
	// IntegerPowerLevels: power levels are JSON integers. Other versions also
	// accept strings and, where JSON is not strict, floats.
	IntegerPowerLevels bool
	// Knock: users may ask to join by the membership and join rule "knock".
	Knock bool
	// Restricted: the join rule "restricted" lets members of other rooms join
	// if a member who may invite authorises it
	// (join_authorised_via_users_server).
	Restricted bool
	// KnockRestricted: there is a join rule "knock_restricted", which combines
	// the two.
	KnockRestricted bool
	// CreatorsPrivileged: creators have infinite power and must not be listed
	// in m.room.power_levels.
	CreatorsPrivileged bool
	// AdditionalCreators: content.additional_creators of m.room.create lists
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
	// ThirdPartySigned: content.third_party_invite of m.room.member is kept
	// with only its member "signed".
	ThirdPartySigned bool
}

// Default is the version of new rooms whose creator chose none.
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
