// SPDX-License-Identifier: Apache-2.0

package eventauth_test

import (
	"fmt"
	"strings"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// benchRoom is a room with 200 users in its power levels, one of whom sends.
func benchRoom(b *testing.B) *room {
	rules, _ := roomver.Get("12")
	r := newRoom(b, rules)
	r.create()
	users := []string{`"` + string(bob) + `":50`}
	for i := range 199 {
		users = append(users, fmt.Sprintf(`"@user%d:two.example":10`, i))
	}
	r.send("m.room.power_levels", text(""), alice, `{"users":{`+strings.Join(users, ",")+`}}`)
	r.send("m.room.join_rules", text(""), alice, `{"join_rule":"public"}`)
	r.send("m.room.member", text(string(bob)), bob, `{"membership":"join"}`)
	return r
}

func benchEvents(r *room) map[string]*event.Event {
	return map[string]*event.Event{
		"message": r.build("m.room.message", nil, bob, `{"body":"x"}`),
		"join":    r.build("m.room.member", text(string(carol)), carol, `{"membership":"join"}`),
		"levels":  r.build("m.room.power_levels", text(""), alice, string(r.state.Event("m.room.power_levels", "").Content)),
	}
}

func BenchmarkCheck(b *testing.B) {
	r := benchRoom(b)
	for name, e := range benchEvents(r) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := eventauth.Check(r.rules, e, r.state, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGomatrixserverlibCheck(b *testing.B) {
	r := benchRoom(b)
	impl, err := gmsl.GetRoomVersion("12")
	require.NoError(b, err)
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
	for name, e := range benchEvents(r) {
		p := pdu(e)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := gmsl.Allowed(p, provider, user); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
