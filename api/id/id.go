// SPDX-License-Identifier: Apache-2.0

// Package id holds Matrix identifiers. They are parsed once at the edge;
// after that a value of one of these types is valid. It knows grammar only:
// nothing here asks whether a user, room or event exists.
//
// Lengths are counted in bytes.
//
// Spec: appendices "Identifier Grammar".
package id

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxLen is the length of the longest identifier, sigil and domain included.
const maxLen = 255

// A UserID is @localpart:server, at most 255 bytes. Historical user IDs (any
// localpart without a colon or U+0000, even an empty one) are accepted by
// ParseUserID; what a server may create is narrower.
type UserID string

// A RoomID is !opaque:server, or since room version 12 !hash without a server.
type RoomID string

// An EventID is $opaque:server (room versions 1 and 2) or $hash.
type EventID string

// A RoomAlias is #localpart:server.
type RoomAlias string

// A ServerName is a host with an optional port.
type ServerName string

// A DeviceID is an opaque string chosen by a client or the server.
type DeviceID string

// A KeyID names a signing key: algorithm:identifier.
type KeyID string

// A MXC is a content address mxc://server/media-id.
type MXC string

// ParseUserID reads a user ID, a historical one too.
//
// Spec: appendices "User Identifiers", "Historical User IDs".
func ParseUserID(s string) (UserID, error) {
	if rule := domainRule(s, '@'); rule != "" {
		return "", &Error{"user ID", rule}
	}
	return UserID(s), nil
}

// NewUserID makes the ID of a new user. It takes only what the specification
// lets a server create.
//
// Spec: appendices "User Identifiers".
func NewUserID(localpart string, server ServerName) (UserID, error) {
	if localpart == "" {
		return "", &Error{"user ID", RuleEmpty}
	}
	for _, c := range []byte(localpart) {
		if !isUserChar(c) {
			return "", &Error{"user ID", RuleChars}
		}
	}
	return ParseUserID("@" + localpart + ":" + string(server))
}

func isUserChar(c byte) bool {
	return c >= 'a' && c <= 'z' || isDigit(c) || strings.IndexByte("-.=_/+", c) >= 0
}

// Localpart returns what stands before the server name, without the sigil.
func (u UserID) Localpart() string { return localpart(string(u)) }

// Server returns the server that the user is on.
func (u UserID) Server() ServerName { return domain(string(u)) }

// Compliant says whether every character of the localpart is visible ASCII and
// there is one. Servers accept events of other users, but should not name
// those users to clients outside of events.
//
// Spec: appendices "Historical User IDs".
func (u UserID) Compliant() bool {
	local := u.Localpart()
	for i := range len(local) {
		if local[i] < 0x21 || local[i] > 0x7E {
			return false
		}
	}
	return local != ""
}

// ParseRoomID reads a room ID of either form.
//
// Spec: appendices "Room IDs".
func ParseRoomID(s string) (RoomID, error) {
	if rule := hashRule(s, '!', ""); rule != "" {
		return "", &Error{"room ID", rule}
	}
	return RoomID(s), nil
}

// Server returns the server name in the room ID, if it has one. It says
// nothing about where the room is.
func (r RoomID) Server() (ServerName, bool) {
	server := domain(string(r))
	return server, server != ""
}

// ParseEventID reads an event ID of any form: with a server name, or a hash in
// either alphabet of Base64.
//
// Spec: appendices "Event IDs"; room versions 1, 3 and 4 "Event IDs".
func ParseEventID(s string) (EventID, error) {
	if rule := hashRule(s, '$', "+/"); rule != "" {
		return "", &Error{"event ID", rule}
	}
	return EventID(s), nil
}

// Server returns the server name in the event ID of room versions 1 and 2.
func (e EventID) Server() (ServerName, bool) {
	server := domain(string(e))
	return server, server != ""
}

// ParseRoomAlias reads a room alias.
//
// Spec: appendices "Room Aliases".
func ParseRoomAlias(s string) (RoomAlias, error) {
	if rule := domainRule(s, '#'); rule != "" {
		return "", &Error{"room alias", rule}
	}
	return RoomAlias(s), nil
}

// Localpart returns what stands before the server name, without the sigil.
func (a RoomAlias) Localpart() string { return localpart(string(a)) }

// Server returns the server that made the alias.
func (a RoomAlias) Server() ServerName { return domain(string(a)) }

// textRule returns the rule that any identifier breaks.
func textRule(s string) Rule {
	switch {
	case s == "":
		return RuleEmpty
	case len(s) > maxLen:
		return RuleLength
	case strings.IndexByte(s, 0) >= 0:
		return RuleNUL
	case !utf8.ValidString(s):
		return RuleUTF8
	}
	return ""
}

// domainRule returns the rule that s breaks as sigil, localpart and domain.
// The localpart has no colon, so the first one ends it.
func domainRule(s string, sigil byte) Rule {
	if rule := textRule(s); rule != "" {
		return rule
	}
	if s[0] != sigil {
		return RuleSigil
	}
	_, server, ok := strings.Cut(s, ":")
	if !ok || server == "" {
		return RuleServer
	}
	return serverRule(server)
}

// hashRule returns the rule that s breaks as either form of a room or event
// ID. Which form a room has, and how long its hash is, depends on the room
// version and is not asked here.
func hashRule(s string, sigil byte, more string) Rule {
	if rule := textRule(s); rule != "" {
		return rule
	}
	if s[0] != sigil {
		return RuleSigil
	}
	if strings.IndexByte(s, ':') >= 0 {
		return domainRule(s, sigil)
	}
	if len(s) == 1 {
		return RuleEmpty
	}
	for _, c := range []byte(s[1:]) {
		if !isBase64URL(c) && strings.IndexByte(more, c) < 0 {
			return RuleChars
		}
	}
	return ""
}

func isBase64URL(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' || c == '_' }

func localpart(s string) string {
	local, _, _ := strings.Cut(s, ":")
	if local == "" {
		return ""
	}
	return local[1:]
}

func domain(s string) ServerName {
	_, server, _ := strings.Cut(s, ":")
	return ServerName(server)
}

// read decodes one JSON string and parses it.
func read[T ~string](dec *jsontext.Decoder, dst *T, what string, parse func(string) (T, error)) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != '"' {
		return &Error{what, RuleString}
	}
	v, err := parse(tok.String())
	if err != nil {
		return err
	}
	*dst = v
	return nil
}
