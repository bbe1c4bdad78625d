// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
)

// A Draft is an event that this server is about to build. The caller chooses
// depth, prev_events and auth_events.
type Draft struct {
	RoomID         id.RoomID // empty for a create event whose hash is the room ID
	Sender         id.UserID
	Type           string
	StateKey       *string
	Content        jsontext.Value // any JSON object
	Redacts        id.EventID     // of m.room.redaction; Build writes it where the room version has it
	PrevEvents     []id.EventID
	AuthEvents     []id.EventID
	Depth          int64
	OriginServerTS int64

	// EventID and ReferenceHashes are used only in versions whose events carry
	// their ID, and the hashes of the events they refer to. An empty EventID is
	// derived from the event.
	EventID         id.EventID
	ReferenceHashes map[id.EventID][sha256.Size]byte
}

// DepthAfter is the depth of an event whose deepest previous event has this
// depth: one more, up to the limit of the version.
//
// Spec: room version 1, "Event format", depth.
func DepthAfter(rules *roomver.Rules, depth int64) int64 {
	return min(depth, rules.MaxDepth-1) + 1
}

// Build makes an event: it canonicalises the content, adds the hashes and the
// first signature, and checks the result as Parse does. The same draft and key
// always give the same event.
//
// Spec: server-server "Adding hashes and signatures to outgoing events".
func Build(rules *roomver.Rules, d Draft, s Signer) (*Event, error) {
	content, err := d.content(rules)
	if err != nil {
		return nil, err
	}
	if rules.EventID != roomver.EventIDGiven {
		d.EventID = ""
	} else if d.EventID == "" {
		bare, err := d.assemble(rules, content)
		if err != nil {
			return nil, err
		}
		hash := contentHash(bare)
		d.EventID = id.EventID("$" + base64.RawURLEncoding.EncodeToString(hash[:24]) + ":" + string(s.Name))
	}
	pdu, err := d.assemble(rules, content)
	if err != nil {
		return nil, err
	}
	return parseCanonical(rules, hashAndSign(rules, pdu, d.Type, s))
}

// HashAndSign adds the content hash and a signature to an event, which may be
// incomplete, such as a template from another server. It returns canonical
// JSON, which Parse accepts.
func HashAndSign(rules *roomver.Rules, pdu []byte, s Signer) ([]byte, error) {
	b, typ, err := canonicalObject(rules, pdu)
	if err != nil {
		return nil, err
	}
	return hashAndSign(rules, b, typ, s), nil
}

func hashAndSign(rules *roomver.Rules, pdu []byte, typ string, s Signer) []byte {
	hash := contentHash(pdu)
	pdu = setMember(pdu, "hashes", hashesOf(hash))
	signed := appendRedacted(nil, rules, pdu, typ, false)
	signature := ed25519.Sign(s.Key, signed)
	return setMember(pdu, "signatures", addSignature(Member(pdu, "signatures"), s.Name, s.KeyID, signature))
}

func hashesOf(hash [sha256.Size]byte) []byte {
	b := append([]byte(nil), `{"sha256":"`...)
	b = base64.RawStdEncoding.AppendEncode(b, hash[:])
	return append(b, `"}`...)
}

// content returns the canonical content of the event.
func (d *Draft) content(rules *roomver.Rules) ([]byte, error) {
	src := d.Content
	if src == nil {
		src = jsontext.Value("{}")
	}
	content, err := canonjson.Append(nil, src, mode(rules))
	if err != nil {
		return nil, fmt.Errorf("canonicalise content: %w", err)
	}
	if !isObject(content) {
		return nil, wrongType("content", "an object")
	}
	if nesting(content) >= canonjson.MaxDepth { // the event adds one level
		return nil, &FormatError{Member: "content", Reason: "nests too deeply", Err: canonjson.ErrDepth}
	}
	if d.Redacts != "" && rules.RedactsInContent {
		content = setMember(content, "redacts", appendQuoted(nil, string(d.Redacts)))
	}
	return content, nil
}

// assemble writes the members of the event in canonical order, without hashes
// and signatures.
func (d *Draft) assemble(rules *roomver.Rules, content []byte) ([]byte, error) {
	b := make([]byte, 0, len(content)+1024)
	auth, err := d.references(rules, d.AuthEvents)
	if err != nil {
		return nil, err
	}
	prev, err := d.references(rules, d.PrevEvents)
	if err != nil {
		return nil, err
	}
	b = append(b, '{')
	b = appendMember(b, "auth_events", auth)
	b = appendMember(b, "content", content)
	b = appendMember(b, "depth", strconv.AppendInt(nil, d.Depth, 10))
	if d.EventID != "" {
		b = appendMember(b, "event_id", appendQuoted(nil, string(d.EventID)))
	}
	b = appendMember(b, "origin_server_ts", strconv.AppendInt(nil, d.OriginServerTS, 10))
	b = appendMember(b, "prev_events", prev)
	if d.Redacts != "" && !rules.RedactsInContent {
		b = appendMember(b, "redacts", appendQuoted(nil, string(d.Redacts)))
	}
	if d.RoomID != "" {
		b = appendMember(b, "room_id", appendQuoted(nil, string(d.RoomID)))
	}
	b = appendMember(b, "sender", appendQuoted(nil, string(d.Sender)))
	if d.StateKey != nil {
		b = appendMember(b, "state_key", appendQuoted(nil, *d.StateKey))
	}
	b = appendMember(b, "type", appendQuoted(nil, d.Type))
	return append(b, '}'), nil
}

// references writes the value of prev_events or auth_events.
func (d *Draft) references(rules *roomver.Rules, ids []id.EventID) ([]byte, error) {
	b := append(make([]byte, 0, 2+64*len(ids)), '[')
	for i, eventID := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		if !rules.ReferencesCarryHashes {
			b = appendQuoted(b, string(eventID))
			continue
		}
		hash, ok := d.ReferenceHashes[eventID]
		if !ok {
			return nil, fmt.Errorf("event: no reference hash of %s", eventID)
		}
		b = appendQuoted(append(b, '['), string(eventID))
		b = append(append(append(b, ','), hashesOf(hash)...), ']')
	}
	return append(b, ']'), nil
}
