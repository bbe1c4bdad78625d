// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/canonjson"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// FuzzRedaction redacts any object by the rules of each version, and compares
// the result with an independent redaction made from the tables of the
// specification.
func FuzzRedaction(f *testing.F) {
	const rest = `"auth_events":[],"depth":1,"event_id":"$e","hashes":{},"membership":"join","origin":"b","origin_server_ts":1,"prev_events":[],` +
		`"prev_state":[],"redacts":"$r","room_id":"!r","sender":"@a:b","signatures":{},"state_key":"","unsigned":{},"x":1}`
	for _, typ := range []string{"aliases", "create", "history_visibility", "join_rules", "member", "power_levels", "redaction", "message"} {
		f.Add([]byte(`{"type":"m.room.` + typ + `","content":{"aliases":[],"allow":[],"ban":1,"creator":"@a:b","events":{},"events_default":0,` +
			`"history_visibility":"shared","invite":0,"join_authorised_via_users_server":"@a:b","join_rule":"public","kick":1,"membership":"join","redact":1,` +
			`"redacts":"$x","state_default":1,"third_party_invite":{"display_name":"x","signed":{"token":"x"}},"users":{},"users_default":0,"x":{}},` + rest))
	}
	f.Add([]byte(`{"content":[],"type":1}`))
	f.Add([]byte(`{"content":{"third_party_invite":{"signed":1}},"type":"m.room.member"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, rules := range roomver.All() {
			got, err := event.RedactJSON(rules, data)
			canonical, bad := canonjson.Append(nil, data, eventMode(rules))
			if bad != nil || jsontext.Value(canonical).Kind() != '{' {
				require.Error(t, err)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, string(redactByTable(t, rules, canonical)), string(got), "version %s", rules.Version)
			again, err := event.RedactJSON(rules, got)
			require.NoError(t, err)
			require.Equal(t, string(got), string(again))
		}
	})
}

type object map[string]jsontext.Value

func objectOf(t *testing.T, raw jsontext.Value) (o object) {
	require.NoError(t, json.Unmarshal(raw, &o))
	return o
}

func keep(o object, names []string) {
	for name := range o {
		if !slices.Contains(names, name) {
			delete(o, name)
		}
	}
}

// redactByTable is the literal redaction algorithm.
//
// Spec: room versions, "Redactions".
func redactByTable(t *testing.T, rules *roomver.Rules, canonical []byte) []byte {
	e := objectOf(t, canonical)
	var typ string
	if raw := e["type"]; raw.Kind() == '"' {
		require.NoError(t, json.Unmarshal(raw, &typ))
	}
	keep(e, rules.Redaction.TopLevel)
	if content := e["content"]; content != nil && (typ != event.TypeCreate || !rules.Redaction.WholeCreate) {
		c := object{} // a content that is no object keeps no members
		if content.Kind() == '{' {
			c = objectOf(t, content)
		}
		invite := c["third_party_invite"]
		keep(c, rules.Redaction.Content[typ])
		if typ == event.TypeMember && rules.Redaction.ThirdPartySigned && invite.Kind() == '{' {
			signed := objectOf(t, invite)
			keep(signed, []string{"signed"})
			c["third_party_invite"] = marshal(t, signed)
		}
		e["content"] = marshal(t, c)
	}
	out, err := canonjson.Append(nil, marshal(t, e), eventMode(rules))
	require.NoError(t, err)
	return out
}

func marshal(t *testing.T, o object) []byte {
	b, err := json.Marshal(o)
	require.NoError(t, err)
	return b
}
