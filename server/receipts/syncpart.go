// SPDX-License-Identifier: Apache-2.0

package receipts

import (
	"context"
	"maps"
	"slices"

	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ syncpart.Part = SyncPart{}

// SyncPart tells of receipts: the public ones of a room to its members, and all of
// a user's own to the user, whose unread counts follow.
type SyncPart struct{}

// Kinds implements syncpart.Part.
func (SyncPart) Kinds() []feed.Kind { return []feed.Kind{feed.KindReceipt, feed.KindPrivateReceipt} }

// Read implements syncpart.Part.
//
// Spec: client-server "Receipts": "Servers MUST NOT send the m.read.private receipt
// to any other user".
func (SyncPart) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	earliest, since := w.Since, make(map[int64]int64, len(w.Rooms))
	groups := map[int64][]int64{} // the rooms by their since
	for _, r := range w.Rooms {
		earliest, since[r.NID] = min(earliest, r.Since), r.Since
		groups[r.Since] = append(groups[r.Since], r.NID)
	}
	own, err := tx.ReceiptsOf(ctx, w.User, earliest, w.UpTo)
	if err != nil {
		return err
	}
	for _, c := range own {
		from, ok := since[c.RoomNID]
		if !ok {
			from = w.Since
		}
		if c.Pos > from {
			tell(c, out)
			recount(c, out)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(groups)) {
		others, err := tx.ReceiptsIn(ctx, groups[from], kindRead, w.User, from, w.UpTo)
		if err != nil {
			return err
		}
		for _, c := range others {
			tell(c, out)
		}
	}
	return nil
}

func tell(c *storage.Receipt, out *syncpart.News) {
	if out.Receipts == nil {
		out.Receipts = map[int64][]syncpart.Receipt{}
	}
	out.Receipts[c.RoomNID] = append(out.Receipts[c.RoomNID], syncpart.Receipt{
		User: c.UserID, Kind: c.Kind, Event: c.EventID, Thread: c.Thread, TS: c.TS,
	})
}

func recount(c *storage.Receipt, out *syncpart.News) {
	if out.Recounted == nil {
		out.Recounted = map[int64]bool{}
	}
	out.Recounted[c.RoomNID] = true
}
