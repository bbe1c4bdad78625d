// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/sha256"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
)

// Template returns a draft as an event without ID, hashes and signatures, which
// a server offers to another one for completion.
//
// Spec: server-server GET /_matrix/federation/v1/make_join, "event".
func Template(rules *roomver.Rules, d Draft) ([]byte, error) {
	content, err := d.content(rules)
	if err != nil {
		return nil, err
	}
	d.EventID = ""
	return d.assemble(rules, content)
}

// ParseTemplate reads a template from any server as a draft. It ignores hashes,
// signatures, unsigned, the event ID and unknown members. The caller must check
// that the template is what it asked for.
func ParseTemplate(rules *roomver.Rules, template []byte) (Draft, error) {
	b, err := canonjson.Append(nil, template, mode(rules))
	if err != nil {
		return Draft{}, fmt.Errorf("canonicalise template: %w", err)
	}
	h, err := scanHeader(b)
	if err != nil {
		return Draft{}, err
	}
	h.eventID = []byte(`""`)
	if h.originServerTS == nil {
		h.originServerTS = []byte("0")
	}
	e, err := newEvent(rules, b, &h)
	if err != nil {
		return Draft{}, err
	}
	d := Draft{
		RoomID: e.RoomID, Sender: e.Sender, Type: e.Type, StateKey: e.StateKey, Content: e.Content, Redacts: e.redacts,
		PrevEvents: e.PrevEvents, AuthEvents: e.AuthEvents, Depth: e.Depth, OriginServerTS: e.OriginServerTS,
	}
	if rules.ReferencesCarryHashes {
		d.ReferenceHashes = make(map[id.EventID][sha256.Size]byte, len(d.PrevEvents)+len(d.AuthEvents))
		for _, list := range [][]byte{h.prevEvents, h.authEvents} {
			for pair := range elements(list) {
				d.addReferenceHash(pair)
			}
		}
	}
	return d, nil
}

// addReferenceHash stores the hash of a reference, if the reference has one.
func (d *Draft) addReferenceHash(pair []byte) {
	var eventID string
	var hashes jsontext.Value
	for v := range elements(pair) {
		if isString(v) {
			eventID, _ = Text(v)
		} else {
			hashes = v
		}
	}
	s, _ := Text(Member(hashes, "sha256"))
	if hash, err := DecodeBase64(s); err == nil && len(hash) == sha256.Size {
		d.ReferenceHashes[id.EventID(eventID)] = [sha256.Size]byte(hash)
	}
}
