// SPDX-License-Identifier: Apache-2.0

package eventauth_test

import (
	"fmt"
	"strings"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/tests/comparebench"
)

// benchRoom is a room of 10,000 members, 200 of whom have power levels. The
// sender is one of the 200.
func benchRoom(b *testing.B, rules *roomver.Rules) *room {
	r := newRoom(b, rules)
	r.create()
	users := []string{`"` + string(bob) + `":50`}
	if !rules.CreatorsPrivileged {
		users = append(users, `"`+string(alice)+`":100`)
	}
	for i := range 198 {
		users = append(users, fmt.Sprintf(`"@user%d:two.example":10`, i))
	}
	r.send("m.room.power_levels", text(""), alice, `{"users":{`+strings.Join(users, ",")+`}}`)
	r.send("m.room.join_rules", text(""), alice, `{"join_rule":"public"}`)
	r.send("m.room.member", text(string(bob)), bob, `{"membership":"join"}`)
	for i := range 10000 {
		user := id.UserID(fmt.Sprintf("@user%d:two.example", i))
		r.accept(r.build("m.room.member", text(string(user)), user, `{"membership":"join"}`))
	}
	return r
}

// checker returns a function that checks an event with gomatrixserverlib.
func checker(b *testing.B, r *room) func(e *event.Event) func() error {
	impl := gmsl.MustGetRoomVersion(gmsl.RoomVersion(r.rules.Version))
	pdu := func(e *event.Event) gmsl.PDU {
		p, err := impl.NewEventFromTrustedJSONWithEventID(string(e.ID), e.PDU(), false)
		require.NoError(b, err)
		return p
	}
	provider, err := gmsl.NewAuthEvents(nil)
	require.NoError(b, err)
	for _, s := range r.state {
		require.NoError(b, provider.AddEvent(pdu(s)))
	}
	user := func(_ spec.RoomID, sender spec.SenderID) (*spec.UserID, error) {
		return spec.NewUserID(string(sender), true)
	}
	return func(e *event.Event) func() error {
		p := pdu(e)
		return func() error { return gmsl.Allowed(p, provider, user) }
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, version := range []string{"1", "2", "11", "12"} {
		rules, _ := roomver.Get(version)
		r := benchRoom(b, rules)
		ask := checker(b, r)
		levels := string(r.state.Event("m.room.power_levels", "").Content)
		for _, c := range []struct {
			what string
			e    *event.Event
		}{
			{"a message", r.build("m.room.message", nil, bob, `{"body":"x"}`)},
			{"a join", r.build("m.room.member", text(string(carol)), carol, `{"membership":"join"}`)},
			{"a ban", r.build("m.room.member", text("@user5000:two.example"), bob, `{"membership":"ban"}`)},
			{"power levels", r.build("m.room.power_levels", text(""), alice, strings.Replace(levels, `"@user7:two.example":10`, `"@user7:two.example":20`, 1))},
		} {
			comparebench.Run(b, "check "+c.what+", version "+version,
				func() error { return eventauth.Check(rules, c.e, r.state, nil) }, ask(c.e))
		}
	}
}
