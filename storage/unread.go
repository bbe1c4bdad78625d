// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"maps"

	"touchstone.example/api/id"
)

// An Unread is an event that the default rules count for every member of its
// room. Its sender has read it: see [Writer.MarkRead].
type Unread struct {
	RoomNID   int64
	ThreadNID int64 // NID of the thread's root; 0 for the main timeline
	Pos       int64
}

// An UnreadException is how one user's own push rules count an event, as a difference
// to the default rules.
type UnreadException struct {
	UserID    id.UserID
	RoomNID   int64
	ThreadNID int64
	Pos       int64
	Notify    int64 // -1, 0 or 1
	Highlight int64
}

// An UnreadCount is the number of unread events and highlights of a user.
type UnreadCount struct{ Notify, Highlight int64 }

var (
	qInsertUnread = q("insert_unread", `INSERT INTO unread (room_nid, thread_nid, pos, nth) VALUES ($1, $2, $3, 1 +
		COALESCE((SELECT u.nth FROM unread u WHERE u.room_nid = $1 AND u.thread_nid = $2 ORDER BY u.pos DESC LIMIT 1), 0))`)
	qPutUnreadThread = q("put_unread_thread", `INSERT INTO unread_threads (room_nid, thread_nid, pos) VALUES ($1, $2, $3)
		ON CONFLICT (room_nid, thread_nid) DO UPDATE SET pos = excluded.pos`)
	qInsertUnreadException = q("insert_unread_exception", `INSERT INTO unread_exceptions
		(user_id, room_nid, thread_nid, pos, notify, highlight) VALUES ($1, $2, $3, $4, $5, $6)`)
	qUnreadIn = q("unread_in", `SELECT m.room_nid, t.thread_nid, `+unreadBetween("t.thread_nid")+`, 0 FROM memberships m
		CROSS JOIN unread_threads t
		WHERE m.user_id = $1 AND m.room_nid = ANY($2) AND t.room_nid = m.room_nid AND t.pos > `+unreadFrom+`
		UNION ALL SELECT m.room_nid, 0, `+unreadBetween("0")+`, 0 FROM memberships m
		WHERE m.user_id = $1 AND m.room_nid = ANY($2)
		UNION ALL SELECT x.room_nid, x.thread_nid, x.notify, x.highlight
		FROM memberships m CROSS JOIN unread_exceptions x
		WHERE m.user_id = $1 AND m.room_nid = ANY($2) AND x.user_id = $1 AND x.room_nid = m.room_nid
			AND x.pos > `+unreadFrom+` AND x.pos > `+unreadFromIn("x.thread_nid")+` AND x.pos <= $3
			AND NOT EXISTS (SELECT 1 FROM unread_redacted d WHERE d.room_nid = x.room_nid AND d.pos = x.pos)
		UNION ALL SELECT d.room_nid, d.thread_nid, -d.counted, 0
		FROM memberships m CROSS JOIN unread_redacted d
		WHERE m.user_id = $1 AND m.room_nid = ANY($2) AND d.room_nid = m.room_nid
			AND d.pos > `+unreadFrom+` AND d.pos > `+unreadFromIn("d.thread_nid")+` AND d.pos <= $3`)
	qInsertUnreadRedacted = q("insert_unread_redacted", `INSERT INTO unread_redacted (room_nid, pos, thread_nid, counted)
		SELECT e.room_nid, e.pos, $2, (SELECT COUNT(*) FROM unread u
			WHERE u.room_nid = e.room_nid AND u.thread_nid = $2 AND u.pos = e.pos)
		FROM events e WHERE e.nid = $1 AND e.pos IS NOT NULL ON CONFLICT (room_nid, pos) DO NOTHING`)
)

// unreadFrom is the position after which events are unread for a member, as one value,
// so that an index can be searched by it. CROSS JOIN makes SQLite read memberships
// first, whatever its statistics.
const unreadFrom = `CASE WHEN m.pos > m.read_pos THEN m.pos ELSE m.read_pos END`

// unreadFromIn is where it begins in a thread, of which the user may have read more
// than of the whole room: of the user's receipts there the further one counts.
//
// Spec: client-server "Private read receipts".
func unreadFromIn(thread string) string {
	return `(SELECT COALESCE(MAX(CASE WHEN r.event_pos > ` + unreadFrom + ` THEN r.event_pos ELSE ` + unreadFrom + ` END), ` + unreadFrom + `)
		FROM receipts r WHERE r.room_nid = m.room_nid AND r.user_id = $1 AND r.thread_nid = ` + thread + `)`
}

// unreadBetween is how many rows a thread has in the window that a membership
// and $3 leave open: two look-ups, whatever lies between.
func unreadBetween(thread string) string {
	last := func(to string) string {
		return `COALESCE((SELECT u.nth FROM unread u WHERE u.room_nid = m.room_nid AND u.thread_nid = ` + thread +
			` AND u.pos <= ` + to + ` ORDER BY u.pos DESC LIMIT 1), 0)`
	}
	return last(`$3`) + ` - ` + last(unreadFromIn(thread))
}

// InsertUnread counts an event for its room's members. Positions of one room
// must come in rising order.
func (w *Writer) InsertUnread(ctx context.Context, u Unread) error {
	if err := w.enqueue(ctx, qInsertUnread, u.RoomNID, u.ThreadNID, u.Pos); err != nil || u.ThreadNID == 0 {
		return err
	}
	return w.enqueue(ctx, qPutUnreadThread, u.RoomNID, u.ThreadNID, u.Pos)
}

// InsertUnreadException counts an event differently for one user.
func (w *Writer) InsertUnreadException(ctx context.Context, x UnreadException) error {
	return w.enqueue(ctx, qInsertUnreadException, x.UserID, x.RoomNID, x.ThreadNID, x.Pos, x.Notify, x.Highlight)
}

// InsertUnreadRedacted removes an event, which was counted with this thread, from all
// counts.
func (w *Writer) InsertUnreadRedacted(ctx context.Context, eventNID, threadNID int64) error {
	return w.enqueue(ctx, qInsertUnreadRedacted, eventNID, threadNID)
}

// UnreadIn counts a user's unread events up to a position in several rooms, since the
// join and since what the user has read: counts[roomNID][threadNID].
func (r *Reader) UnreadIn(ctx context.Context, userID id.UserID, roomNIDs []int64, upTo int64) (map[int64]map[int64]UnreadCount, error) {
	counts := make(map[int64]map[int64]UnreadCount, len(roomNIDs))
	err := r.rows(ctx, qUnreadIn, []any{userID, roomNIDs, upTo}, func(scan scanFunc) error {
		var room, thread int64
		var more UnreadCount
		if err := scan(&room, &thread, &more.Notify, &more.Highlight); err != nil {
			return err
		}
		if counts[room] == nil {
			counts[room] = map[int64]UnreadCount{}
		}
		c := counts[room][thread]
		counts[room][thread] = UnreadCount{Notify: c.Notify + more.Notify, Highlight: c.Highlight + more.Highlight}
		return nil
	})
	for _, threads := range counts {
		maps.DeleteFunc(threads, func(_ int64, c UnreadCount) bool {
			return c.Notify <= 0 && c.Highlight == 0 // negative if the user has read beyond upTo
		})
	}
	return counts, err
}
