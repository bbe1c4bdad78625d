// SPDX-License-Identifier: Apache-2.0

// Package syncpart is the contract between slices that have news for clients and the
// consumers that send it: /sync and sliding sync. A part reads from a given snapshot
// what is new for one device and returns values; the consumer filters them and encodes
// its answer. Parts never write.
package syncpart

import (
	"context"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// A Window is the range of changes that one answer to one device covers.
type Window struct {
	User     id.UserID
	Device   id.DeviceID
	Since    int64 // for news without a room; 0: an initial sync
	ToDevice int64 // messages to the device are acknowledged up to this position
	UpTo     int64 // the feed had reached it before the snapshot was opened
	Now      int64 // milliseconds
	// Rooms are the joined rooms that the consumer wants and for which parts may have
	// news. A part that searches by user may return other rooms too: the consumer drops
	// them.
	Rooms []Room
	// Ignored are the users whom the user ignores.
	Ignored map[id.UserID]bool
	// Members are the memberships that changed in the window in the user's rooms, and
	// the user's own. They are read only for a MembersPart, with ReadMembers, which the
	// consumer sets.
	Members     []MemberChange
	ReadMembers func(ctx context.Context) ([]MemberChange, error)
}

// A MemberChange is a user's membership of a room at the window's start and end; "" is
// none. For a room that the window's user was in at only one of them, only that user's
// own change is listed.
type MemberChange struct {
	RoomNID int64
	User    id.UserID
	Was, Is string
}

// A Room is one room of a window.
type Room struct {
	NID   int64
	Since int64 // 0: the room is new to the client
}

// A Part is the news of one slice.
type Part interface {
	// Kinds are the kinds of changes that the part reads. It is not read if the window
	// has none of them.
	Kinds() []feed.Kind
	// Read adds to out what is new in the window. A value that changed again after the
	// window may be left to the next answer.
	Read(ctx context.Context, tx *storage.Reader, w *Window, out *News) error
}

// A MembersPart is a part that is also read if memberships changed; Window.Members then
// lists them. Its Kinds need not include KindEvent and KindState for this.
type MembersPart interface {
	Part
	WantsMembers()
}

// A Receiver is a part that is told which messages a device has acknowledged with its
// token: those up to a position. Acknowledged is called for each such request and must
// return at once; deleting is done after the answer.
type Receiver interface {
	Part
	Acknowledged(user id.UserID, device id.DeviceID, upTo int64)
}

// A Standing is contained in every answer to a device, whatever else is in it; it does
// not end a wait. The consumer caches it for each device until one of the kinds changes
// for the user.
type Standing interface {
	Kinds() []feed.Kind
	Load(ctx context.Context, tx *storage.Reader, user id.UserID, device id.DeviceID) (*KeyCounts, error)
}

// KeyCounts are the keys that a device has left for others to claim.
type KeyCounts struct {
	OneTime        map[string]int64 // by algorithm
	UnusedFallback []string         // algorithms
}

// Kinds are the kinds of changes that any of the parts reads.
func Kinds(parts []Part) (kinds []feed.Kind) {
	for _, p := range parts {
		kinds = append(kinds, p.Kinds()...)
	}
	return kinds
}

// Read reads the parts that may have news, in their order.
func Read(ctx context.Context, f *feed.Feed, tx *storage.Reader, parts []Part, w *Window) (*News, error) {
	out := &News{}
	for _, p := range parts {
		if _, wants := p.(MembersPart); wants && w.Members == nil && w.Since > 0 && w.ReadMembers != nil {
			var err error
			if w.Members, err = w.ReadMembers(ctx); err != nil {
				return nil, fmt.Errorf("changed memberships: %w", err)
			}
		}
		if !mayHaveNews(f, p, w) {
			continue
		}
		if err := p.Read(ctx, tx, w, out); err != nil {
			return nil, fmt.Errorf("part %T: %w", p, err)
		}
	}
	out.ignore(w.Ignored)
	return out, nil
}

// mayHaveNews reports whether a part may have news: something is new to the client, or
// a topic of the part's kinds has changed. Messages that the last page left out changed
// before the window.
func mayHaveNews(f *feed.Feed, p Part, w *Window) bool {
	kinds := p.Kinds()
	if w.Since == 0 || changed(f, min(w.Since, w.ToDevice), feed.KeysOf(kinds, w.User, nil)) {
		return true
	}
	if _, wants := p.(MembersPart); wants && len(w.Members) > 0 {
		return true
	}
	for _, r := range w.Rooms {
		if r.Since == 0 || changed(f, r.Since, feed.KeysOf(kinds, "", []int64{r.NID})) {
			return true
		}
	}
	return false
}

func changed(f *feed.Feed, since int64, keys []feed.Key) bool {
	return len(keys) > 0 && f.Changed(since, keys...)
}
