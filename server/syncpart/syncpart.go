// SPDX-License-Identifier: Apache-2.0

// Package syncpart is the contract between the slices that have something to
// tell clients and what tells them: /sync, and what is like it. A part reads, on
// a given snapshot, what is new for one device and returns values; the consumer
// filters them and puts them into its answer. Parts never write.
package syncpart

import (
	"context"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// A Window is what one answer may tell one device.
type Window struct {
	User     id.UserID
	Device   id.DeviceID
	Since    int64 // for what belongs to no room; 0: the client knows nothing
	ToDevice int64 // messages to the device are acknowledged up to this position
	UpTo     int64 // reached before the snapshot was taken
	Now      int64 // milliseconds
	// Rooms are the joined rooms that the consumer is interested in and of which
	// parts may have news. What a part finds by user it may tell of other rooms
	// too: the consumer drops what it does not show.
	Rooms []Room
	// Ignored are the users whom the user ignores.
	Ignored map[id.UserID]bool
	// Members are the memberships that changed in the window in the rooms of the
	// user, and the user's own. They are there for a MembersPart, and read with
	// ReadMembers, which the consumer sets.
	Members     []MemberChange
	ReadMembers func(ctx context.Context) ([]MemberChange, error)
}

// A MemberChange says what a user was to a room where the window begins and is
// where it ends; "" is nothing yet. Where the user of the window was in the room
// at one end only, it is of that user's membership alone.
type MemberChange struct {
	RoomNID int64
	User    id.UserID
	Was, Is string
}

// A Room is what an answer may tell of one room.
type Room struct {
	NID   int64
	Since int64 // 0: the client knows nothing of the room
}

// A Part is one slice's share in what clients are told.
type Part interface {
	// Kinds are those of the changes that are news for the part. Without one in
	// the window it is not read.
	Kinds() []feed.Kind
	// Read adds what is new in the window. What changed again after it is told
	// with the next answer.
	Read(ctx context.Context, tx *storage.Reader, w *Window, out *News) error
}

// A MembersPart is a part that is also read where memberships changed, which
// Window.Members then lists. Its Kinds need not name those of events.
type MembersPart interface {
	Part
	WantsMembers()
}

// A Receiver is a part that hears what a device acknowledges by asking with a
// token: the messages to it up to a position are delivered. Acknowledged is called
// with each such request and returns at once; what has to be deleted is deleted
// behind the answer.
type Receiver interface {
	Part
	Acknowledged(user id.UserID, device id.DeviceID, upTo int64)
}

// A Standing is what stands in every answer to a device, whatever else is in it.
// It is never news by itself. The consumer remembers it for each device until one
// of the kinds changes for the user.
type Standing interface {
	Kinds() []feed.Kind
	Load(ctx context.Context, tx *storage.Reader, user id.UserID, device id.DeviceID) (*KeyCounts, error)
}

// KeyCounts are the keys that a device has left for others to claim.
type KeyCounts struct {
	OneTime        map[string]int64 // by algorithm
	UnusedFallback []string         // algorithms
}

// Kinds are those of the changes that are news for some part.
func Kinds(parts []Part) (kinds []feed.Kind) {
	for _, p := range parts {
		kinds = append(kinds, p.Kinds()...)
	}
	return kinds
}

// Read asks those of the parts, in their order, that may have news.
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
	return out, nil
}

// mayHaveNews reports whether a part may have news: the client is told something
// for the first time, or a topic of the part's kinds has changed. What a page of
// messages to the device left behind changed before the window.
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
