// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

func TestParseTemplateReturnsTheSameDraft(t *testing.T) {
	for _, rules := range roomver.All() {
		d := fill(rules, event.Draft{
			Type: "m.room.member", StateKey: text("@u:domain"), Content: []byte(`{"membership":"join"}`),
		})
		template, err := event.Template(rules, d)
		require.NoError(t, err)
		for _, member := range []string{"event_id", "hashes", "signatures"} {
			require.NotContains(t, string(template), `"`+member+`"`)
		}
		with := `{"event_id":"$x:domain","hashes":{"sha256":"x"},"unsigned":{"a":1},"org.example.more":1,` + string(template[1:])
		for _, offered := range []string{string(template), with} {
			got, err := event.ParseTemplate(rules, []byte(offered))
			require.NoError(t, err)
			want, err := event.Build(rules, d, specSigner(t))
			require.NoError(t, err)
			made, err := event.Build(rules, got, specSigner(t))
			require.NoError(t, err)
			require.Equal(t, want, made)
		}
	}
}

func TestATemplateNeedNotHaveATime(t *testing.T) {
	rules := rulesOf(t, "12")
	d, err := event.ParseTemplate(rules, []byte(`{"type":"x","sender":"@u:domain","room_id":"!r","content":{},"depth":1,"prev_events":[],"auth_events":[]}`))
	require.NoError(t, err)
	require.Zero(t, d.OriginServerTS)
	for _, bad := range []string{`[]`, `{`, `{"type":"x"}`} {
		_, err := event.ParseTemplate(rules, []byte(bad))
		require.Error(t, err)
	}
	_, err = event.Template(rules, event.Draft{Content: []byte(`1`)})
	require.Error(t, err)
}

// Spec: server-server "Validating hashes and signatures on received events".
func TestRequiredSigners(t *testing.T) {
	for _, rules := range roomver.All() {
		own := build(t, rules, event.Draft{Type: "x"})
		require.Equal(t, []id.ServerName{"domain"}, own.RequiredSigners())
		d := event.Draft{Type: "x", EventID: "$x:other.example"}
		third := event.Draft{
			Type: "m.room.member", StateKey: text("@v:x"), EventID: "$x:other.example",
			Content: []byte(`{"membership":"invite","third_party_invite":{}}`),
		}
		if rules.EventIDServerSigns {
			require.Equal(t, []id.ServerName{"domain", "other.example"}, build(t, rules, d).RequiredSigners())
			require.Equal(t, []id.ServerName{"other.example"}, build(t, rules, third).RequiredSigners())
		} else {
			require.Equal(t, []id.ServerName{"domain"}, build(t, rules, d).RequiredSigners())
			require.Empty(t, build(t, rules, third).RequiredSigners())
		}
	}
}

func TestBuildAndParseAgreeOnNesting(t *testing.T) {
	rules := rulesOf(t, "12")
	nest := func(n int) event.Draft {
		return fill(rules, event.Draft{Type: "x", Content: []byte(strings.Repeat(`{"a":`, n-1) + `{"b":"]"}` + strings.Repeat(`}`, n-1))})
	}
	e, err := event.Build(rules, nest(canonjson.MaxDepth-1), specSigner(t))
	require.NoError(t, err)
	_, err = event.Parse(rules, e.PDU())
	require.NoError(t, err)
	_, err = event.Build(rules, nest(canonjson.MaxDepth), specSigner(t))
	require.ErrorIs(t, err, canonjson.ErrDepth)
}
