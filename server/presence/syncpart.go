// SPDX-License-Identifier: Apache-2.0

package presence

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ syncpart.Part = SyncPart{}

// SyncPart tells of the presence of those who share a room with the user.
type SyncPart struct{}

// Kinds implements syncpart.Part.
func (SyncPart) Kinds() []feed.Kind { return []feed.Kind{feed.KindPresence} }

// Read implements syncpart.Part.
//
// Spec: client-server "m.presence".
func (SyncPart) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	rows, err := tx.PresenceSince(ctx, w.User, w.Since, w.UpTo)
	for _, row := range rows {
		b := api.AppendString([]byte(`{"presence":`), row.State)
		if row.LastActiveAt > 0 {
			b = api.AppendInt(append(b, `,"last_active_ago":`...), max(0, w.Now-row.LastActiveAt))
		}
		if row.State == online {
			b = api.AppendBool(append(b, `,"currently_active":`...), row.CurrentlyActive)
		}
		if row.StatusMsg != "" {
			b = api.AppendString(append(b, `,"status_msg":`...), row.StatusMsg)
		}
		out.Presence = append(out.Presence, syncpart.Sent{
			Sender: row.UserID, Typed: syncpart.Typed{Type: "m.presence", Content: append(b, '}')},
		})
	}
	return err
}
