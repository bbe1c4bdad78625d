// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// State is the state that an event is checked against. It has accepted events
// only, and always the create event, also in versions whose events do not list
// it in auth_events.
type State interface {
	// Event returns the event of this type and state key, or nil.
	Event(typ, stateKey string) *event.Event
}

// StateMap is a State in memory.
type StateMap map[event.StateKey]*event.Event

// StateOf returns the state of these state events; a later event replaces an
// earlier one with the same key.
func StateOf(events ...*event.Event) StateMap {
	m := make(StateMap, len(events))
	for _, e := range events {
		if e != nil && e.IsState() {
			m[e.Key()] = e
		}
	}
	return m
}

// Event returns the event of this type and state key, or nil.
func (m StateMap) Event(typ, stateKey string) *event.Event {
	return m[event.StateKey{Type: typ, Key: stateKey}]
}

// Creators returns the users who created the room, as its create event says.
//
// Spec: room version 12, "room creators"; rules 1 and 5.3.1 of the versions
// before it.
func Creators(rules *roomver.Rules, create *event.Event) []id.UserID {
	if create == nil {
		return nil
	}
	creators := []id.UserID{creator(rules, create)}
	if rules.AdditionalCreators {
		for v := range event.Elements(create.ContentMember("additional_creators")) {
			s, ok := event.Text(v)
			if user := id.UserID(s); ok && !slices.Contains(creators, user) {
				creators = append(creators, user)
			}
		}
	}
	return creators
}

// creator returns the user who sent the create event, or whom it names as
// creator; not the additional creators.
func creator(rules *roomver.Rules, create *event.Event) id.UserID {
	if !rules.CreatorInContent {
		return create.Sender
	}
	s, _ := create.ContentText("creator")
	return id.UserID(s)
}

func isCreator(rules *roomver.Rules, create *event.Event, user id.UserID) bool {
	if create == nil {
		return false
	}
	if creator(rules, create) == user {
		return true
	}
	if rules.AdditionalCreators {
		for v := range event.Elements(create.ContentMember("additional_creators")) {
			if s, ok := event.Text(v); ok && id.UserID(s) == user {
				return true
			}
		}
	}
	return false
}

// MembershipOf returns the membership of a user: "join", "invite", "leave",
// "ban" or "knock"; "leave" for a user without a member event.
func MembershipOf(state State, user id.UserID) string {
	if e := state.Event(event.TypeMember, string(user)); e != nil {
		return e.Membership()
	}
	return "leave"
}

// JoinRuleOf returns the room's join rule, "invite" if it has none.
func JoinRuleOf(state State) string {
	e := state.Event(event.TypeJoinRules, "")
	if e == nil {
		return "invite"
	}
	rule, _ := e.ContentText("join_rule")
	return rule
}
