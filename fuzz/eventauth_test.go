// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

var ruleNumber = regexp.MustCompile(`^[1-9][0-9]?(\.[1-9][0-9]?){0,3}$`)

// authRoom makes the events of a room of one version. It returns nil for bytes
// that are no event of the version.
type authRoom struct {
	rules *roomver.Rules
	id    id.RoomID
}

func (r *authRoom) make(typ, key string, sender id.UserID, content string) *event.Event {
	refs := `["$prev"]`
	members := []string{`"auth_events":[]`, `"content":` + content, `"depth":1`, `"hashes":{"sha256":"x"}`, `"origin_server_ts":1`,
		`"sender":"` + string(sender) + `"`, `"signatures":{}`}
	if r.rules.ReferencesCarryHashes {
		refs = `[["$prev:one.example",{"sha256":""}]]`
		members = append(members, `"event_id":"$e:one.example"`)
	}
	if typ == event.TypeCreate {
		refs = `[]`
	}
	if typ != event.TypeCreate || !r.rules.RoomIDIsCreateHash {
		members = append(members, `"room_id":"`+string(r.id)+`"`)
	}
	for name, s := range map[string]string{"type": typ, "state_key": key} {
		if name == "state_key" && s == "-" {
			continue // a message
		}
		quoted, err := jsontext.AppendQuote(nil, s)
		if err != nil {
			return nil
		}
		members = append(members, `"`+name+`":`+string(quoted))
	}
	e, err := event.Parse(r.rules, []byte("{"+strings.Join(append(members, `"prev_events":`+refs), ",")+"}"))
	if err != nil {
		return nil
	}
	return e
}

// FuzzEventAuth checks any event against a room with any power levels, join
// rules and create event. The verdict must be the same with the selected auth
// events alone, and a rejection must name its rule.
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
			made := r.make(event.TypeCreate, "", "@a:one.example", create)
			if made == nil {
				continue
			}
			r.id = made.RoomID
			e := r.make(typ, key, sender, content)
			if e == nil {
				continue
			}
			state := eventauth.StateOf(made,
				r.make(event.TypePowerLevels, "", "@a:one.example", levels),
				r.make(event.TypeJoinRules, "", "@a:one.example", `{"join_rule":"`+joinRule+`"}`),
				r.make(event.TypeMember, "@a:one.example", "@a:one.example", `{"membership":"join"}`),
				r.make(event.TypeMember, "@b:two.example", "@b:two.example", `{"membership":"`+joinRule+`"}`),
				r.make(event.TypeThirdPartyInvite, "t", "@a:one.example", levels))
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
