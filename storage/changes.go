// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"slices"
)

// A Change is a row of the one log: something clients can see has changed.
type Change struct {
	Pos     int64
	Kind    string // which feature wrote it, and so what Ref means
	RoomNID int64  // whose members may see it; 0 when no room's
	UserID  string // who else may see it; "" when nobody
	Ref     int64  // what changed, an event's NID for one
}

func (c *Change) scan(scan scanFunc) error {
	var userID Text
	err := scan(&c.Pos, &c.Kind, &c.RoomNID, &userID, &c.Ref)
	c.UserID = string(userID)
	return err
}

var (
	qInsertChange = q("insert_change", `INSERT INTO changes (pos, n, kind, room_nid, user_id, ref) VALUES ($1, $2, $3, $4, $5, $6)`)
	qChanges      = q("changes", `SELECT pos, kind, room_nid, user_id, ref FROM changes
		WHERE pos > $1 AND pos <= $2 AND pos <= COALESCE((SELECT c.pos FROM changes c
			WHERE c.pos > $1 AND c.pos <= $2 ORDER BY c.pos, c.n LIMIT 1 OFFSET $3), $2)
		ORDER BY pos, n`)
	qCompactChanges = q("compact_changes", `DELETE FROM changes WHERE pos < $1
		AND pos < (SELECT MAX(pos) FROM changes)
		AND pos <= COALESCE((SELECT pos FROM changes ORDER BY pos, n LIMIT 1 OFFSET $2), $1)`)
	qLastChange = q("last_change", `SELECT COALESCE(MAX(pos), 0) FROM changes WHERE pos <= $1`)
	qCursor     = q("cursor", `SELECT pos FROM cursors WHERE name = $1`)
	qPutCursor  = q("put_cursor", `INSERT INTO cursors (name, pos) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET pos = excluded.pos`)
	qOldestCursor = q("oldest_cursor", `SELECT pos FROM cursors ORDER BY pos LIMIT 1`)
)

// InsertChange appends to the log at a position this transaction reserved.
// Several changes may share one.
func (w *Writer) InsertChange(ctx context.Context, c Change) error {
	if w.changesAt == nil {
		w.changesAt = map[int64]int64{}
	}
	n := w.changesAt[c.Pos]
	w.changesAt[c.Pos]++
	if i := slices.Index(w.reserved, c.Pos); i >= 0 {
		w.reserved = slices.Delete(w.reserved, i, i+1)
	}
	w.changes = append(w.changes, c)
	return w.enqueue(ctx, qInsertChange, c.Pos, n, c.Kind, c.RoomNID, c.UserID, c.Ref)
}

// Changes reads the log in (after, upTo], oldest first. When there is more than
// limit it stops after the position of row limit, so that the last row's
// position is where to go on.
func (r *Reader) Changes(ctx context.Context, after, upTo int64, limit int) (list []Change, err error) {
	err = r.rows(ctx, qChanges, []any{after, upTo, int64(limit - 1)}, func(scan scanFunc) error {
		var c Change
		if err := c.scan(scan); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

// LastChange returns the position of the newest change up to a position.
func (r *Reader) LastChange(ctx context.Context, upTo int64) (pos int64, err error) {
	err = r.row(ctx, qLastChange, []any{upTo}, &pos)
	return pos, err
}

// CompactChanges deletes what is before a position, the oldest positions first
// and whole, and says how many rows: fewer than limit when nothing is left. The
// newest row always stays: SQLite counts on from it.
func (w *Writer) CompactChanges(ctx context.Context, before int64, limit int) (int64, error) {
	return w.exec(ctx, qCompactChanges, before, int64(limit-1))
}

// Cursor returns how far a reader of the log has come, ErrNotFound before its start.
func (r *Reader) Cursor(ctx context.Context, name string) (pos int64, err error) {
	err = r.row(ctx, qCursor, []any{name}, &pos)
	return pos, err
}

// PutCursor notes how far a reader of the log has come.
func (w *Writer) PutCursor(ctx context.Context, name string, pos int64) error {
	return w.enqueue(ctx, qPutCursor, name, pos)
}

// OldestCursor returns the position of the slowest reader of the log,
// ErrNotFound when there is no reader.
func (r *Reader) OldestCursor(ctx context.Context) (pos int64, err error) {
	err = r.row(ctx, qOldestCursor, nil, &pos)
	return pos, err
}
