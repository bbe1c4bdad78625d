// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/canonjson"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// eventSigner returns the key of the server in the fuzz targets.
func eventSigner() event.Signer {
	return event.Signer{Name: "one.example", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
}

// eventMode is the number mode of a version's events.
func eventMode(rules *roomver.Rules) canonjson.Mode {
	if rules.StrictJSON {
		return canonjson.Strict
	}
	return canonjson.Lenient
}

// FuzzEventParse parses any bytes as an event of each version. An accepted
// event must survive storage, redaction, signing and conversion for clients.
func FuzzEventParse(f *testing.F) {
	const rest = `"content":{"membership":"join","third_party_invite":{"signed":{}},"redacts":"$x"},"depth":1,"hashes":{"sha256":"x"},` +
		`"origin_server_ts":1,"sender":"@a:b","signatures":{"b":{"ed25519:1":"x"}},"state_key":"@a:b","unsigned":{"age":1},"zz":[1.5,-0,"\u0001☃"]}`
	for _, s := range []string{
		`{"type":"m.room.member","auth_events":[],"prev_events":["$x"],"room_id":"!r:b",` + rest,
		`{"type":"m.room.redaction","redacts":"$y:b","event_id":"$e:b","auth_events":[["$a:b",{"sha256":"x"}]],"prev_events":[],"room_id":"!r:b",` + rest,
		`{"type":"m.room.create","auth_events":[],"prev_events":[],` + rest,
		`{}`, `[]`, `{"unsigned":{}}`, `{"type":`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, rules := range roomver.All() {
			e, err := event.Parse(rules, data)
			if err != nil {
				require.Nil(t, e)
				continue
			}
			checkEvent(t, rules, e)
		}
	})
}

func checkEvent(t *testing.T, rules *roomver.Rules, e *event.Event) {
	require.LessOrEqual(t, len(e.PDU()), event.MaxSize)
	canonical, err := canonjson.Append(nil, e.PDU(), eventMode(rules))
	require.NoError(t, err)
	require.Equal(t, string(canonical), string(e.PDU()))

	again, err := event.Parse(rules, e.PDU())
	require.NoError(t, err)
	require.Equal(t, e, again)
	stored, err := event.Trusted(rules, e.ID, e.PDU())
	require.NoError(t, err)
	require.Equal(t, e, stored)

	redacted := e.Redact()
	require.Equal(t, e.ID, redacted.ID)
	require.Equal(t, e.ReferenceHash(), redacted.ReferenceHash())
	again, err = event.Parse(rules, redacted.PDU())
	require.NoError(t, err)
	require.Equal(t, redacted, again)
	require.Equal(t, redacted, redacted.Redact())

	client, err := canonjson.Append(nil, e.ClientJSON(), eventMode(rules))
	require.NoError(t, err)
	require.Equal(t, string(client), string(e.ClientJSON()))

	s := eventSigner()
	signed, err := e.Sign(s)
	if err != nil {
		require.ErrorIs(t, err, event.ErrTooLarge)
		return
	}
	require.NoError(t, signed.VerifySignature(s.Name, s.KeyID, s.Key.Public().(ed25519.PublicKey)))
	require.Equal(t, e.ID, signed.ID)
	require.Equal(t, e.ContentHashMatches(), signed.ContentHashMatches())
}

// FuzzEventTrusted reads bytes that may have been corrupted in storage.
func FuzzEventTrusted(f *testing.F) {
	f.Add([]byte(`{"auth_events":[],"content":{},"depth":1,"origin_server_ts":1,"prev_events":["$x"],"sender":"@a:b","type":"x"}`))
	f.Add([]byte(`{"auth_events":[["$x",{"sha256":"y"}]],"content":{"a":"\"},"depth":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, rules := range roomver.All() {
			if e, err := event.Trusted(rules, "$id", data); err == nil {
				_, _, _ = e.ClientJSON(), e.Redact().PDU(), e.ContentHashMatches()
			}
		}
	})
}
