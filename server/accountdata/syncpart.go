// SPDX-License-Identifier: Apache-2.0

package accountdata

import (
	"context"

	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ syncpart.Part = SyncPart{}

// SyncPart tells a user's devices of account data that was set or deleted.
type SyncPart struct{}

// Kinds implements syncpart.Part.
func (SyncPart) Kinds() []feed.Kind { return []feed.Kind{feed.KindAccountData} }

// Read implements syncpart.Part. Who knows nothing yet is not told what was
// deleted.
func (SyncPart) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	earliest, since := w.Since, make(map[int64]int64, len(w.Rooms))
	for _, r := range w.Rooms {
		earliest, since[r.NID] = min(earliest, r.Since), r.Since
	}
	rows, err := tx.AccountDataSince(ctx, w.User, earliest, w.UpTo)
	for _, d := range rows {
		from, ok := since[d.RoomNID]
		if !ok {
			from = w.Since
		}
		if d.Pos <= from || from == 0 && len(d.Content) == 0 {
			continue
		}
		tell(d, out)
	}
	return err
}

func tell(d *storage.AccountData, out *syncpart.News) {
	t := syncpart.Typed{Type: d.Type, Content: d.Content}
	if len(t.Content) == 0 {
		t.Content = []byte("{}") // deleted
	}
	if d.RoomNID == 0 {
		out.AccountData = append(out.AccountData, t)
		return
	}
	if out.RoomAccountData == nil {
		out.RoomAccountData = map[int64][]syncpart.Typed{}
	}
	out.RoomAccountData[d.RoomNID] = append(out.RoomAccountData[d.RoomNID], t)
}
