// SPDX-License-Identifier: Apache-2.0

// Package devicekeys reads the public keys of devices and users that clients
// upload, and checks them as far as they can be checked by themselves. It must
// not know which keys there are already.
//
// Spec: client-server "End-to-End Encryption", "Key algorithms", "Cross-signing".
package devicekeys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
)

const (
	// MaxSize bounds the keys of one device or usage, in bytes of canonical JSON.
	// Other servers are told of them in an EDU, with some space to spare.
	MaxSize = 32 << 10
	// MaxKeySize bounds a one-time or fallback key.
	MaxKeySize = 8 << 10
	// MaxName bounds the name of a key and of an algorithm.
	MaxName = 255

	ed25519Prefix = "ed25519:"
)

var (
	// ErrFormat is wrapped by errors about keys that are not as they must be.
	ErrFormat = errors.New("not valid keys")
	// ErrUnsigned says that a signature is missing that must be there.
	ErrUnsigned = errors.New("the signature is missing")
	// ErrSignature says that a signature is not that of the key it names.
	ErrSignature = errors.New("the signature is invalid")
)

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// A Key is the public part of an Ed25519 key under its name.
type Key struct {
	ID     string // ed25519:…
	Public ed25519.PublicKey
}

// parseKey decodes a 32-byte key.
//
// Spec: client-server "Key algorithms": "encoded using unpadded Base64".
func parseKey(name, text string) ([]byte, error) {
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, wrong("%s is not unpadded Base64", name)
	}
	if len(b) != ed25519.PublicKeySize {
		return nil, wrong("%s has %d bytes in place of %d", name, len(b), ed25519.PublicKeySize)
	}
	return b, nil
}

// canonical is an object in canonical form.
func canonical(obj []byte, most int) ([]byte, error) {
	b, err := canonjson.Canonical(obj)
	if err != nil {
		return nil, wrong("%s", err)
	}
	if jsontext.Value(b).Kind() != '{' {
		return nil, wrong("they are no object")
	}
	if len(b) > most {
		return nil, wrong("they have %d bytes, and at most %d are allowed", len(b), most)
	}
	return b, nil
}

// A Device is the identity keys of a device.
type Device struct {
	JSON []byte // canonical
	Key         // that signs the device's other keys
}

// ParseDevice reads identity keys that a device has uploaded, or is said to have.
func ParseDevice(obj []byte, user id.UserID, device id.DeviceID) (*Device, error) {
	b, err := canonical(obj, MaxSize)
	if err != nil {
		return nil, err
	}
	if s, ok := event.Text(event.Member(b, "user_id")); !ok || s != string(user) {
		return nil, wrong("user_id is not %s", user)
	}
	if s, ok := event.Text(event.Member(b, "device_id")); !ok || s != string(device) {
		return nil, wrong("device_id is not %q", string(device))
	}
	d := &Device{JSON: b}
	for name, value := range event.Members(event.Member(b, "keys")) {
		text, ok := event.Text(value)
		algorithm, of, named := strings.Cut(name, ":")
		if !ok || !named || of != string(device) || len(name) > MaxName {
			return nil, wrong("keys are named <algorithm>:<device_id>, and %q is not", name)
		}
		switch algorithm {
		case "ed25519":
			if d.Public, err = parseKey(name, text); err != nil {
				return nil, err
			}
			d.ID = name
		case "curve25519":
			if _, err = parseKey(name, text); err != nil {
				return nil, err
			}
		}
	}
	if d.ID == "" {
		return nil, wrong("keys has no ed25519:%s", device)
	}
	return d, nil
}

// Signed checks the device's own signature on its keys.
//
// Spec: client-server "Uploading keys".
func (d *Device) Signed(user id.UserID) error { return Verify(d.JSON, user, d.Key) }

// A CrossSigning is a cross-signing key of a user.
type CrossSigning struct {
	JSON []byte // canonical
	Key
}

// Name is the key's public part, by which devices and keys are told apart.
func (k *CrossSigning) Name() string { return strings.TrimPrefix(k.ID, ed25519Prefix) }

// ParseCrossSigning reads a cross-signing key.
func ParseCrossSigning(obj []byte, user id.UserID, usage string) (*CrossSigning, error) {
	b, err := canonical(obj, MaxSize)
	if err != nil {
		return nil, err
	}
	if s, ok := event.Text(event.Member(b, "user_id")); !ok || s != string(user) {
		return nil, wrong("user_id is not %s", user)
	}
	used := false
	for value := range event.Elements(event.Member(b, "usage")) {
		s, ok := event.Text(value)
		used = used || ok && s == usage
	}
	if !used {
		return nil, wrong("usage does not have %s", usage)
	}
	k := &CrossSigning{JSON: b}
	for name, value := range event.Members(event.Member(b, "keys")) {
		text, ok := event.Text(value)
		if !ok || k.ID != "" || name != ed25519Prefix+text {
			return nil, wrong("keys has one member, whose name is ed25519:<public key> and whose value is the public key")
		}
		if k.Public, err = parseKey(name, text); err != nil {
			return nil, err
		}
		k.ID = name
	}
	if k.ID == "" {
		return nil, wrong("keys is empty")
	}
	return k, nil
}

// Verify checks the signature of a user's key on an object. ErrUnsigned says that
// there is none, ErrSignature that it is invalid.
//
// Spec: appendices "Checking for a Signature".
func Verify(obj []byte, signer id.UserID, key Key) error {
	if event.Member(event.Member(event.Member(obj, "signatures"), string(signer)), key.ID) == nil {
		return fmt.Errorf("%w: that of %s with %s", ErrUnsigned, signer, key.ID)
	}
	if err := event.VerifyCanonical(obj, id.ServerName(signer), id.KeyID(key.ID), key.Public); err != nil {
		return fmt.Errorf("%w: that of %s with %s", ErrSignature, signer, key.ID)
	}
	return nil
}

// A Signature is one on an object.
type Signature struct {
	Signer   id.UserID
	SignedBy string // with which key
	Value    string
}

// Signatures lists the signatures on a canonical object, valid or not.
func Signatures(obj []byte) (list []Signature, err error) {
	for signer, keys := range event.Members(event.Member(obj, "signatures")) {
		user, err := id.ParseUserID(signer)
		if err != nil {
			return nil, wrong("signatures has %q, which is no user", signer)
		}
		for key, value := range event.Members(keys) {
			text, ok := event.Text(value)
			if !ok {
				return nil, wrong("the signature of %s with %s is no string", user, key)
			}
			list = append(list, Signature{user, key, text})
		}
	}
	return list, nil
}

// Canonical is an object that was signed in canonical form.
func Canonical(obj []byte) ([]byte, error) { return canonical(obj, MaxSize) }

// SameBesideSignatures reports whether two canonical objects are the same but for
// signatures and what servers have added.
func SameBesideSignatures(a, b []byte) bool { return bytes.Equal(signedPart(a), signedPart(b)) }

func signedPart(obj []byte) []byte {
	out := []byte{'{'}
	for name, value := range event.Members(obj) {
		if name == "signatures" || name == "unsigned" {
			continue
		}
		out = append(append(raw.AppendString(out, name), ':'), value...)
	}
	return out
}

// An OneTime is a one-time or fallback key.
type OneTime struct {
	Algorithm, ID string
	JSON          []byte
}

// ParseOneTime reads a one-time or fallback key by its name and value.
func ParseOneTime(name string, value []byte) (*OneTime, error) {
	k := &OneTime{JSON: value}
	var ok bool
	if k.Algorithm, k.ID, ok = strings.Cut(name, ":"); !ok || k.Algorithm == "" || k.ID == "" || len(name) > MaxName {
		return nil, wrong("a key is named <algorithm>:<key_id>, and %q is not", name)
	}
	b, err := canonjson.Canonical(value)
	if err != nil {
		return nil, wrong("%s: %s", name, err)
	}
	if len(b) > MaxKeySize {
		return nil, wrong("%s has %d bytes, and at most %d are allowed", name, len(b), MaxKeySize)
	}
	k.JSON = b
	text, isText := event.Text(b)
	if !isText {
		var has bool
		text, has = event.Text(event.Member(b, "key"))
		if !has || event.Member(b, "signatures").Kind() != '{' {
			return nil, wrong("%s has no key or no signatures", name)
		}
	}
	switch {
	case k.Algorithm == "signed_curve25519" && isText:
		return nil, wrong("%s is no object", name)
	case k.Algorithm == "signed_curve25519" || k.Algorithm == "curve25519":
		_, err = parseKey(name, text)
	}
	return k, err
}
