// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
)

// A Signer is a server name with one of its signing keys.
type Signer struct {
	Name  id.ServerName
	KeyID id.KeyID
	Key   ed25519.PrivateKey
}

// ErrSignature is wrapped by the errors about missing and invalid signatures.
var ErrSignature = errors.New("invalid signature")

// Sign returns the event with an additional signature.
//
// Spec: server-server "Adding hashes and signatures to outgoing events".
func (e *Event) Sign(s Signer) (*Event, error) {
	buf := getBuffer()
	defer putBuffer(buf)
	*buf = appendRedacted((*buf)[:0], e.rules, e.pdu, e.Type, false)
	return e.withSignatures(addSignature(e.signatures, s.Name, s.KeyID, ed25519.Sign(s.Key, *buf)))
}

// AddSignatures returns the event with signatures added, which another server
// made. They have the form of the member signatures. Existing signatures stay.
func (e *Event) AddSignatures(signatures []byte) (*Event, error) {
	b, err := canonjson.Append(nil, signatures, mode(e.rules))
	if err != nil {
		return nil, fmt.Errorf("canonicalise signatures: %w", err)
	}
	all := e.signatures
	for server, keys := range Members(b) {
		for key, signature := range Members(keys) {
			own := Member(all, server)
			if !isString(signature) || Member(own, key) != nil {
				continue
			}
			if own == nil {
				own = []byte("{}")
			}
			all = setMember(all, server, setMember(own, key, signature))
		}
	}
	return e.withSignatures(all)
}

// WithoutSignature returns the event without one signature.
func (e *Event) WithoutSignature(server id.ServerName, keyID id.KeyID) (*Event, error) {
	own := Member(e.signatures, string(server))
	if Member(own, string(keyID)) == nil {
		return e, nil
	}
	return e.withSignatures(setMember(e.signatures, string(server), setMember(own, string(keyID), nil)))
}

func (e *Event) withSignatures(signatures []byte) (*Event, error) {
	signed := *e
	if e.StateKey != nil {
		signed.StateKey = &signed.stateKey
	}
	signed.pdu = setMember(e.pdu, "signatures", signatures)
	if len(signed.pdu) > MaxSize {
		return nil, tooLarge("", len(signed.pdu), MaxSize)
	}
	h, err := scanHeader(signed.pdu)
	if err != nil {
		return nil, err
	}
	signed.Content, signed.signatures = h.content, h.signatures
	return &signed, nil
}

// VerifySignature checks the signature of a server with a key. It does not
// check whether the key belongs to the server or was valid at the time.
//
// Spec: server-server "Validating hashes and signatures on received events".
func (e *Event) VerifySignature(server id.ServerName, keyID id.KeyID, key ed25519.PublicKey) error {
	buf := getBuffer()
	defer putBuffer(buf)
	*buf = appendRedacted((*buf)[:0], e.rules, e.pdu, e.Type, false)
	return verify(*buf, e.signatures, server, keyID, key)
}

// Signatures yields the server and key of each signature on the event, valid or
// not.
func (e *Event) Signatures() iter.Seq2[id.ServerName, id.KeyID] {
	return func(yield func(id.ServerName, id.KeyID) bool) {
		for server, keys := range Members(e.signatures) {
			for key := range Members(keys) {
				if !yield(id.ServerName(server), id.KeyID(key)) {
					return
				}
			}
		}
	}
}

// SignedBy lists the ed25519 keys of a server for which the event has
// signatures, valid or not.
func (e *Event) SignedBy(server id.ServerName) []id.KeyID {
	var keys []id.KeyID
	for key := range Members(Member(e.signatures, string(server))) {
		if strings.HasPrefix(key, "ed25519:") {
			keys = append(keys, id.KeyID(key))
		}
	}
	return keys
}

// RequiredSigners lists the servers that must have signed an event from
// outside. The authorization rules may require more.
//
// The sender's server need not have signed a third-party invite, because the
// rules check the signature in the invite. This does not apply to an event
// whose content hash does not match and whose redacted form is no third-party
// invite.
//
// Spec: server-server "Validating hashes and signatures on received events".
func (e *Event) RequiredSigners() []id.ServerName {
	var servers []id.ServerName
	if !e.isThirdPartyInvite() || !e.ContentHashMatches() && !e.Redact().isThirdPartyInvite() {
		servers = append(servers, e.Sender.Server())
	}
	if e.rules.EventIDServerSigns {
		if server, ok := e.ID.Server(); ok && !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	return servers
}

func (e *Event) isThirdPartyInvite() bool {
	return e.Type == TypeMember && e.Membership() == "invite" && e.ContentMember("third_party_invite") != nil
}

// SignJSON returns any JSON object, such as a server's keys, in canonical form
// with a signature added. It keeps other signatures and unsigned.
//
// Spec: appendices "Signing JSON".
func SignJSON(obj []byte, s Signer) ([]byte, error) {
	b, signed, err := signedPart(obj, canonjson.Strict)
	if err != nil {
		return nil, err
	}
	signatures := addSignature(Member(b, "signatures"), s.Name, s.KeyID, ed25519.Sign(s.Key, signed))
	return setMember(b, "signatures", signatures), nil
}

// VerifyJSON checks the signature of a server, or of another entity, on a JSON
// object.
//
// Spec: appendices "Checking for a Signature".
func VerifyJSON(obj []byte, name id.ServerName, keyID id.KeyID, key ed25519.PublicKey) error {
	b, signed, err := signedPart(obj, canonjson.Strict)
	if err != nil {
		return err
	}
	return verify(signed, Member(b, "signatures"), name, keyID, key)
}

// VerifyCanonical is VerifyJSON for an object that is already canonical, such
// as a part of an event.
func VerifyCanonical(obj []byte, name id.ServerName, keyID id.KeyID, key ed25519.PublicKey) error {
	signed := setMember(setMember(obj, "signatures", nil), "unsigned", nil)
	return verify(signed, Member(obj, "signatures"), name, keyID, key)
}

// signedPart returns the canonical form of an object, and the part of it that
// signatures cover.
func signedPart(obj []byte, mode canonjson.Mode) (whole, signed []byte, err error) {
	if whole, err = canonjson.Append(nil, obj, mode); err != nil {
		return nil, nil, fmt.Errorf("canonicalise: %w", err)
	}
	if !isObject(whole) {
		return nil, nil, &FormatError{Reason: "is not a JSON object"}
	}
	return whole, setMember(setMember(whole, "signatures", nil), "unsigned", nil), nil
}

// addSignature adds a signature to the object signatures.
func addSignature(signatures []byte, name id.ServerName, keyID id.KeyID, signature []byte) []byte {
	if !isObject(signatures) {
		signatures = []byte("{}")
	}
	own := []byte(Member(signatures, string(name)))
	if !isObject(own) {
		own = []byte("{}")
	}
	own = setMember(own, string(keyID), appendQuoted(nil, EncodeBase64(signature)))
	return setMember(signatures, string(name), own)
}

func verify(signed, signatures []byte, name id.ServerName, keyID id.KeyID, key ed25519.PublicKey) error {
	claimed, ok := Text(Member(Member(signatures, string(name)), string(keyID)))
	if !ok {
		return fmt.Errorf("%w: %s has not signed with %s", ErrSignature, name, keyID)
	}
	signature, err := DecodeBase64(claimed)
	if err != nil {
		return fmt.Errorf("%w of %s with %s: %w", ErrSignature, name, keyID, err)
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, signed, signature) {
		return fmt.Errorf("%w of %s with %s", ErrSignature, name, keyID)
	}
	return nil
}
