// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
)

var (
	errNoObject  = errors.New("not a JSON object")
	errWrongType = errors.New("a value of the wrong type")
)

// Parse compiles the filter of /sync. Unknown members are ignored; a member of
// the wrong kind is an error, and so is null.
func Parse(data []byte) (*Filter, error) {
	var w wireFilter
	if err := decode(data, &w); err != nil {
		return nil, err
	}
	f := &Filter{Presence: w.Presence.value.compile(), AccountData: w.AccountData.value.compile()}
	switch format := w.EventFormat; {
	case !format.set || format.value == "client":
	case format.value == "federation":
		f.Federation = true
	default:
		return nil, fmt.Errorf("filter: event_format %q is neither client nor federation", format.value)
	}
	// An empty list asks for events without any fields, which are useless. It is
	// ignored, since a server may return more than was asked for.
	if len(w.EventFields.value) > 0 {
		f.Fields = newFields(stringList(w.EventFields.value))
	}
	room := w.Room.value
	f.Room = Room{
		Rooms:        Rooms{only: setOf(room.Rooms), not: setOf(room.NotRooms)},
		IncludeLeave: room.IncludeLeave.value,
		Ephemeral:    room.Ephemeral.value.compile(),
		State:        room.State.value.compile(),
		Timeline:     room.Timeline.value.compile(),
		AccountData:  room.AccountData.value.compile(),
	}
	return f, nil
}

// ParseRoomEvents compiles a RoomEventFilter, as /messages and /context take.
func ParseRoomEvents(data []byte) (*RoomEvents, error) {
	var w wireRoomEvents
	if err := decode(data, &w); err != nil {
		return nil, err
	}
	f := w.compile()
	return &f, nil
}

func decode(data []byte, dst any) error {
	if jsontext.Value(data).Kind() != '{' {
		return fmt.Errorf("filter: %w", errNoObject)
	}
	// Clients read this error, so it names no Go types.
	var semantic *json.SemanticError
	var syntax *jsontext.SyntacticError
	err := json.Unmarshal(data, dst)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("filter: not JSON at byte %d: %w", syntax.ByteOffset, syntax.Err)
	case !errors.As(err, &semantic):
		return fmt.Errorf("filter: %w", err)
	case semantic.Err == nil:
		return fmt.Errorf("filter: %w at %q", errWrongType, string(semantic.JSONPointer))
	}
	return fmt.Errorf("filter: %w at %q", semantic.Err, string(semantic.JSONPointer))
}

// optional is a member that may be absent but not null.
type optional[T any] struct {
	value T
	set   bool
}

func (o *optional[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == 'n' {
		return errors.New("null is not allowed")
	}
	o.set = true
	return json.UnmarshalDecode(dec, &o.value)
}

// text is a string that is not null.
type text string

func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != '"' {
		return errors.New("want a string")
	}
	*t = text(tok.String())
	return nil
}

func stringList(list []text) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = string(t)
	}
	return out
}

// limit is a number of events.
type limit int

// UnmarshalJSONFrom reads an integer in any notation, as the decoders of bodies
// do.
func (l *limit) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if raw.Kind() != '0' {
		return errWrongType
	}
	text, err := canonjson.Append(nil, raw, canonjson.Strict)
	if err != nil {
		return errors.New("not an integer, or out of range")
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 {
		return errors.New("a limit cannot be negative")
	}
	*l = limit(min(n, 1<<31-1))
	return nil
}

type wireFilter struct {
	EventFields optional[[]text]       `json:"event_fields"`
	EventFormat optional[string]       `json:"event_format"`
	Presence    optional[wireEvents]   `json:"presence"`
	AccountData optional[wireEvents]   `json:"account_data"`
	Room        optional[wireRoomPart] `json:"room"`
}

type wireRoomPart struct {
	Rooms        optional[[]id.RoomID]    `json:"rooms"`
	NotRooms     optional[[]id.RoomID]    `json:"not_rooms"`
	IncludeLeave optional[bool]           `json:"include_leave"`
	Ephemeral    optional[wireRoomEvents] `json:"ephemeral"`
	State        optional[wireRoomEvents] `json:"state"`
	Timeline     optional[wireRoomEvents] `json:"timeline"`
	AccountData  optional[wireRoomEvents] `json:"account_data"`
}

type wireEvents struct {
	Limit      optional[limit]       `json:"limit"`
	Types      optional[typeList]    `json:"types"`
	NotTypes   optional[typeList]    `json:"not_types"`
	Senders    optional[[]id.UserID] `json:"senders"`
	NotSenders optional[[]id.UserID] `json:"not_senders"`
}

func (w *wireEvents) compile() Events {
	f := Events{
		types:      patternsOf(w.Types),
		notTypes:   patternsOf(w.NotTypes),
		senders:    setOf(w.Senders),
		notSenders: setOf(w.NotSenders),
	}
	if w.Limit.set {
		n := int(w.Limit.value)
		f.limit = &n
	}
	return f
}

type wireRoomEvents struct {
	wireEvents
	Rooms            optional[[]id.RoomID] `json:"rooms"`
	NotRooms         optional[[]id.RoomID] `json:"not_rooms"`
	LazyLoad         optional[bool]        `json:"lazy_load_members"`
	Redundant        optional[bool]        `json:"include_redundant_members"`
	ThreadCounts     optional[bool]        `json:"unread_thread_notifications"`
	ContainsURL      optional[bool]        `json:"contains_url"`
	RelTypes         optional[[]text]      `json:"org.matrix.msc3874.rel_types"`
	NotRelationTypes optional[[]text]      `json:"org.matrix.msc3874.not_rel_types"`
}

func (w *wireRoomEvents) compile() RoomEvents {
	f := RoomEvents{
		Events:                    w.wireEvents.compile(),
		Rooms:                     Rooms{only: setOf(w.Rooms), not: setOf(w.NotRooms)},
		LazyLoadMembers:           w.LazyLoad.value,
		IncludeRedundantMembers:   w.Redundant.value,
		UnreadThreadNotifications: w.ThreadCounts.value,
	}
	if w.ContainsURL.set {
		f.url = forbidden
		if w.ContainsURL.value {
			f.url = required
		}
	}
	if w.RelTypes.set {
		f.relTypes = newSet(stringList(w.RelTypes.value))
	}
	if w.NotRelationTypes.set {
		f.notRelTypes = newSet(stringList(w.NotRelationTypes.value))
	}
	return f
}

func setOf[T ~string](list optional[[]T]) *set[T] {
	if !list.set {
		return nil
	}
	return newSet(list.value)
}

// maxWildcards bounds the bytes of the types with wildcards in one list: every event is
// compared with each of them.
const maxWildcards = 1024

// typeList is a list of event types, some with wildcards.
type typeList []text

func (l *typeList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if err := json.UnmarshalDecode(dec, (*[]text)(l)); err != nil {
		return err
	}
	n := 0
	for _, t := range *l {
		if strings.Contains(string(t), "*") {
			n += len(t)
		}
	}
	if n > maxWildcards {
		return fmt.Errorf("the types with wildcards have more than %d bytes", maxWildcards)
	}
	return nil
}

func patternsOf(list optional[typeList]) *patterns {
	if !list.set {
		return nil
	}
	return newPatterns(stringList(list.value))
}
