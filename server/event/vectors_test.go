// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// specSigner is the key of appendices "Cryptographic Test Vectors".
func specSigner(t testing.TB) event.Signer {
	seed, err := base64.RawStdEncoding.DecodeString("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	require.NoError(t, err)
	return event.Signer{Name: "domain", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed)}
}

func rulesOf(t testing.TB, version string) *roomver.Rules {
	rules, ok := roomver.Get(version)
	require.True(t, ok)
	return rules
}

// Spec: appendices "JSON Signing".
func TestJSONSigningVectors(t *testing.T) {
	s := specSigner(t)
	for _, tc := range []struct{ name, in, want string }{
		{
			"an empty object",
			`{}`,
			`{"signatures":{"domain":{"ed25519:1":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"}}}`,
		},
		{
			"an object with data values in it",
			`{"one": 1, "two": "Two"}`,
			`{"one":1,"signatures":{"domain":{"ed25519:1":"KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"}},"two":"Two"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := event.SignJSON([]byte(tc.in), s)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(got))
			require.NoError(t, event.VerifyJSON(got, s.Name, s.KeyID, s.Key.Public().(ed25519.PublicKey)))
		})
	}
}

// Spec: appendices "Event Signing".
func TestEventSigningVectors(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{
			"a minimally-sized event",
			`{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},"hashes":{},"type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}`,
			`{"auth_events":[],"content":{},"depth":3,"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"origin":"domain","origin_server_ts":1000000,"prev_events":[],"room_id":"!x:domain","sender":"@a:domain","signatures":{"domain":{"ed25519:1":"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"}},"type":"X","unsigned":{"age_ts":1000000}}`,
		},
		{
			"an event containing redactable content",
			`{"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain","origin_server_ts":1000000,"type":"m.room.message","room_id":"!r:domain","sender":"@u:domain","signatures":{},"unsigned":{"age_ts":1000000}}`,
			`{"content":{"body":"Here is the message content"},"event_id":"$0:domain","hashes":{"sha256":"onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"},"origin":"domain","origin_server_ts":1000000,"room_id":"!r:domain","sender":"@u:domain","signatures":{"domain":{"ed25519:1":"Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"}},"type":"m.room.message","unsigned":{"age_ts":1000000}}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := event.HashAndSign(rulesOf(t, "1"), []byte(tc.in), specSigner(t))
			require.NoError(t, err)
			require.Equal(t, tc.want, string(got))
		})
	}
}

// TestParseReadsTheSpecsSignedEvent parses the first event of "Event Signing"
// in room versions whose event IDs are hashes.
func TestParseReadsTheSpecsSignedEvent(t *testing.T) {
	signed := `{"auth_events":[],"content":{},"depth":3,"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"origin":"domain","origin_server_ts":1000000,"prev_events":[],"room_id":"!x:domain","sender":"@a:domain","signatures":{"domain":{"ed25519:1":"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"}},"type":"X","unsigned":{"age_ts":1000000}}`
	s := specSigner(t)
	for _, version := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
		e, err := event.Parse(rulesOf(t, version), []byte(signed))
		require.NoError(t, err)
		require.True(t, e.ContentHashMatches())
		require.NoError(t, e.VerifySignature(s.Name, s.KeyID, s.Key.Public().(ed25519.PublicKey)))
		require.NotContains(t, string(e.PDU()), "unsigned")
		require.Len(t, e.ID, 44)
	}
}

// TestHashesOfTheSpecsEvent checks the content hash of the first event of
// "Event Signing", and its reference hash, which is the event ID.
func TestHashesOfTheSpecsEvent(t *testing.T) {
	in := []byte(`{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},"hashes":{},"type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}`)
	rules := rulesOf(t, "4")
	hash, err := event.ContentHash(rules, in)
	require.NoError(t, err)
	require.Equal(t, "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos", event.EncodeBase64(hash[:]))
	signed, err := event.HashAndSign(rules, in, specSigner(t))
	require.NoError(t, err)
	again, err := event.ContentHash(rules, signed)
	require.NoError(t, err)
	require.Equal(t, hash, again, "neither hashes nor signatures count")
	e, err := event.Parse(rules, signed)
	require.NoError(t, err)
	reference, err := event.ReferenceHash(rules, signed)
	require.NoError(t, err)
	require.Equal(t, e.ReferenceHash(), reference)
	require.Equal(t, string(e.ID), "$"+base64.RawURLEncoding.EncodeToString(reference[:]))
}

func TestOnlyObjectsAreHashedSignedAndRedacted(t *testing.T) {
	rules := rulesOf(t, "12")
	for _, in := range []string{``, `[]`, `"x"`, `{`, `{"a":1.5}`} {
		_, err := event.ContentHash(rules, []byte(in))
		require.Error(t, err)
		_, err = event.ReferenceHash(rules, []byte(in))
		require.Error(t, err)
		_, err = event.HashAndSign(rules, []byte(in), specSigner(t))
		require.Error(t, err)
		_, err = event.RedactJSON(rules, []byte(in))
		require.Error(t, err)
		_, err = event.SignJSON([]byte(in), specSigner(t))
		require.Error(t, err)
	}
}

func TestASignatureMustFitIntoTheEvent(t *testing.T) {
	rules := rulesOf(t, "12")
	size := len(build(t, rules, event.Draft{Type: "x", Content: []byte(`{"a":""}`)}).PDU())
	full := build(t, rules, event.Draft{Type: "x", Content: []byte(`{"a":"` + strings.Repeat("x", event.MaxSize-size) + `"}`)})
	require.Len(t, full.PDU(), event.MaxSize)
	_, err := full.Sign(otherSigner())
	require.ErrorIs(t, err, event.ErrTooLarge)
	_, err = full.AddSignatures([]byte(`{"other.example":{"ed25519:1":"x"}}`))
	require.ErrorIs(t, err, event.ErrTooLarge)
	_, err = full.AddSignatures([]byte(`{`))
	require.Error(t, err)
}
