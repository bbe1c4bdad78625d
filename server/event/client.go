// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strconv"
)

// ClientJSON returns the event in the format of the client-server API, without
// unsigned, which depends on the requesting user and the time.
//
// An m.room.redaction names its target both at the top level and in its
// content, whichever of them its room version uses.
//
// Spec: client-server "Room event format"; room version 11, "Moving the redacts
// property of m.room.redaction events to a content property".
func (e *Event) ClientJSON() []byte {
	return e.AppendClientJSON(make([]byte, 0, len(e.Content)+512))
}

// AppendClientJSON appends what ClientJSON returns to b.
func (e *Event) AppendClientJSON(b []byte) []byte { return e.appendClient(b, true) }

// SyncJSON returns the event in the client format without room_id, for
// responses that name the room elsewhere.
//
// Spec: client-server "Room event format", ClientEventWithoutRoomID.
func (e *Event) SyncJSON() []byte {
	return e.appendClient(make([]byte, 0, len(e.Content)+512), false)
}

func (e *Event) appendClient(b []byte, room bool) []byte {
	content := []byte(e.Content)
	var redacts []byte
	if e.redacts != "" {
		redacts = appendQuoted(nil, string(e.redacts))
		if !e.rules.RedactsInContent {
			content = setMember(content, "redacts", redacts)
		}
	}
	b = append(b, `{"content":`...)
	b = append(b, content...)
	b = append(b, `,"event_id":`...)
	b = appendQuoted(b, string(e.ID))
	b = append(b, `,"origin_server_ts":`...)
	b = strconv.AppendInt(b, e.OriginServerTS, 10)
	if redacts != nil {
		b = append(b, `,"redacts":`...)
		b = append(b, redacts...)
	}
	if room {
		b = append(b, `,"room_id":`...)
		b = appendQuoted(b, string(e.RoomID))
	}
	b = append(b, `,"sender":`...)
	b = appendQuoted(b, string(e.Sender))
	if e.StateKey != nil {
		b = append(b, `,"state_key":`...)
		b = appendQuoted(b, e.stateKey)
	}
	b = append(b, `,"type":`...)
	b = appendQuoted(b, e.Type)
	return append(b, '}')
}
