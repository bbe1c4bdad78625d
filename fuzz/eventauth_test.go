// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"crypto/sha256"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

var ruleNumber = regexp.MustCompile(`^[1-9][0-9]?(\.[1-9][0-9]?){0,3}$`)

// authRoom builds the events of one room of a version; those that are no events
// of it are nil.
type authRoom struct {
	rules *roomver.Rules
	id    id.RoomID
}

func (r *authRoom) build(typ, key string, sender id.UserID, content string) *event.Event {
	d := event.Draft{
		RoomID: r.id, Sender: sender, Type: typ, StateKey: &key, Content: []byte(content), Depth: 1, OriginServerTS: 1,
		PrevEvents: []id.EventID{"$prev:one.example"}, ReferenceHashes: map[id.EventID][sha256.Size]byte{"$prev:one.example": {}},
	}
	if typ == event.TypeCreate {
		d.PrevEvents = nil
		if r.rules.RoomIDIsCreateHash {
			d.RoomID = ""
		}
	}
	if key == "-" {
		d.StateKey = nil
	}
	e, err := event.Build(r.rules, d, eventSigner())
	if err != nil {
		return nil
	}
	return e
}

// FuzzEventAuth checks any event against a room with any power levels, join rule
// and create event. The verdict must be the same on the selected auth events
// alone, and a rejection must name its rule.
func FuzzEventAuth(f *testing.F) {
	const levels = `{"users":{"@b:two.example":"50","@a:one.example":100},"events":{"x":1},"notifications":{"room":1},"ban":50}`
	for _, content := range []string{
		`{"membership":"join","join_authorised_via_users_server":"@a:one.example"}`,
		`{"membership":"invite","third_party_invite":{"signed":{"mxid":"@b:two.example","token":"t","signatures":{"x":{"ed25519:1":"x"}}}}}`,
		`{"membership":"knock"}`, `{"membership":"leave"}`, `{"membership":"ban"}`, levels,
		`{"creator":"@a:one.example","room_version":"1","additional_creators":["@b:two.example"]}`,
	} {
		for _, typ := range []string{"m.room.member", "m.room.power_levels", "m.room.create", "x"} {
			f.Add(typ, "@b:two.example", content, levels, "restricted", `{"creator":"@a:one.example"}`, true)
			f.Add(typ, "-", content, `{}`, "knock", `{"m.federate":false}`, false)
		}
	}
	f.Fuzz(func(t *testing.T, typ, key, content, levels, joinRule, create string, creator bool) {
		sender := id.UserID("@b:two.example")
		if creator {
			sender = "@a:one.example"
		}
		for _, rules := range roomver.All() {
			r := &authRoom{rules: rules, id: "!r:one.example"}
			made := r.build(event.TypeCreate, "", "@a:one.example", create)
			if made == nil {
				return
			}
			r.id = made.RoomID
			e := r.build(typ, key, sender, content)
			if e == nil {
				continue
			}
			state := eventauth.StateOf(made,
				r.build(event.TypePowerLevels, "", "@a:one.example", levels),
				r.build(event.TypeJoinRules, "", "@a:one.example", `{"join_rule":"`+joinRule+`"}`),
				r.build(event.TypeMember, "@a:one.example", "@a:one.example", `{"membership":"join"}`),
				r.build(event.TypeMember, "@b:two.example", "@b:two.example", `{"membership":"`+joinRule+`"}`),
				r.build(event.TypeThirdPartyInvite, "t", "@a:one.example", levels))
			checkVerdict(t, rules, e, state)
		}
	})
}

func checkVerdict(t *testing.T, rules *roomver.Rules, e *event.Event, state eventauth.StateMap) {
	err := eventauth.Check(rules, e, state, nil)
	if err != nil {
		var rejection *eventauth.Rejection
		require.ErrorAs(t, err, &rejection)
		require.Regexp(t, ruleNumber, rejection.Rule)
	}
	selected := eventauth.StateOf(state.Event(event.TypeCreate, ""))
	var list []*event.Event
	for _, k := range eventauth.AuthKeysOf(e) {
		if s := state.Event(k.Type, k.Key); s != nil {
			selected[k] = s
			list = append(list, s)
		}
	}
	require.Equal(t, err, eventauth.Check(rules, e, selected, nil))
	require.NoError(t, eventauth.CheckAuthEvents(rules, e, list, nil), "what is selected may be selected")
}
