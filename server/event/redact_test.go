// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

func TestRedactionKeepsWhatTheVersionKeeps(t *testing.T) {
	type line struct {
		Name, Versions  string
		Event, Redacted json.RawMessage
	}
	for _, tc := range readLines[line](t, "testdata/redactions.jsonl") {
		t.Run(tc.Name, func(t *testing.T) {
			want, err := canonjson.Canonical(tc.Redacted)
			require.NoError(t, err)
			for _, rules := range versions(t, tc.Versions) {
				got, err := event.RedactJSON(rules, tc.Event)
				require.NoError(t, err)
				require.Equal(t, string(want), string(got), "version %s", rules.Version)
				again, err := event.RedactJSON(rules, got)
				require.NoError(t, err)
				require.Equal(t, string(want), string(again), "a redacted event is redacted already")
			}
		})
	}
}

func TestARedactedEventKeepsItsIDAndSignatures(t *testing.T) {
	s := specSigner(t)
	for _, rules := range roomver.All() {
		e := build(t, rules, event.Draft{
			Type: "m.room.member", StateKey: text("@u:domain"), Content: []byte(`{"membership":"join","displayname":"x"}`),
		})
		redacted := e.Redact()
		require.JSONEq(t, `{"membership":"join"}`, string(redacted.Content))
		require.Contains(t, string(e.Content), "displayname", "the event itself stays")
		require.Equal(t, e.ID, redacted.ID)
		require.Equal(t, e.ReferenceHash(), redacted.ReferenceHash())
		require.NoError(t, redacted.VerifySignature(s.Name, s.KeyID, publicKey(s)))
		require.True(t, e.ContentHashMatches())
		require.False(t, redacted.ContentHashMatches())
		require.Same(t, redacted, redacted.Redact())

		parsed, err := event.Parse(rules, redacted.PDU())
		require.NoError(t, err)
		require.Equal(t, redacted, parsed, "a redacted event is an event like any other")
	}
}

func TestRedactedRedactionKeepsOnlyContentRedacts(t *testing.T) {
	for _, rules := range roomver.All() {
		target := id.EventID("$target:domain")
		e := build(t, rules, event.Draft{Type: event.TypeRedaction, Redacts: target, Content: []byte(`{"reason":"x"}`)})
		require.Equal(t, target, e.Redacts())
		if !rules.RedactsInContent {
			target = ""
		}
		require.Equal(t, target, e.Redact().Redacts())
	}
}
