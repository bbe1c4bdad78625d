// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// AuthKeys returns the keys of the state entries that belong in the auth_events
// of an event, if the room has them.
//
// Spec: server-server "Auth events selection".
func AuthKeys(rules *roomver.Rules, typ string, sender id.UserID, stateKey *string, content jsontext.Value) []event.StateKey {
	if typ == event.TypeCreate {
		return nil
	}
	keys := make([]event.StateKey, 0, 6)
	add := func(typ, key string) {
		if k := (event.StateKey{Type: typ, Key: key}); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if !rules.CreateEventImplied {
		add(event.TypeCreate, "")
	}
	add(event.TypePowerLevels, "")
	add(event.TypeMember, string(sender))
	if typ != event.TypeMember {
		return keys
	}
	if stateKey != nil {
		add(event.TypeMember, *stateKey)
	}
	membership, _ := event.Text(event.Member(content, "membership"))
	switch membership {
	case "join", "invite", "knock":
		add(event.TypeJoinRules, "")
	}
	if membership == "invite" {
		signed := event.Member(event.Member(content, "third_party_invite"), "signed")
		if token, ok := event.Text(event.Member(signed, "token")); ok {
			add(event.TypeThirdPartyInvite, token)
		}
	}
	if membership == "join" && rules.Restricted {
		if user, ok := event.Text(event.Member(content, "join_authorised_via_users_server")); ok {
			add(event.TypeMember, user)
		}
	}
	return keys
}

// AuthKeysOf is AuthKeys for an event.
func AuthKeysOf(ev *event.Event) []event.StateKey {
	return AuthKeys(ev.Rules(), ev.Type, ev.Sender, ev.StateKey, ev.Content)
}

// CheckAuthEvents checks the auth_events of an event, which the caller passes
// as authEvents, against the rule on auth_events. rejected reports which of
// them were rejected; nil means none. To check the event against the state that
// its auth events form, use Check.
func CheckAuthEvents(rules *roomver.Rules, ev *event.Event, authEvents []*event.Event, rejected func(id.EventID) bool) error {
	if ev.Type == event.TypeCreate {
		return nil // decided by rule 1 alone
	}
	n := numbersOf(rules).authEvents
	seen := make([]event.StateKey, 0, len(authEvents))
	for _, a := range authEvents {
		// 3.1: duplicate entries for a type and state key
		if a.IsState() && slices.Contains(seen, a.Key()) {
			return reject("two auth events for "+a.Type+" "+a.Key().Key, n, 1)
		}
		if a.IsState() {
			seen = append(seen, a.Key())
		}
	}
	wanted := AuthKeysOf(ev)
	for _, a := range authEvents {
		// 3.2: entries that the auth events selection does not select
		if !a.IsState() || !slices.Contains(wanted, a.Key()) {
			return reject("auth event "+string(a.ID)+" is not among those to select", n, 2)
		}
	}
	for _, a := range authEvents {
		// 3.3: entries that were rejected
		if rejected != nil && rejected(a.ID) {
			return reject("auth event "+string(a.ID)+" was rejected", n, 3)
		}
	}
	sub := 4
	if !rules.CreateEventImplied {
		// 2.4 of versions 1 to 11: no create event among the entries
		if !slices.Contains(seen, event.StateKey{Type: event.TypeCreate}) {
			return reject("no create event among the auth events", n, sub)
		}
		sub++
	}
	for _, a := range authEvents {
		// 3.4: entries from another room
		if a.RoomID != ev.RoomID {
			return reject("auth event "+string(a.ID)+" is of another room", n, sub)
		}
	}
	return nil
}
