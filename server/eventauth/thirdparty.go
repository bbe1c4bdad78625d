// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
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
	if len(SignedBy(invite, signed, 1)) > 0 {
		return nil
	}
	// 5.4.1.8
	return fail(8, "no signature matches a key of the third-party invite")
}

// An InviteKey is a public key of an m.room.third_party_invite.
type InviteKey struct {
	Text string // the text in the event
	// ValidityURL is where to ask whether the key was revoked. The rules do not
	// ask; the server that lets the user join does.
	ValidityURL string
	key         ed25519.PublicKey
}

// inviteKeys returns the public keys of an m.room.third_party_invite.
func inviteKeys(invite *event.Event) []InviteKey {
	var keys []InviteKey
	add := func(raw, validity jsontext.Value) {
		s, _ := event.Text(raw)
		if key, err := DecodeInviteKey(s); err == nil {
			at, _ := event.Text(validity)
			keys = append(keys, InviteKey{s, at, key})
		}
	}
	// 5.4.1.7.1
	add(invite.ContentMember("public_key"), invite.ContentMember("key_validity_url"))
	// 5.4.1.7.2
	for v := range event.Elements(invite.ContentMember("public_keys")) {
		add(event.Member(v, "public_key"), event.Member(v, "key_validity_url"))
	}
	return keys
}

// DecodeInviteKey decodes a public key of an m.room.third_party_invite.
//
// Spec: client-server "m.room.third_party_invite", public_key: "using the
// standard or URL-safe alphabets".
func DecodeInviteKey(s string) (ed25519.PublicKey, error) {
	s = strings.TrimRight(s, "=")
	alphabet := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		alphabet = base64.RawURLEncoding
	}
	key, err := alphabet.DecodeString(s)
	if err == nil && len(key) != ed25519.PublicKeySize {
		err = errors.New("not the length of an Ed25519 key")
	}
	return key, err
}

// maxTries limits how many pairs of a signature and a key are verified. Real
// invites have a few; without a limit, two events of 64 KiB could keep a CPU
// busy for half a minute.
const maxTries = 1000

// SignedBy returns those keys of an m.room.third_party_invite that have signed
// an object in canonical form, at most this many.
func SignedBy(invite *event.Event, signed jsontext.Value, most int) []InviteKey {
	return signers(signed, inviteKeys(invite), most)
}

// signers returns the keys whose ed25519 signatures on an object are valid.
func signers(signed jsontext.Value, keys []InviteKey, most int) (found []InviteKey) {
	tries := 0
	for name, signatures := range event.Members(event.Member(signed, "signatures")) {
		for keyID := range event.Members(signatures) {
			if !strings.HasPrefix(keyID, "ed25519:") {
				continue
			}
			for _, key := range keys {
				if tries++; tries > maxTries {
					return found
				}
				if event.VerifyCanonical(signed, id.ServerName(name), id.KeyID(keyID), key.key) != nil {
					continue
				}
				if found = append(found, key); len(found) == most {
					return found
				}
			}
		}
	}
	return found
}
