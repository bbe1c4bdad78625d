// SPDX-License-Identifier: Apache-2.0

// Package visibility decides who may see an event, and from when a user may
// see a room's state. It is pure: the caller says what the room's state was at
// the event and what the user's memberships are, and gets a decision with its
// reason. It must not decide what an answer looks like, or hide events because
// they were rejected or their sender is ignored.
//
// Spec: client-server "Room History Visibility".
package visibility

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// History is a value of m.room.history_visibility.
type History string

// The values that are understood. Any other, and none, counts as Shared.
const (
	WorldReadable History = "world_readable"
	Shared        History = "shared"
	Invited       History = "invited"
	Joined        History = "joined"
)

// Membership is a value of m.room.member; the zero one means that there never
// was such an event.
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

// State is what the state of a room says about a user at one moment.
type State struct {
	History    History
	Membership Membership
}

// With returns the state after an event, of which only the room's history
// visibility and the user's own membership can change anything.
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

// HistoryOf reads the content of m.room.history_visibility. What is not
// understood is Shared.
func HistoryOf(content jsontext.Value) History {
	switch h := History(member(content, "history_visibility")); h {
	case WorldReadable, Invited, Joined:
		return h
	default:
		return Shared
	}
}

// MembershipOf reads the content of m.room.member.
func MembershipOf(content jsontext.Value) Membership {
	return Membership(member(content, "membership"))
}

// member returns a string member of an object, or nothing. It tolerates what
// rooms of old versions contain.
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

// Viewer is what a user has had to do with a room besides the moment of the
// event that is asked about.
type Viewer struct {
	EverJoined  bool // has been a member at any time; JoinedSince implies it
	JoinedSince bool // has become a member after the event, whatever came later
	Forgotten   bool // has left the room and forgotten it
}

// Reason is the rule that decided.
type Reason uint8

// The rules, in the order and with the numbers of the specification's list;
// NeverJoined and Forgot come from the text before it.
const (
	Otherwise     Reason = iota // rule 5: nothing allows it
	WorldRule                   // rule 1: the history was world_readable
	MemberRule                  // rule 2: the user was a member
	SharedRule                  // rule 3: the history was shared, and the user joined afterwards
	InvitedRule                 // rule 4: the user was invited, and the history was for invited users
	NeverJoined                 // outside world_readable, one has to join a room to see it
	Forgot                      // who forgets a room cannot retrieve its history
	CurrentMember               // the user is a member
	FormerMember                // the user was a member once
)

// String is a sentence for people who ask why.
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
// room's state right before it and with it applied (see State.With), which
// differ only for changes of the history visibility and of the user's own
// membership: either may allow such an event. All other events are judged by
// the one state.
func Event(before, after State, v Viewer) (bool, Reason) {
	if ok, why := at(before, v); ok || before == after {
		return ok, why
	}
	return at(after, v)
}

// at applies the numbered rules to the state of one moment.
//
// The rules by themselves would let an invited user read what is visible to
// invited users without joining. The text around them says twice that one has
// to join first ("In all cases except world_readable …", and "Room Previews"),
// so that is asked before rule 2.
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

// Reach is how far into a room a user may look.
type Reach uint8

// The reaches.
const (
	Nowhere     Reach = iota
	ToDeparture       // to the state as it was when the user's last membership ended
	ToNow             // to the current state
)

// Room decides which state of a room a user may read (/state, /members,
// /messages and their kin): its current state, its state when the user left,
// or none. Which events of its history the user sees is for Event to say.
//
// A ban ends a membership as leaving does. Who was invited or knocked after
// leaving still sees the room as it was then.
func Room(now State, v Viewer) (Reach, Reason) {
	switch {
	case now.Membership == Join:
		return ToNow, CurrentMember
	case v.EverJoined && !v.Forgotten:
		return ToDeparture, FormerMember
	case now.History == WorldReadable:
		return ToNow, WorldRule
	case v.Forgotten:
		return Nowhere, Forgot
	default:
		return Nowhere, NeverJoined
	}
}
