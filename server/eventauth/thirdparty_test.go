// SPDX-License-Identifier: Apache-2.0

package eventauth_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// checkThirdParty checks an invite signed by an identity server against an
// m.room.third_party_invite with these members of content.
func checkThirdParty(t *testing.T, rules *roomver.Rules, promise string, change func(signed []byte) []byte) error {
	identity := signer("identity.example")
	signed, err := event.SignJSON([]byte(`{"mxid":"@guest:two.example","token":"t","sender":"@user:two.example"}`), identity)
	require.NoError(t, err)
	if change != nil {
		signed = change(signed)
	}
	f := fixture{State: []fixtureEvent{{
		Type: event.TypeThirdPartyInvite, StateKey: text("t"), Sender: "@user:two.example", Content: json.RawMessage(promise),
	}}}
	r, state := f.state(t, rules)
	return eventauth.Check(rules, r.build(fixtureEvent{
		Type: event.TypeMember, StateKey: text("@guest:two.example"), Sender: "@user:two.example",
		Content: json.RawMessage(`{"membership":"invite","third_party_invite":{"display_name":"g","signed":` + string(signed) + `}}`),
	}), state, verify)
}

func TestThirdPartyInviteNeedsSignatureByItsKey(t *testing.T) {
	key := signer("identity.example").Key.Public().(ed25519.PublicKey)
	std, url := base64.RawStdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key)
	other := base64.RawStdEncoding.EncodeToString(signer("x").Key.Public().(ed25519.PublicKey))
	require.NotEqual(t, std, url, "the test means nothing otherwise")
	promises := map[string]string{
		"as public_key":                `{"public_key":"` + std + `"}`,
		"as public_key, URL-safe":      `{"public_key":"` + url + `"}`,
		"as public_key, padded":        `{"public_key":"` + std + `="}`,
		"among public_keys":            `{"public_key":"` + other + `","public_keys":[{"public_key":"` + other + `"},{"public_key":"` + std + `"}]}`,
		"beside malformed public_keys": `{"public_key":7,"public_keys":[1,{},{"public_key":"x"},{"public_key":"` + url + `"}]}`,
	}
	for _, rules := range roomver.All() {
		for name, promise := range promises {
			require.NoError(t, checkThirdParty(t, rules, promise, nil), "%s, version %s", name, rules.Version)
		}
	}
}

func TestThirdPartyInviteWithoutSignatureIsRejected(t *testing.T) {
	key := base64.RawStdEncoding.EncodeToString(signer("identity.example").Key.Public().(ed25519.PublicKey))
	promise := `{"public_key":"` + key + `"}`
	replace := func(from, to string) func([]byte) []byte {
		return func(signed []byte) []byte {
			require.Contains(t, string(signed), from)
			return []byte(strings.Replace(string(signed), from, to, 1))
		}
	}
	for name, tc := range map[string]struct {
		promise string
		change  func([]byte) []byte
	}{
		"another key":           {`{"public_key":"` + base64.RawStdEncoding.EncodeToString(make([]byte, 32)) + `"}`, nil},
		"no key":                {`{}`, nil},
		"keys that are no list": {`{"public_keys":{"public_key":"` + key + `"}}`, nil},
		"a changed part":        {promise, replace(`"sender":"@user`, `"sender":"@uzer`)},
		"an unknown algorithm":  {promise, replace(`"ed25519:1"`, `"rsa:1"`)},
		"no signatures":         {promise, replace(`"signatures"`, `"s"`)},
	} {
		t.Run(name, func(t *testing.T) {
			var rejection *eventauth.Rejection
			for version, rule := range map[string]string{"1": "5.3.1.8", "6": "4.3.1.8", "11": "4.4.1.8", "12": "5.4.1.8"} {
				rules, _ := roomver.Get(version)
				err := checkThirdParty(t, rules, tc.promise, tc.change)
				require.ErrorAs(t, err, &rejection)
				require.Equal(t, rule, rejection.Rule)
			}
		})
	}
}

// An event cannot make a server verify signatures for minutes.
func TestThirdPartyInviteVerificationIsLimited(t *testing.T) {
	rules, _ := roomver.Get("12")
	var keys []string
	for i := range 700 {
		keys = append(keys, `{"public_key":"`+base64.RawStdEncoding.EncodeToString(signer(serverName(i)).Key.Public().(ed25519.PublicKey))+`"}`)
	}
	var rejection *eventauth.Rejection
	err := checkThirdParty(t, rules, `{"public_keys":[`+strings.Join(keys, ",")+`]}`, func(signed []byte) []byte {
		signature, _ := event.Text(event.Member(event.Member(event.Member(signed, "signatures"), "identity.example"), "ed25519:1"))
		var more []string
		for i := range 400 {
			more = append(more, `"ed25519:x`+strconv.Itoa(i)+`":"`+signature+`"`)
		}
		return []byte(strings.Replace(string(signed), `"ed25519:1"`, strings.Join(more, ",")+`,"ed25519:1"`, 1))
	})
	require.ErrorAs(t, err, &rejection)
	require.Equal(t, "5.4.1.8", rejection.Rule)
}
