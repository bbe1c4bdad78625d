// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// checkThirdPartyInvite is rule 5.4.1.
func (c *checker) checkThirdPartyInvite(target id.UserID, content jsontext.Value) error {
	fail := func(step int, reason string) error {
		return reject(reason, c.n.member, c.n.invite, 1, step)
	}
	// 5.4.1.1
	if c.membership(target) == "ban" {
		return fail(1, "the target is banned")
	}
	// 5.4.1.2
	signed := event.Member(content, "signed")
	if signed == nil {
		return fail(2, "third_party_invite is not signed")
	}
	// 5.4.1.3
	mxid, hasID := event.Text(event.Member(signed, "mxid"))
	token, hasToken := event.Text(event.Member(signed, "token"))
	if !hasID || !hasToken {
		return fail(3, "third_party_invite.signed has no mxid or no token")
	}
	// 5.4.1.4
	if mxid != string(target) {
		return fail(4, "third_party_invite is for another user")
	}
	// 5.4.1.5
	invite := c.state.Event(event.TypeThirdPartyInvite, token)
	if invite == nil {
		return fail(5, "the room has no such third-party invite")
	}
	// 5.4.1.6
	if invite.Sender != c.ev.Sender {
		return fail(6, "the third-party invite is another sender's")
	}
	// 5.4.1.7
	if signedByAny(signed, inviteKeys(invite)) {
		return nil
	}
	// 5.4.1.8
	return fail(8, "no signature matches a key of the third-party invite")
}

// inviteKeys returns the public keys of an m.room.third_party_invite.
func inviteKeys(invite *event.Event) []ed25519.PublicKey {
	var keys []ed25519.PublicKey
	add := func(raw jsontext.Value) {
		s, _ := event.Text(raw)
		if key, err := decodeKey(s); err == nil && len(key) == ed25519.PublicKeySize {
			keys = append(keys, key)
		}
	}
	// 5.4.1.7.1
	add(invite.ContentMember("public_key"))
	// 5.4.1.7.2
	for v := range event.Elements(invite.ContentMember("public_keys")) {
		add(event.Member(v, "public_key"))
	}
	return keys
}

// decodeKey decodes a public key of an m.room.third_party_invite.
//
// Spec: client-server "m.room.third_party_invite", public_key: "using the
// standard or URL-safe alphabets".
func decodeKey(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}

// maxTries bounds how many pairs of a signature and a key are tried. Honest
// invites have a handful; without a bound, two events of 64 KiB would cost half a
// minute.
const maxTries = 1000

// signedByAny tells whether any ed25519 signature on an object is by any of keys.
func signedByAny(signed jsontext.Value, keys []ed25519.PublicKey) bool {
	tries := 0
	for name, signatures := range event.Members(event.Member(signed, "signatures")) {
		for keyID := range event.Members(signatures) {
			if !strings.HasPrefix(keyID, "ed25519:") {
				continue
			}
			for _, key := range keys {
				if tries++; tries > maxTries {
					return false
				}
				if event.VerifyCanonical(signed, id.ServerName(name), id.KeyID(keyID), key) == nil {
					return true
				}
			}
		}
	}
	return false
}
