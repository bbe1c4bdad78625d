// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"slices"
)

// A Change is a row of the log of changes: something that clients can see has changed.
type Change struct {
	Pos     int64
	Kind    string // says which feature wrote it and what Ref means
	RoomNID int64  // the room whose members may see it; 0 for none
	UserID  string // the user who may see it; "" for none
	Ref     int64  // what changed, for example an event's NID
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

// Changes reads the log in (after, upTo], oldest first. If there are more rows than
// limit, it stops after all rows of the position of row number limit: the next call
// continues after the last row's position.
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

// CompactChanges deletes rows before a position, the oldest first and all rows of a
// position together. It returns how many: fewer than limit when nothing is left. The
// newest row always stays, since SQLite continues its positions from it.
func (w *Writer) CompactChanges(ctx context.Context, before int64, limit int) (int64, error) {
	return w.exec(ctx, qCompactChanges, before, int64(limit-1))
}

// Cursor returns the position that a reader of the log has reached, ErrNotFound before
// its start.
func (r *Reader) Cursor(ctx context.Context, name string) (pos int64, err error) {
	err = r.row(ctx, qCursor, []any{name}, &pos)
	return pos, err
}

// PutCursor sets the position that a reader of the log has reached.
func (w *Writer) PutCursor(ctx context.Context, name string, pos int64) error {
	return w.enqueue(ctx, qPutCursor, name, pos)
}

// OldestCursor returns the position of the slowest reader of the log,
// ErrNotFound when there is no reader.
func (r *Reader) OldestCursor(ctx context.Context) (pos int64, err error) {
	err = r.row(ctx, qOldestCursor, nil, &pos)
	return pos, err
}
