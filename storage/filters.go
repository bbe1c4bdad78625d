// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

var (
	qInsertFilter = q("insert_filter", `INSERT INTO filters (user_id, filter_id, hash, filter) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id, hash) DO UPDATE SET hash = excluded.hash RETURNING filter_id`)
	qFilter = q("filter", `SELECT filter FROM filters WHERE user_id = $1 AND filter_id = $2`)
)

// InsertFilter stores a filter and returns its number: the existing one if the user has
// stored a filter with that hash before.
func (w *Writer) InsertFilter(ctx context.Context, userID id.UserID, hash string, filter []byte) (filterID int64, err error) {
	next, err := w.NextID(ctx, "filters")
	if err != nil {
		return 0, err
	}
	err = w.row(ctx, qInsertFilter, []any{userID, next, hash, filter}, &filterID)
	return filterID, err
}

// Filter returns one filter.
func (r *Reader) Filter(ctx context.Context, userID id.UserID, filterID int64) (filter []byte, err error) {
	err = r.row(ctx, qFilter, []any{userID, filterID}, &filter)
	return filter, err
}
