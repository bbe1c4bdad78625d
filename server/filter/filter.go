// SPDX-License-Identifier: Apache-2.0

// Package filter parses filters and applies them to events. A filter is compiled once
// and then used for many events, by many goroutines. It is pure: it does not know where
// events come from and who may see them.
//
// Spec: client-server "Filtering".
package filter

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// A Filter is a filter of /sync. The zero Filter passes everything, in the client
// format and with all fields.
type Filter struct {
	Fields      *Fields // nil: all of them
	Federation  bool    // events in the federation format
	Presence    Events
	AccountData Events
	Room        Room
}

// Room is the part of a filter about rooms. Its Rooms are applied before those of its
// parts.
type Room struct {
	Rooms        Rooms
	IncludeLeave bool
	Ephemeral    RoomEvents
	State        RoomEvents
	Timeline     RoomEvents
	AccountData  RoomEvents
}

// RoomEvents is a RoomEventFilter: a part of a room filter, or the filter of /messages,
// /context and search.
type RoomEvents struct {
	Events
	Rooms                     Rooms
	LazyLoadMembers           bool
	IncludeRedundantMembers   bool
	UnreadThreadNotifications bool

	url         presence
	relTypes    *set[string]
	notRelTypes *set[string]
}

// Events is an EventFilter. The zero Events passes everything.
type Events struct {
	limit      *int
	types      *patterns
	notTypes   *patterns
	senders    *set[id.UserID]
	notSenders *set[id.UserID]
}

// Rooms says which rooms are wanted. The zero Rooms wants all.
type Rooms struct {
	only *set[id.RoomID]
	not  *set[id.RoomID]
}

// A Header is the part of an event that filters read. Content is read only by filters
// with contains_url.
type Header struct {
	Type    string
	Sender  id.UserID // of ephemeral events whose they are, of account data its user
	RoomID  id.RoomID
	RelType string // rel_type of the content's m.relates_to, if it has one
	Content jsontext.Value
}

// presence says whether a filter requires a key, forbids it, or permits both.
type presence uint8

const (
	either presence = iota
	required
	forbidden
)

// Match reports whether an event of this type and sender passes.
func (f *Events) Match(typ string, sender id.UserID) bool {
	return !f.notTypes.match(typ) && f.types.admits(typ) &&
		!f.notSenders.has(sender) && f.senders.admits(sender)
}

// Limit is how many events to return: as the filter says, or def if it does
// not, and never more than most.
func (f *Events) Limit(def, most int) int {
	if f.limit == nil {
		return min(def, most)
	}
	return min(*f.limit, most)
}

// Match reports whether the event passes.
func (f *RoomEvents) Match(h *Header) bool {
	return f.Events.Match(h.Type, h.Sender) && f.Rooms.Match(h.RoomID) &&
		!f.notRelTypes.has(h.RelType) && f.relTypes.admits(h.RelType) &&
		(f.url == either || hasURL(h.Content) == (f.url == required))
}

// Match reports whether the room is wanted.
func (r *Rooms) Match(room id.RoomID) bool { return !r.not.has(room) && r.only.admits(room) }

// hasURL reports whether an event's content has a key url, of whatever kind.
func hasURL(content jsontext.Value) bool {
	// Most content has none: a search for the key and for escapes decides quickly.
	if !bytes.Contains(content, []byte(`"url"`)) && !bytes.ContainsRune(content, '\\') {
		return false
	}
	dec := jsontext.NewDecoder(bytes.NewReader(content))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return false
	}
	for dec.PeekKind() == '"' {
		key, err := dec.ReadToken()
		if err != nil {
			return false
		}
		if key.String() == "url" {
			return true
		}
		if dec.SkipValue() != nil {
			return false
		}
	}
	return false
}
