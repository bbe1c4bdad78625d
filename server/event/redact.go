// SPDX-License-Identifier: Apache-2.0

package event

import (
	"touchstone.example/api/canonjson"
	"touchstone.example/server/roomver"
)

// Redact returns the event without everything that the redaction algorithm of
// its room version removes. Its ID stays the same.
//
// Spec: room versions "Redactions".
func (e *Event) Redact() *Event {
	pdu := appendRedacted(make([]byte, 0, len(e.pdu)), e.rules, e.pdu, e.Type, true)
	if len(pdu) == len(e.pdu) {
		return e // nothing to remove
	}
	redacted := *e
	if e.StateKey != nil {
		redacted.StateKey = &redacted.stateKey
	}
	h, _ := scanHeader(pdu)
	redacted.pdu, redacted.Content, redacted.signatures = pdu, h.content, h.signatures
	if !e.rules.RedactsInContent {
		redacted.redacts = ""
	}
	return &redacted
}

// RedactJSON is Redact for JSON that may be an incomplete event, such as a
// template from another server. It removes unsigned.
func RedactJSON(rules *roomver.Rules, object []byte) ([]byte, error) {
	b, typ, err := canonicalObject(rules, object)
	if err != nil {
		return nil, err
	}
	return appendRedacted(nil, rules, b, typ, true), nil
}

func canonicalObject(rules *roomver.Rules, src []byte) (b []byte, typ string, err error) {
	if b, err = canonjson.Append(nil, src, mode(rules)); err != nil {
		return nil, "", err
	}
	if !isObject(b) {
		return nil, "", &FormatError{Reason: "is not a JSON object"}
	}
	typ, _ = Text(Member(b, "type"))
	return b, typ, nil
}

// appendRedacted appends the redacted form of a canonical event, with or
// without its signatures. The form without signatures is what is signed, and
// its hash is the reference hash.
func appendRedacted(dst []byte, rules *roomver.Rules, pdu []byte, typ string, signatures bool) []byte {
	dst = append(dst, '{')
	c := object(pdu)
	for key, value, ok := c.next(); ok; key, value, ok = c.next() {
		switch {
		case string(key) == "content":
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = append(dst, `"content":`...)
			dst = appendRedactedContent(dst, rules.Redaction, value, typ)
		case string(key) == "signatures" && !signatures:
		case contains(rules.Redaction.TopLevel, key):
			dst = appendRawMember(dst, key, value)
		}
	}
	return append(dst, '}')
}

func appendRedactedContent(dst []byte, keep *roomver.Redaction, content []byte, typ string) []byte {
	if keep.WholeCreate && typ == TypeCreate {
		return append(dst, content...)
	}
	dst = append(dst, '{')
	if names := keep.Content[typ]; names != nil {
		c := object(content)
		for key, value, ok := c.next(); ok; key, value, ok = c.next() {
			switch {
			case contains(names, key):
				dst = appendRawMember(dst, key, value)
			case keep.ThirdPartySigned && typ == TypeMember && string(key) == "third_party_invite" && isObject(value):
				dst = appendSignedOnly(dst, value)
			}
		}
	}
	return append(dst, '}')
}

// appendSignedOnly appends third_party_invite with only its member "signed".
//
// Spec: room version 11, "is no longer redacted, but will only contain the
// signed key after redaction".
func appendSignedOnly(dst, invite []byte) []byte {
	only := []byte("{}")
	if signed := Member(invite, "signed"); signed != nil {
		only = setMember(only, "signed", signed)
	}
	return appendMember(dst, "third_party_invite", only)
}

func contains(names []string, key []byte) bool {
	for _, name := range names {
		if name == string(key) {
			return true
		}
	}
	return false
}
