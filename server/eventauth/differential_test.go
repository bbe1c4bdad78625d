// SPDX-License-Identifier: Apache-2.0

package eventauth_test

import (
	"encoding/json"
	"strconv"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/tests/seedrand"
)

// dice makes random events.
type dice struct{ seedrand.Dice }

func (d *dice) user() id.UserID {
	return seedrand.Pick(&d.Dice, alice, bob, carol, "@dan:two.example", "@eve:one.example")
}

// attempt makes a random event of a random user, whether allowed or not.
func (d *dice) attempt(r *room) *event.Event {
	sender := d.user()
	switch d.Roll(12) {
	case 0, 1, 2, 3:
		return d.member(r, sender, sender, seedrand.Pick(&d.Dice, "join", "join", "join", "leave", "knock", "ban", "invite"))
	case 4, 5, 6:
		return d.member(r, sender, d.user(), seedrand.Pick(&d.Dice, "join", "leave", "knock", "ban", "invite", "invite"))
	case 7:
		return r.build("m.room.join_rules", text(""), sender, `{"join_rule":"`+
			seedrand.Pick(&d.Dice, "public", "invite", "knock", "restricted", "knock_restricted")+`"}`)
	case 8, 9:
		return r.build("m.room.power_levels", text(""), sender, d.levels(r))
	case 10:
		return r.build(seedrand.Pick(&d.Dice, "m.room.message", "x", "y"), nil, sender, `{"body":"x"}`)
	default:
		key := seedrand.Pick(&d.Dice, "", "k", "@", string(sender), string(alice))
		return r.build(seedrand.Pick(&d.Dice, "m.room.name", "x", "y", "m.room.third_party_invite"), text(key), sender, `{}`)
	}
}

func (d *dice) member(r *room, sender, target id.UserID, membership string) *event.Event {
	content := map[string]string{"membership": membership}
	if membership == "join" && d.Roll(3) == 0 {
		content["join_authorised_via_users_server"] = string(d.user())
	}
	b, err := json.Marshal(content)
	require.NoError(r.t, err)
	e := r.build("m.room.member", text(string(target)), sender, string(b))
	for _, server := range []id.ServerName{"one.example", "two.example"} {
		if e, err = e.Sign(signer(server)); err != nil {
			require.NoError(r.t, err)
		}
	}
	return e
}

// levels returns the room's power levels with one or two changes. All scalars
// are always present and the defaults are 0, because gomatrixserverlib compares
// added and removed entries with the defaults.
func (d *dice) levels(r *room) string {
	content := struct {
		Ban           int            `json:"ban"`
		Kick          int            `json:"kick"`
		Redact        int            `json:"redact"`
		Invite        int            `json:"invite"`
		StateDefault  int            `json:"state_default"`
		EventsDefault int            `json:"events_default"`
		UsersDefault  int            `json:"users_default"`
		Users         map[string]int `json:"users"`
		Events        map[string]int `json:"events"`
		Notifications map[string]int `json:"notifications"`
	}{
		Ban: 50, Kick: 50, Redact: 50, StateDefault: 50,
		Users: map[string]int{string(alice): 100}, Events: map[string]int{"m.room.power_levels": 40},
		Notifications: map[string]int{"room": 50},
	}
	if r.rules.CreatorsPrivileged {
		content.Users = map[string]int{}
	}
	if e := r.state.Event("m.room.power_levels", ""); e != nil {
		require.NoError(r.t, json.Unmarshal(e.Content, &content))
	}
	for range 1 + d.Roll(2) {
		level := seedrand.Pick(&d.Dice, 0, 20, 40, 50, 60, 100)
		switch d.Roll(7) {
		case 0:
			*seedrand.Pick(&d.Dice, &content.Ban, &content.Kick, &content.Redact, &content.Invite, &content.StateDefault) = level
		case 1:
			content.Events[seedrand.Pick(&d.Dice, "x", "y", "m.room.name")] = level
		case 2:
			delete(content.Events, seedrand.Pick(&d.Dice, "x", "y", "m.room.name"))
		case 3:
			content.Notifications["room"] = level
		case 4:
			delete(content.Users, string(d.user()))
		default:
			content.Users[string(d.user())] = level
		}
	}
	b, err := json.Marshal(content)
	require.NoError(r.t, err)
	return string(b)
}

// theirs returns the verdict of gomatrixserverlib.
func theirs(t testing.TB, e *event.Event, state eventauth.StateMap) error {
	impl, err := gmsl.GetRoomVersion(gmsl.RoomVersion(e.Rules().Version))
	require.NoError(t, err)
	pdu := func(e *event.Event) gmsl.PDU {
		p, err := impl.NewEventFromTrustedJSONWithEventID(string(e.ID), e.PDU(), false)
		require.NoError(t, err)
		return p
	}
	provider, err := gmsl.NewAuthEvents(nil)
	require.NoError(t, err)
	for _, s := range state {
		require.NoError(t, provider.AddEvent(pdu(s)))
	}
	return gmsl.Allowed(pdu(e), provider, func(_ spec.RoomID, sender spec.SenderID) (*spec.UserID, error) {
		return spec.NewUserID(string(sender), true)
	})
}

// departure returns the reason why gomatrixserverlib decides differently
// although the specification is clear; empty if both should agree.
func departure(e *event.Event, state eventauth.StateMap) string {
	rules := e.Rules()
	levels := eventauth.PowerLevelsOf(rules, state)
	sender := levels.User(e.Sender)
	switch e.Type {
	case "m.room.member":
		target := id.UserID(*e.StateKey)
		was, rule := eventauth.MembershipOf(state, target), eventauth.JoinRuleOf(state)
		switch {
		case e.Sender == target && was == "leave" && e.Membership() == "leave":
			return "it lets users leave twice"
		case was == "ban" && e.Membership() == "leave":
			return "it lifts bans without the kick level, and whatever the target's level"
		case e.Membership() == "knock" && (e.Sender != target || rule == "knock_restricted" && !rules.KnockRestricted):
			return "it knows knock_restricted too early, and who may knock too late"
		case e.Membership() == "join" && (was == "invite" || was == "join"):
			return "it lets members and the invited join under any join rule"
		case e.Membership() == "join" && was == "knock" && rule == "public":
			return "it keeps who knocks out of public rooms"
		case e.Membership() == "join" && rule == "knock_restricted" && !rules.KnockRestricted:
			return "it knows the join rule knock_restricted too early"
		}
	case "m.room.power_levels":
		old := state.Event("m.room.power_levels", "")
		if old == nil {
			return "it compares the first power levels with the defaults"
		}
		if !rules.NotificationLevelsChecked {
			return ""
		}
		if string(event.Member(old.Content, "notifications")) != string(e.ContentMember("notifications")) &&
			(sender == eventauth.Infinite || sender == levels.Notification("room")) {
			return "it lets nobody change notification levels equal to their own, nor creators any"
		}
	case "m.room.third_party_invite":
		if len(*e.StateKey) > 0 && (*e.StateKey)[0] == '@' {
			return "it has another order of the rules on third-party invites and on state keys"
		}
	}
	return ""
}

// TestAgainstGomatrixserverlib compares verdicts on random events with
// gomatrixserverlib.
func TestAgainstGomatrixserverlib(t *testing.T) {
	for n, rules := range roomver.All() {
		t.Run(rules.Version, func(t *testing.T) {
			d := dice{seedrand.Dice(n)}
			agreed, allowed, departures := 0, 0, map[string]int{}
			for i := range 15 {
				r := newRoom(t, rules)
				r.create()
				if i%3 > 0 {
					r.send("m.room.join_rules", text(""), alice, `{"join_rule":"public"}`)
				}
				for range 40 {
					e := d.attempt(r)
					ours := eventauth.Check(rules, e, r.state, verify)
					other := theirs(t, e, r.state)
					if ours == nil {
						allowed++
					}
					if (ours == nil) == (other == nil) {
						agreed++
					} else {
						why := departure(e, r.state)
						require.NotEmpty(t, why, "%s\nours: %v\ntheirs: %v\nlevels: %s", e.PDU(), ours, other, contentOf(r.state, "m.room.power_levels"))
						departures[why]++
					}
					if ours == nil {
						r.accept(e)
					}
				}
			}
			t.Log("agreed " + strconv.Itoa(agreed) + ", allowed " + strconv.Itoa(allowed))
			for why, n := range departures {
				t.Log(strconv.Itoa(n) + ": " + why)
			}
			require.Greater(t, allowed, 60, "a test of rejections alone says little")
		})
	}
}

func contentOf(state eventauth.StateMap, typ string) string {
	if e := state.Event(typ, ""); e != nil {
		return string(e.Content)
	}
	return ""
}
