// SPDX-License-Identifier: Apache-2.0

package syncpart

import "touchstone.example/api/id"

// News is what the parts return. Maps by room have the room's row as key; a room that
// is not in a map has no news there.
type News struct {
	AccountData     []Typed
	RoomAccountData map[int64][]Typed
	Receipts        map[int64][]Receipt
	Typing          map[int64][]id.UserID // all users who are typing; empty: none any more
	Recounted       map[int64]bool        // rooms whose unread counts may have changed
	Presence        []Sent
	ToDevice        *Page
	DeviceLists     *DeviceLists
}

// A Typed is a piece of account data.
type Typed struct {
	Type    string
	Content []byte // a JSON object
}

// A Sent is an event that belongs to no room.
type Sent struct {
	Sender id.UserID
	Typed
}

// A Receipt is up to where a user has read.
type Receipt struct {
	User   id.UserID
	Kind   string // m.read, m.read.private
	Event  id.EventID
	Thread string // "" without one
	TS     int64  // milliseconds
}

// A Page is some of the messages to a device, in order, after Window.ToDevice.
type Page struct {
	Events []Sent
	// Next is the position of the last message, if others up to the window's end are
	// left out; 0: these are all. With its next request the client acknowledges Next,
	// or else the window's end. If messages were left out, that request is answered at
	// once.
	Next int64
}

// DeviceLists are the users whose devices changed, and the users who share no room with
// this user any more.
type DeviceLists struct {
	Changed, Left []id.UserID
}
