// SPDX-License-Identifier: Apache-2.0

// Package visibility decides whether a user may see an event, and which state
// of a room a user may read. It is pure: the caller passes the room's state at
// the event and the user's memberships, and gets a decision with its reason. It
// does not hide rejected events or those of ignored users; callers do.
//
// Spec: client-server "Room History Visibility".
package visibility

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// History is a value of history_visibility in m.room.history_visibility.
type History string

// The values of the specification. Any other value, or none, counts as Shared.
const (
	WorldReadable History = "world_readable"
	Shared        History = "shared"
	Invited       History = "invited"
	Joined        History = "joined"
)

// Membership is a membership of m.room.member; the zero value means that the
// user has no such event.
type Membership string

// The memberships.
const (
	None   Membership = ""
	Invite Membership = "invite"
	Join   Membership = "join"
	Knock  Membership = "knock"
	Leave  Membership = "leave"
	Ban    Membership = "ban"
)

// State is the part of a room's state that decides what a user may see.
type State struct {
	History    History
	Membership Membership
}

// With returns the state after an event. Only the history visibility and the
// user's own membership can change it.
func (s State) With(user id.UserID, typ string, stateKey *string, content jsontext.Value) State {
	switch {
	case stateKey == nil:
	case typ == "m.room.history_visibility" && *stateKey == "":
		s.History = HistoryOf(content)
	case typ == "m.room.member" && *stateKey == string(user):
		s.Membership = MembershipOf(content)
	}
	return s
}

// HistoryOf reads the content of m.room.history_visibility. Unknown values
// become Shared.
func HistoryOf(content jsontext.Value) History {
	switch h := History(member(content, "history_visibility")); h {
	case WorldReadable, Invited, Joined:
		return h
	default:
		return Shared
	}
}

// MembershipOf reads the membership from the content of m.room.member.
func MembershipOf(content jsontext.Value) Membership {
	return Membership(member(content, "membership"))
}

// member returns a string member of an object, or "". It also accepts the
// malformed JSON that old rooms contain.
func member(content jsontext.Value, name string) string {
	dec := jsontext.NewDecoder(bytes.NewReader(content), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return ""
	}
	for dec.PeekKind() == '"' {
		key, err := dec.ReadToken()
		if err != nil {
			return ""
		}
		if key.String() != name {
			if dec.SkipValue() != nil {
				return ""
			}
			continue
		}
		if value, err := dec.ReadToken(); err == nil && value.Kind() == '"' {
			return value.String()
		}
		return ""
	}
	return ""
}

// Viewer is a user's history in a room, apart from the state at the event in
// question.
type Viewer struct {
	EverJoined  bool // has been joined at any time; JoinedSince implies it
	JoinedSince bool // has joined after the event, even if they left again
	Forgotten   bool // has left the room and forgotten it
}

// Reason is the rule that decided.
type Reason uint8

// The reasons, in the order and with the numbers of the specification's list;
// NeverJoined and Forgot come from the text before the list.
const (
	Otherwise     Reason = iota // rule 5: nothing allows it
	WorldRule                   // rule 1: the history visibility was world_readable
	MemberRule                  // rule 2: the user was joined
	SharedRule                  // rule 3: the history visibility was shared, and the user joined later
	InvitedRule                 // rule 4: the user was invited, and the history visibility was invited
	NeverJoined                 // a user who has never joined sees only world_readable history
	Forgot                      // a user who has forgotten a room cannot retrieve its history
	CurrentMember               // the user is joined
	FormerMember                // the user was joined earlier
)

// String returns a sentence that explains the reason to people.
func (r Reason) String() string {
	return [...]string{
		"no rule allows it",
		"the history was world_readable",
		"the user was a member of the room at the event",
		"the history was shared, and the user joined afterwards",
		"the user was invited, and the history was visible to invited users",
		"the user never joined the room",
		"the user has forgotten the room",
		"the user is a member of the room",
		"the user was a member of the room once",
	}[r]
}

// Event decides whether a user may see an event. Before and after are the
// room's state right before the event and right after it (see State.With). They
// differ only for changes of the history visibility and of the user's own
// membership; the user may see such an event if either state allows it.
func Event(before, after State, v Viewer) (bool, Reason) {
	if ok, why := at(before, v); ok || before == after {
		return ok, why
	}
	return at(after, v)
}

// at applies the numbered rules to one state.
//
// Taken alone, the rules would let an invited user read history with visibility
// "invited" without joining. The text around them says twice that one has to
// join first ("In all cases except world_readable …", and "Room Previews"), so
// we check that before rule 2.
func at(s State, v Viewer) (bool, Reason) {
	switch {
	case s.History == WorldReadable:
		return true, WorldRule
	case v.Forgotten:
		return false, Forgot
	case s.Membership == Join:
		return true, MemberRule
	case !v.EverJoined && !v.JoinedSince:
		return false, NeverJoined
	case (s.History == Shared || s.History == "") && v.JoinedSince:
		return true, SharedRule
	case s.History == Invited && s.Membership == Invite:
		return true, InvitedRule
	default:
		return false, Otherwise
	}
}

// Reach says which state of a room a user may read.
type Reach uint8

// The values of Reach.
const (
	Nowhere           Reach = iota
	ToEndOfMembership       // the state at the end of the user's last membership
	ToNow                   // the current state
)

// Room decides which state of a room a user may read (/state, /members,
// /messages and similar endpoints): the current state, the state when the user
// left, or none. Event decides about the events of the timeline.
//
// A ban ends a membership as leaving does. A user who was invited or knocked
// after leaving still sees the room as it was when they left.
func Room(now State, v Viewer) (Reach, Reason) {
	switch {
	case now.Membership == Join:
		return ToNow, CurrentMember
	case v.EverJoined && !v.Forgotten:
		return ToEndOfMembership, FormerMember
	case now.History == WorldReadable:
		return ToNow, WorldRule
	case v.Forgotten:
		return Nowhere, Forgot
	default:
		return Nowhere, NeverJoined
	}
}
