// SPDX-License-Identifier: Apache-2.0

package presence

import (
	"context"
	"slices"

	"touchstone.example/api"
	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ syncpart.MembersPart = SyncPart{}

// SyncPart tells of the presence of those who share a room with the user.
type SyncPart struct{}

// Kinds implements syncpart.Part.
func (SyncPart) Kinds() []feed.Kind { return []feed.Kind{feed.KindPresence} }

// WantsMembers implements syncpart.MembersPart: whoever comes to share a room with the
// user is told of, though the presence is older.
func (SyncPart) WantsMembers() {}

// Read implements syncpart.Part.
//
// Spec: client-server "m.presence".
func (SyncPart) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	rows, err := tx.PresenceSince(ctx, w.User, w.Since, w.UpTo)
	if err != nil {
		return err
	}
	met, err := presenceOfMet(ctx, tx, w, rows)
	for _, row := range append(rows, met...) {
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

// maxMet bounds how many users are told of because they came into a room.
const maxMet = 100

// presenceOfMet lists the users who joined a room of the user's in the window and of
// whom rows has nothing. Nobody is told that they are offline.
func presenceOfMet(ctx context.Context, tx *storage.Reader, w *syncpart.Window, rows []*storage.Presence) (met []*storage.Presence, err error) {
	var users []string
	for _, m := range w.Members {
		told := slices.ContainsFunc(rows, func(row *storage.Presence) bool { return row.UserID == m.User })
		if m.Is == "join" && m.Was != "join" && m.User != w.User && !told && len(users) < maxMet {
			users = append(users, string(m.User))
		}
	}
	if len(users) == 0 {
		return nil, nil
	}
	if met, err = tx.PresenceOf(ctx, users...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(met, func(row *storage.Presence) bool { return row.State == offline }), nil
}
