// SPDX-License-Identifier: Apache-2.0

// Package eventauth decides whether a room's rules allow an event: the
// authorization rules of every room version, the selection of auth events, and
// power levels. It is pure: the caller passes all events that a decision needs.
//
// Spec: server-server "Authorisation rules"; room versions 1, 3, 6, 7, 8, 10,
// 11 and 12, "Authorisation rules".
package eventauth

import (
	"strings"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// A Verifier reports whether an event has a valid signature of a server.
type Verifier func(ev *event.Event, server id.ServerName) bool

// Check checks an event against a state by the authorization rules of a room
// version, except for the rule on auth_events (see CheckAuthEvents). It returns
// a *Rejection if the event is not allowed. A nil verify means that the caller
// has already checked the signatures of the event.
func Check(rules *roomver.Rules, ev *event.Event, state State, verify Verifier) error {
	c := checker{rules: rules, ev: ev, state: state, verify: verify, n: numbersOf(rules)}
	// 1
	if ev.Type == event.TypeCreate {
		return c.checkCreate()
	}
	c.create = state.Event(event.TypeCreate, "")
	c.levels = NewPowerLevels(rules, c.create, state.Event(event.TypePowerLevels, ""))
	if err := c.checkRoom(); err != nil {
		return err
	}
	switch {
	case ev.Type == event.TypeAliases && rules.AliasesHaveOwnRule:
		return c.checkAliases()
	case ev.Type == event.TypeMember:
		return c.checkMember()
	}
	return c.checkOther()
}

// A checker is the working data of one call of Check.
type checker struct {
	rules  *roomver.Rules
	ev     *event.Event
	state  State
	verify Verifier
	n      numbers
	create *event.Event
	levels PowerLevels
}

// checkCreate is rule 1.
func (c *checker) checkCreate() error {
	// 1.1
	if len(c.ev.PrevEvents) > 0 {
		return malformed("the create event has prev_events", 1, 1)
	}
	// 1.2
	if c.rules.RoomIDIsCreateHash {
		if c.ev.NamesRoom() {
			return reject("the create event has a room_id", 1, 2)
		}
	} else if server, _ := c.ev.RoomID.Server(); server != c.ev.Sender.Server() {
		return reject("the domain of the room ID is not the sender's", 1, 2)
	}
	// 1.3
	if raw := c.ev.ContentMember("room_version"); raw != nil {
		version, ok := event.Text(raw)
		if _, known := roomver.Get(version); !ok || !known {
			return reject("room_version is not a known version", 1, 3)
		}
	}
	// 1.4 of versions 1 to 10
	if c.rules.CreatorInContent && c.ev.ContentMember("creator") == nil {
		return reject("content has no creator", 1, 4)
	}
	// 1.4
	if c.rules.AdditionalCreators && !validCreators(c.ev) {
		return reject("additional_creators is not a list of user IDs", 1, 4)
	}
	return nil
}

func validCreators(create *event.Event) bool {
	raw := create.ContentMember("additional_creators")
	if raw == nil {
		return true
	}
	if raw[0] != '[' {
		return false
	}
	for v := range event.Elements(raw) {
		s, ok := event.Text(v)
		if !ok {
			return false
		}
		if _, err := id.ParseUserID(s); err != nil {
			return false
		}
	}
	return true
}

// checkRoom is the rules before rule 5 that apply to every event but the create
// event.
func (c *checker) checkRoom() error {
	if c.rules.CreateEventImplied {
		// 2
		if c.create == nil || c.create.RoomID != c.ev.RoomID {
			return reject("room_id does not name an accepted create event", c.n.room)
		}
	} else if c.create == nil {
		// 2.4 of versions 1 to 11
		return reject("the room has no create event", c.n.authEvents, 4)
	}
	// 4
	if string(c.create.ContentMember("m.federate")) == "false" && c.ev.Sender.Server() != c.create.Sender.Server() {
		return reject("the room is not federated", c.n.federate)
	}
	return nil
}

// checkAliases is rule 4 of versions 1 to 5.
func (c *checker) checkAliases() error {
	// 4.1
	if c.ev.StateKey == nil {
		return malformed("aliases without a state key", c.n.aliases, 1)
	}
	// 4.2
	if string(c.ev.Sender.Server()) != *c.ev.StateKey {
		return reject("the state key is not the sender's domain", c.n.aliases, 2)
	}
	// 4.3
	return nil
}

// checkOther is the rules after the rule on members.
func (c *checker) checkOther() error {
	ev := c.ev
	// 6
	if c.membership(ev.Sender) != "join" {
		return reject("the sender is not in the room", c.n.joined)
	}
	sender := c.levels.User(ev.Sender)
	// 7.1
	if ev.Type == event.TypeThirdPartyInvite {
		if sender < c.levels.Invite() {
			return reject("the sender may not invite", c.n.thirdParty, 1)
		}
		return nil
	}
	// 8
	if c.levels.Event(ev.Type, ev.IsState()) > sender {
		return reject("the sender may not send events of this type", c.n.required)
	}
	// 9
	if ev.StateKey != nil && strings.HasPrefix(*ev.StateKey, "@") && *ev.StateKey != string(ev.Sender) {
		return reject("the state key is another user's", c.n.userKey)
	}
	switch {
	case ev.Type == event.TypePowerLevels:
		return c.checkPowerLevels(sender)
	case ev.Type == event.TypeRedaction && c.rules.RedactionNeedsAuth:
		return c.checkRedaction(sender)
	}
	// 11
	return nil
}

// checkRedaction is rule 11 of versions 1 and 2.
func (c *checker) checkRedaction(sender int64) error {
	// 11.1
	if sender >= c.levels.Redact() {
		return nil
	}
	// 11.2
	own, _ := c.ev.ID.Server()
	if target, ok := c.ev.Redacts().Server(); ok && target == own {
		return nil
	}
	// 11.3
	return reject("the sender may not redact events of other servers", c.n.redaction, 3)
}

func (c *checker) membership(user id.UserID) string { return MembershipOf(c.state, user) }
