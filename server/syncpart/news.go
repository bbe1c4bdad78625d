// SPDX-License-Identifier: Apache-2.0

package syncpart

import (
	"slices"

	"touchstone.example/api/id"
)

// News is what the parts return. Maps by room have the room's row as key; a room that
// is not in a map has no news there.
type News struct {
	AccountData     []Typed
	RoomAccountData map[int64][]Typed
	Receipts        map[int64][]Receipt
	Typing          map[int64]Typing
	Recounted       map[int64]bool // what the user has not read is counted anew
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

// Typing is who is typing in a room: nobody any more, if nobody. Changed are those
// who began or stopped, without whom it is no news.
type Typing struct{ Users, Changed []id.UserID }

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

// ignore takes out what users do whom the client's user ignores.
//
// Spec: client-server "Ignoring Users".
func (n *News) ignore(users map[id.UserID]bool) {
	if len(users) == 0 {
		return
	}
	for nid, list := range n.Receipts {
		n.Receipts[nid] = slices.DeleteFunc(list, func(r Receipt) bool { return users[r.User] })
	}
	for nid, t := range n.Typing {
		if t = t.Of(func(u id.UserID) bool { return !users[u] }); len(t.Changed) == 0 {
			delete(n.Typing, nid)
		} else {
			n.Typing[nid] = t
		}
	}
}

// Of is what concerns those users who pass.
func (t Typing) Of(passes func(id.UserID) bool) (out Typing) {
	for _, u := range t.Users {
		if passes(u) {
			out.Users = append(out.Users, u)
		}
	}
	for _, u := range t.Changed {
		if passes(u) {
			out.Changed = append(out.Changed, u)
		}
	}
	return out
}
