// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// An Unread is an event that the default rules count for every member of its
// room but the sender.
type Unread struct {
	RoomNID   int64
	ThreadNID int64 // NID of the thread's root; 0 for the main timeline
	Pos       int64
	Sender    id.UserID
}

// An UnreadException is what one user's own rules make of an event, as a
// difference to the default.
type UnreadException struct {
	UserID    id.UserID
	RoomNID   int64
	ThreadNID int64
	Pos       int64
	Notify    int64 // -1, 0 or 1
	Highlight int64
}

// An UnreadCount is how much a user has not read.
type UnreadCount struct{ Notify, Highlight int64 }

var (
	qInsertUnread          = q("insert_unread", `INSERT INTO unread (room_nid, thread_nid, pos, sender) VALUES ($1, $2, $3, $4)`)
	qInsertUnreadException = q("insert_unread_exception", `INSERT INTO unread_exceptions
		(user_id, room_nid, thread_nid, pos, notify, highlight) VALUES ($1, $2, $3, $4, $5, $6)`)
)

// InsertUnread counts an event for its room's members.
func (w *Writer) InsertUnread(ctx context.Context, u Unread) error {
	return w.later(ctx, qInsertUnread, u.RoomNID, u.ThreadNID, u.Pos, u.Sender)
}

// InsertUnreadException counts an event differently for one user.
func (w *Writer) InsertUnreadException(ctx context.Context, x UnreadException) error {
	return w.later(ctx, qInsertUnreadException, x.UserID, x.RoomNID, x.ThreadNID, x.Pos, x.Notify, x.Highlight)
}
