// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"bufio"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// A verifyKey is a public key of a server and the end of its validity.
type verifyKey struct {
	key        ed25519.PublicKey
	validUntil int64 // milliseconds
	expired    bool  // the key is in old_verify_keys; validUntil is its expired_ts
}

// verifyKeys are public keys by server and key ID.
type verifyKeys map[id.ServerName]map[id.KeyID]verifyKey

func (k verifyKeys) add(server id.ServerName, keyID id.KeyID, encoded string, key verifyKey) error {
	b, err := event.DecodeBase64(encoded)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return fmt.Errorf("the key %s of %s is not %d bytes in base64", keyID, server, ed25519.PublicKeySize)
	}
	key.key = b
	if k[server] == nil {
		k[server] = map[id.KeyID]verifyKey{}
	}
	k[server][keyID] = key
	return nil
}

// readVerifyKeys reads a file of public keys. It contains JSON objects of these
// kinds: the keys that a server publishes, a notary's response with several of
// those, or simply {"server": {"ed25519:1": "base64"}}.
func readVerifyKeys(file string, r io.Reader) (verifyKeys, error) {
	keys := verifyKeys{}
	dec := jsontext.NewDecoder(io.LimitReader(r, 64<<20))
	for {
		value, err := dec.ReadValue()
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		if err == nil {
			err = keys.addObject(value)
		}
		if err != nil {
			return nil, &inputError{position{file: file}, fmt.Errorf("verify keys: %w", err)}
		}
	}
}

// A serverKeys is the keys that a server publishes, or the response of a
// notary.
//
// Spec: server-server GET /_matrix/key/v2/server, POST /_matrix/key/v2/query.
type serverKeys struct {
	ServerName    id.ServerName             `json:"server_name"`
	VerifyKeys    map[id.KeyID]publishedKey `json:"verify_keys"`
	OldVerifyKeys map[id.KeyID]publishedKey `json:"old_verify_keys"`
	ValidUntilTS  int64                     `json:"valid_until_ts"`
	ServerKeys    []serverKeys              `json:"server_keys"`
}

type publishedKey struct {
	Key       string `json:"key"`
	ExpiredTS int64  `json:"expired_ts"`
}

func (k verifyKeys) addObject(value jsontext.Value) error {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(value, &members); err != nil {
		return err
	}
	if members["server_name"] == nil && members["server_keys"] == nil {
		return k.addPlain(value)
	}
	var s serverKeys
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	for _, server := range append(s.ServerKeys, s) {
		if err := k.addPublished(&server); err != nil {
			return err
		}
	}
	return nil
}

func (k verifyKeys) addPlain(value jsontext.Value) error {
	var plain map[id.ServerName]map[id.KeyID]string
	if err := json.Unmarshal(value, &plain); err != nil {
		return err
	}
	for server, keys := range plain {
		for keyID, key := range keys {
			if err := k.add(server, keyID, key, verifyKey{validUntil: math.MaxInt64}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k verifyKeys) addPublished(s *serverKeys) error {
	for keyID, key := range s.OldVerifyKeys {
		if err := k.add(s.ServerName, keyID, key.Key, verifyKey{validUntil: key.ExpiredTS, expired: true}); err != nil {
			return err
		}
	}
	for keyID, key := range s.VerifyKeys {
		if err := k.add(s.ServerName, keyID, key.Key, verifyKey{validUntil: s.ValidUntilTS}); err != nil {
			return err
		}
	}
	return nil
}

// counts reports whether the key was valid at the time of an event, so that its
// signature is checked.
//
// Spec: server-server "Validating hashes and signatures on received events",
// for expired keys; room version 5, "Signing key validity period".
func (v verifyKey) counts(e *event.Event) bool {
	return !v.expired && !e.Rules().KeyValidityEnforced || e.OriginServerTS <= v.validUntil
}

// A signature is one signature on an event, with the result of its check.
type signature struct {
	server id.ServerName
	keyID  id.KeyID
	state  signatureState
}

type signatureState string

const (
	signatureGood    signatureState = "valid"
	signatureBad     signatureState = "invalid"
	signatureUnknown signatureState = "unknown key"
	signatureExpired signatureState = "expired key"
)

// signatures checks every signature on an event.
func (k verifyKeys) signatures(e *event.Event) []signature {
	var all []signature
	for server, keyID := range e.Signatures() {
		s := signature{server: server, keyID: keyID, state: signatureGood}
		key, known := k[server][keyID]
		switch {
		case !known:
			s.state = signatureUnknown
		case !key.counts(e):
			s.state = signatureExpired
		case e.VerifySignature(server, keyID, key.key) != nil:
			s.state = signatureBad
		}
		all = append(all, s)
	}
	return all
}

// policyKey is the ID of the key with which policy servers sign. Its public key
// is in the room and not published by the server, so we skip it.
//
// Spec: server-server "Validating hashes and signatures on received events".
const policyKey = "ed25519:policy_server"

// signedBy checks that an event is signed by a server: at least one of its
// signatures must be by a known, valid key, and all such signatures must be
// right.
func signedBy(all []signature, server id.ServerName) error {
	found := signatureUnknown
	for _, s := range all {
		if s.server != server || s.keyID == policyKey {
			continue
		}
		switch s.state {
		case signatureBad:
			return fmt.Errorf("the signature of %s with %s does not hold", printable(string(server)), printable(string(s.keyID)))
		case signatureGood:
			found = signatureGood
		case signatureExpired:
			if found == signatureUnknown {
				found = signatureExpired
			}
		}
	}
	switch found {
	case signatureGood:
		return nil
	case signatureExpired:
		return fmt.Errorf("%s signed with a key that had expired", printable(string(server)))
	}
	return fmt.Errorf("no signature of %s with a known key", printable(string(server)))
}

// verifies checks that an event has all required signatures.
func verifies(e *event.Event, all []signature) error {
	for _, server := range e.RequiredSigners() {
		if err := signedBy(all, server); err != nil {
			return err
		}
	}
	return nil
}

// readSigningKey reads a private key: either a line "ed25519 1 SEED", as in the
// signing.key files of other servers, or only a seed. keyID selects one of
// several keys, or is the ID for a bare seed; it may be empty.
func readSigningKey(file string, r io.Reader, keyID id.KeyID) (event.Signer, error) {
	at := position{file: file}
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	var found []event.Signer
	for lines.Scan() {
		at.line++
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		s, err := parseSigningKey(fields, keyID)
		if err != nil {
			return event.Signer{}, &inputError{at, err}
		}
		if keyID == "" || s.KeyID == keyID {
			found = append(found, s)
		}
	}
	if err := lines.Err(); err != nil {
		return event.Signer{}, &inputError{at, err}
	}
	at.line = 0
	if len(found) == 0 {
		return event.Signer{}, &inputError{at, errors.New("has no such signing key")}
	}
	return found[0], nil
}

func parseSigningKey(fields []string, keyID id.KeyID) (event.Signer, error) {
	encoded := fields[0]
	switch {
	case len(fields) == 3 && fields[0] == "ed25519":
		keyID, encoded = id.KeyID("ed25519:"+fields[1]), fields[2]
	case len(fields) != 1:
		return event.Signer{}, errors.New(`is neither "ed25519 VERSION SEED" nor a seed`)
	case keyID == "":
		return event.Signer{}, errors.New("is a seed without a name: say --key-id ed25519:NAME")
	}
	if _, err := id.ParseKeyID(string(keyID)); err != nil {
		return event.Signer{}, err
	}
	seed, err := event.DecodeBase64(encoded)
	if err != nil || len(seed) != ed25519.SeedSize {
		return event.Signer{}, fmt.Errorf("the seed is not %d bytes in base64", ed25519.SeedSize)
	}
	return event.Signer{KeyID: keyID, Key: ed25519.NewKeyFromSeed(seed)}, nil
}
