// SPDX-License-Identifier: Apache-2.0

// Package roomview reads rooms: which events and which state a user may see, and how
// they look to the user's device. It returns its own types and raw JSON, and knows no
// operation and no status code. It writes nothing.
package roomview

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/server/visibility"
	"touchstone.example/storage"
)

// A View encodes events for one device at one time: it copies the stored bytes and adds
// what depends on the reader, in unsigned.
//
// Spec: client-server "Room event format", UnsignedData.
type View struct {
	User   id.UserID
	Device id.DeviceID
	Now    int64 // milliseconds, for age
	// Others are the events in unsigned data, by row: events replaced by state events,
	// and redactions. LoadOthers fills it.
	Others map[int64]*storage.Event
	// Memberships are the caller's memberships at each event, by row. An event that is
	// not in it gets no unsigned.membership.
	Memberships map[int64]string
	// TxnIDs are the transaction ids of the events that the caller's device
	// has sent, by row. LoadOthers fills it.
	TxnIDs map[int64]string
	// hidden are the events, by row, whose replaced events the caller may not see.
	hidden map[int64]bool
	// PDUs are the events in the format of their room version, by row. If LoadPDUs has
	// filled it, events are encoded in that format.
	PDUs map[int64][]byte
}

// NewView returns the view of a device at a time in milliseconds.
func NewView(user id.UserID, device id.DeviceID, now int64) *View {
	return &View{User: user, Device: device, Now: now, Memberships: map[int64]string{}}
}

// LoadPDUs makes the view encode events in the federation format.
//
// Spec: client-server "Filtering", event_format.
func (v *View) LoadPDUs(ctx context.Context, tx *storage.Reader, events []*storage.Event) error {
	nids := make([]int64, len(events))
	for i, e := range events {
		nids[i] = e.NID
	}
	rows, err := tx.EventsByNID(ctx, nids)
	if err != nil {
		return err
	}
	v.PDUs = make(map[int64][]byte, len(rows))
	redacted := map[int64][]*storage.Event{} // by room
	for _, e := range rows {
		v.PDUs[e.NID] = e.PDU
		if e.RedactedBy != 0 {
			redacted[e.RoomNID] = append(redacted[e.RoomNID], e)
		}
	}
	for nid, list := range redacted {
		if err := v.redactPDUs(ctx, tx, nid, list); err != nil {
			return err
		}
	}
	return nil
}

// redactPDUs redacts the PDUs of one room's redacted events, which are stored as they
// were received.
func (v *View) redactPDUs(ctx context.Context, tx *storage.Reader, roomNID int64, list []*storage.Event) error {
	room, err := tx.RoomByNID(ctx, roomNID)
	if err != nil {
		return err
	}
	rules, err := roomver.Of(room.RoomVersion)
	if err != nil {
		return err
	}
	for _, e := range list {
		ev, err := event.Trusted(rules, e.ID, e.PDU)
		if err != nil {
			return fmt.Errorf("stored event %s: %w", e.ID, err)
		}
		v.PDUs[e.NID] = ev.Redact().PDU()
	}
	return nil
}

// LoadOthers reads the events that the unsigned data of events refers to.
func (v *View) LoadOthers(ctx context.Context, tx *storage.Reader, events []*storage.Event) error {
	var nids, own []int64
	for _, e := range events {
		if e.Sender == v.User {
			own = append(own, e.NID)
		}
		for _, nid := range [...]int64{e.ReplacesNID, e.RedactedBy} {
			if nid != 0 && v.Others[nid] == nil {
				nids = append(nids, nid)
			}
		}
	}
	if len(own) > 0 {
		ids, err := tx.TxnIDs(ctx, v.User, v.Device, own)
		if err != nil {
			return err
		}
		if v.TxnIDs == nil {
			v.TxnIDs = ids
		}
		maps.Copy(v.TxnIDs, ids)
	}
	if len(nids) == 0 {
		return nil
	}
	others, err := tx.ViewsByNID(ctx, nids)
	if err != nil {
		return err
	}
	if v.Others == nil {
		v.Others = make(map[int64]*storage.Event, len(others))
	}
	for _, e := range others {
		v.Others[e.NID] = e
	}
	return nil
}

// maxPredecessors bounds, for one room, how many replaced events from before the
// caller's join are checked; the others are not shown.
const maxPredecessors = 64

// Hide leaves out of unsigned those replaced events of one room that the caller may not
// see. Call LoadOthers first.
//
// Spec: client-server "Room event format", unsigned.prev_content: "and the
// client has permission to see the previous event".
func (v *View) Hide(ctx context.Context, access *Access, events []*storage.Event) error {
	looked := 0
	for _, e := range events {
		prev := v.Others[e.ReplacesNID]
		if prev == nil || access.joinedBefore(prev) {
			continue
		}
		ok := false
		if looked++; looked <= maxPredecessors {
			var err error
			if ok, _, err = access.CanSee(ctx, prev); err != nil {
				return err
			}
		}
		if !ok {
			if v.hidden == nil {
				v.hidden = map[int64]bool{}
			}
			v.hidden[e.NID] = true
		}
	}
	return nil
}

// Append appends an event in the client format. roomID is empty if the answer names the
// room elsewhere; the redaction in unsigned has a room_id exactly if the event has one.
//
// Spec: client-server "Room event format", ClientEvent and
// ClientEventWithoutRoomID; replaces_state is there "regardless of history
// visibility".
func (v *View) Append(b []byte, e *storage.Event, roomID id.RoomID) []byte {
	if pdu, ok := v.PDUs[e.NID]; ok {
		b = append(b, pdu[:len(pdu)-1]...)
		if event.Member(pdu, "event_id") == nil { // clients refer to events by it
			b = raw.AppendString(append(b, `,"event_id":`...), e.ID)
		}
		roomID = ""
	} else {
		b = append(b, e.Client[:len(e.Client)-1]...)
	}
	if roomID != "" {
		b = raw.AppendString(append(b, `,"room_id":`...), roomID)
	}
	b = append(b, `,"unsigned":{"age":`...)
	b = strconv.AppendInt(b, max(v.Now-e.OriginServerTS, 0), 10) // a clock may have been ahead
	if m := v.Memberships[e.NID]; m != "" {
		b = raw.AppendString(append(b, `,"membership":`...), m)
	}
	prev := v.Others[e.ReplacesNID]
	if prev != nil && !v.hidden[e.NID] {
		b = append(append(b, `,"prev_content":`...), Content(prev.Client)...)
	}
	if by := v.Others[e.RedactedBy]; by != nil {
		b = append(append(b, `,"redacted_because":`...), by.Client...)
		if roomID != "" {
			b = raw.AppendString(append(b[:len(b)-1], `,"room_id":`...), roomID)
			b = append(b, '}')
		}
	}
	if prev != nil { // even if the caller may not see it
		b = raw.AppendString(append(b, `,"replaces_state":`...), prev.ID)
	}
	if txnID, ok := v.TxnIDs[e.NID]; ok {
		b = raw.AppendString(append(b, `,"transaction_id":`...), txnID)
	}
	return append(b, "}}"...)
}

// Event returns an event in the client format, for answers with few events.
func (v *View) Event(e *storage.Event, roomID id.RoomID) raw.Raw {
	return v.Append(make([]byte, 0, len(e.Client)+256), e, roomID)
}

// AppendStripped appends a state event as stripped state.
//
// Spec: client-server "Stripped state".
func AppendStripped(b []byte, e *storage.Event) []byte {
	b = append(append(b, `{"content":`...), Content(e.Client)...)
	b = raw.AppendString(append(b, `,"sender":`...), e.Sender)
	b = raw.AppendString(append(b, `,"state_key":`...), *e.StateKey)
	b = raw.AppendString(append(b, `,"type":`...), e.Type)
	return append(b, '}')
}

// Content returns the content of an event in its stored client form, which begins with
// it.
func Content(client []byte) raw.Raw { return raw.Raw(event.Member(client, "content")) }

// MembershipOf returns the membership in a membership event.
func MembershipOf(e *storage.Event) string {
	return string(visibility.MembershipOf(Content(e.Client)))
}
