// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"errors"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// ErrUnknownRoom says that this server does not know a room.
var ErrUnknownRoom = errors.New("rooms: unknown room")

// ErrUnknownEvent says that an event that another one names is not in the room.
var ErrUnknownEvent = errors.New("rooms: the event is not in the room")

// A Refusal is why an event may not enter a room. The caller decides how to answer a
// client, another server or an administrator.
type Refusal struct {
	// Rule is the number of the authorization rule, or one of the names below.
	Rule   string
	Reason string
	// Malformed says that no user may send such an event.
	Malformed bool
	Err       error // nil, or what the reason was taken from
}

// Rules besides the authorization rules of the room versions.
const (
	RuleGuestAccess      = "guest_access"       // client-server "Guest Access"
	RuleRestricted       = "restricted"         // client-server "Restricted rooms"
	RuleRedaction        = "redaction"          // client-server "Redactions"
	RuleThirdParty       = "third_party_invite" // client-server "Third-party Invites"
	RuleInvitePermission = "invite_permission"  // client-server "Invite permission"
	RuleFederation       = "federation"         // what needs another server
	RuleMembership       = "membership"         // MemberChange.From
)

func (r *Refusal) Error() string { return "rooms: refused by rule " + r.Rule + ": " + r.Reason }

// sections are where the rules besides the authorization rules stand.
var sections = map[string]string{
	RuleGuestAccess:      "/client-server-api/#guest-access",
	RuleRestricted:       "/client-server-api/#restricted-rooms",
	RuleRedaction:        "/client-server-api/#redactions",
	RuleThirdParty:       "/client-server-api/#third-party-invites",
	RuleInvitePermission: "/client-server-api/#invite-permission",
	RuleFederation:       "/server-server-api/",
}

// RuleID names the rule, for the log and for who sent the event.
func (r *Refusal) RuleID() string {
	var rejection *eventauth.Rejection
	if errors.As(r.Err, &rejection) {
		return rejection.RuleID()
	}
	return "auth/" + r.Rule
}

// Section is where the rule stands in the specification, below its address.
func (r *Refusal) Section() string {
	var rejection *eventauth.Rejection
	if errors.As(r.Err, &rejection) {
		return rejection.Section()
	}
	return sections[r.Rule]
}

// Unwrap returns what the reason was taken from.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(rule, format string, args ...any) error {
	return &Refusal{Rule: rule, Reason: fmt.Sprintf(format, args...)}
}

// InvalidContent says why content cannot be part of an event.
//
// Spec: client-server "Size limits"; appendices "Canonical JSON".
type InvalidContent struct {
	Reason   string
	TooLarge bool
}

func (e *InvalidContent) Error() string { return "rooms: invalid content: " + e.Reason }

// Refused reports whether an error says that the event itself could not be, and not
// that something went wrong.
func Refused(err error) bool {
	var refusal *Refusal
	var content *InvalidContent
	return errors.As(err, &refusal) || errors.As(err, &content) || errors.Is(err, ErrUnknownEvent) || errors.Is(err, ErrUnknownRoom)
}

// unbuildable says what is wrong with content that cannot become an event.
func unbuildable(err error) error {
	return &InvalidContent{Reason: err.Error(), TooLarge: errors.Is(err, event.ErrTooLarge)}
}

// rejected makes a Refusal of what the authorization rules of a room version reject.
func rejected(rules *roomver.Rules, err error) error {
	var rejection *eventauth.Rejection
	if !errors.As(err, &rejection) {
		return err
	}
	rejection.Version = rules.Version
	return &Refusal{Rule: rejection.Rule, Reason: rejection.Reason, Malformed: rejection.Malformed, Err: err}
}

func unknownRoom(roomID id.RoomID) error { return fmt.Errorf("%w: %s", ErrUnknownRoom, roomID) }
