// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"sync"

	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
)

// ContentHash returns the hash of an event without its unsigned, signatures and
// hashes.
//
// Spec: server-server "Calculating the content hash for an event".
func ContentHash(rules *roomver.Rules, pdu []byte) ([sha256.Size]byte, error) {
	b, _, err := canonicalObject(rules, pdu)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return contentHash(b), nil
}

func contentHash(pdu []byte) [sha256.Size]byte {
	buf := getBuffer()
	defer putBuffer(buf)
	b := append((*buf)[:0], '{')
	c := object(pdu)
	for key, value, ok := c.next(); ok; key, value, ok = c.next() {
		switch string(key) {
		case "hashes", "signatures", "unsigned":
		default:
			b = appendRawMember(b, key, value)
		}
	}
	*buf = append(b, '}')
	return sha256.Sum256(*buf)
}

// ReferenceHash returns the hash of the redacted event, without its signatures.
//
// Spec: server-server "Calculating the reference hash for an event".
func ReferenceHash(rules *roomver.Rules, pdu []byte) ([sha256.Size]byte, error) {
	b, typ, err := canonicalObject(rules, pdu)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return referenceHash(rules, b, typ), nil
}

func referenceHash(rules *roomver.Rules, pdu []byte, typ string) [sha256.Size]byte {
	buf := getBuffer()
	defer putBuffer(buf)
	*buf = appendRedacted((*buf)[:0], rules, pdu, typ, false)
	return sha256.Sum256(*buf)
}

// ReferenceHash returns the event's reference hash.
func (e *Event) ReferenceHash() [sha256.Size]byte {
	return referenceHash(e.rules, e.pdu, e.Type)
}

// hashID returns the event ID that is derived from the reference hash.
//
// Spec: room versions 3 and 4, "Event IDs".
func (e *Event) hashID() id.EventID {
	hash := e.ReferenceHash()
	encoding := base64.RawURLEncoding
	if e.rules.EventID == roomver.EventIDHash {
		encoding = base64.RawStdEncoding
	}
	var b [1 + 43]byte
	b[0] = '$'
	encoding.Encode(b[1:], hash[:])
	return id.EventID(b[:])
}

// ContentHashMatches reports whether the content hash in the event's hashes is
// right. If not, only the redacted form of the event may be used.
//
// Spec: server-server "Validating hashes and signatures on received events".
func (e *Event) ContentHashMatches() bool {
	h, _ := scanHeader(e.pdu)
	claimed, ok := Text(Member(h.hashes, "sha256"))
	if !ok {
		return false
	}
	want, err := DecodeBase64(claimed)
	if err != nil {
		return false
	}
	hash := contentHash(e.pdu)
	return subtle.ConstantTimeCompare(want, hash[:]) == 1
}

// DecodeBase64 decodes standard base64 with or without padding.
//
// Spec: appendices "Unpadded Base64".
func DecodeBase64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

// EncodeBase64 encodes b as unpadded standard base64.
func EncodeBase64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// buffers are reused for bytes to hash or sign.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func getBuffer() *[]byte  { return buffers.Get().(*[]byte) }
func putBuffer(b *[]byte) { buffers.Put(b) }
