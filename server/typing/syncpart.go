// SPDX-License-Identifier: Apache-2.0

package typing

import (
	"context"
	"maps"
	"slices"

	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ syncpart.Part = SyncPart{}

// SyncPart tells the members of a room who is typing in it.
type SyncPart struct{}

// Kinds implements syncpart.Part.
func (SyncPart) Kinds() []feed.Kind { return []feed.Kind{feed.KindTyping} }

// Read implements syncpart.Part. Who knows nothing of a room is told of those who
// type, and not that nobody does.
func (SyncPart) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	groups := map[int64][]int64{} // the rooms by their since
	for _, r := range w.Rooms {
		groups[r.Since] = append(groups[r.Since], r.NID)
	}
	out.Typing = map[int64]syncpart.Typing{}
	for _, since := range slices.Sorted(maps.Keys(groups)) {
		rooms := groups[since]
		if since > 0 {
			changed, err := tx.TypingSince(ctx, rooms, since, w.UpTo)
			if err != nil {
				return err
			}
			if rooms = nil; len(changed) == 0 {
				continue
			}
			for _, row := range changed {
				t := out.Typing[row.RoomNID]
				t.Changed = append(t.Changed, row.UserID)
				out.Typing[row.RoomNID] = t
				rooms = append(rooms, row.RoomNID)
			}
		}
		typing, err := tx.TypingIn(ctx, slices.Compact(rooms), w.Now)
		if err != nil {
			return err
		}
		for _, row := range typing {
			t := out.Typing[row.RoomNID]
			if t.Users = append(t.Users, row.UserID); since == 0 {
				t.Changed = t.Users
			}
			out.Typing[row.RoomNID] = t
		}
	}
	for _, t := range out.Typing {
		slices.Sort(t.Users)
	}
	return nil
}
