// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// Queries of /sync, each for many rooms at once.

var (
	// A cut is the position where the last $4 events of a room begin. The condition on
	// pos is repeated so that both parts use the index by position. MATERIALIZED and
	// CROSS JOIN make both engines compute the cuts first, whatever their statistics.
	qTimelines = q("timelines", `WITH cuts AS MATERIALIZED (
			SELECT r.nid AS room, COALESCE((SELECT x.pos FROM events x
				WHERE x.room_nid = r.nid AND x.pos > $2 AND x.pos <= $3 AND NOT x.rejected AND NOT x.soft_failed
				ORDER BY x.pos DESC LIMIT 1 OFFSET $4), $2) AS cut, CAST($3 AS BIGINT) AS last
			FROM rooms r WHERE r.nid = ANY($1))
		SELECT `+viewColumns+` FROM cuts c CROSS JOIN events
		WHERE room_nid = c.room AND pos > c.cut AND pos <= c.last AND NOT rejected AND NOT soft_failed ORDER BY pos DESC`)
	qRoomRootsAt = q("room_roots_at", `SELECT s.room_nid, s.pos, s.root FROM rooms r
		JOIN room_state s ON s.room_nid = r.nid
			AND s.pos = (SELECT MAX(t.pos) FROM room_state t WHERE t.room_nid = r.nid AND t.pos <= $2)
		WHERE r.nid = ANY($1)`)
	qResolvedIn = q("resolved_in", `SELECT room_nid, MAX(pos) FROM room_state
		WHERE room_nid = ANY($1) AND pos > $2 AND pos <= $3 AND by_resolution AND by_resolution = TRUE GROUP BY room_nid ORDER BY room_nid`)
	qOutOfOrderIn = q("out_of_order_in", `SELECT nid FROM rooms WHERE nid = ANY($1) AND out_of_order ORDER BY nid`)
	// A cut is a position after which no member can be among the first $4 with that
	// membership, so that the query reads no further. Each membership in each room has
	// one.
	qFirstMembersIn = q("first_members_in", `WITH cuts AS MATERIALIZED (`+memberCut("$2")+` UNION ALL `+memberCut("$5")+`)
		SELECT room_nid, user_id FROM (
			SELECT m.room_nid, m.user_id, ROW_NUMBER() OVER (PARTITION BY m.room_nid ORDER BY m.pos, m.user_id) AS n
			FROM cuts c CROSS JOIN memberships m
			WHERE m.room_nid = c.room AND m.membership = c.membership AND m.pos <= c.cut AND m.user_id <> $3) f
		WHERE n <= $4 ORDER BY room_nid, n`)
)

// memberCut finds, for each room, the position of the ($4+1)-th member with a
// membership: one more than $4, since the caller leaves out one user.
func memberCut(kind string) string {
	return `SELECT r.nid AS room, CAST(` + kind + ` AS TEXT) AS membership, COALESCE((SELECT x.pos FROM memberships x
		WHERE x.room_nid = r.nid AND x.membership = ` + kind + ` AND x.pos > 0 ORDER BY x.pos LIMIT 1 OFFSET $4), 9223372036854775807) AS cut
		FROM rooms r WHERE r.nid = ANY($1)`
}

// Timelines returns the last events of each room that arrived in (after, upTo], newest
// first, at most limit for each room. Rejected and soft-failed ones are left out.
func (r *Reader) Timelines(ctx context.Context, roomNIDs []int64, after, upTo int64, limit int) (map[int64][]*Event, error) {
	events, err := r.views(ctx, qTimelines, roomNIDs, after, upTo, int64(limit))
	if err != nil {
		return nil, err
	}
	byRoom := make(map[int64][]*Event, len(roomNIDs))
	for _, e := range events {
		byRoom[e.RoomNID] = append(byRoom[e.RoomNID], e)
	}
	return byRoom, nil
}

// A RoomRoot is the root of a room's current state since a position.
type RoomRoot struct {
	Since int64
	Root  string
}

// RoomRootsAt returns the roots of several rooms' current states as of a
// position. Rooms that were not known then are missing.
func (r *Reader) RoomRootsAt(ctx context.Context, roomNIDs []int64, pos int64) (map[int64]RoomRoot, error) {
	roots := make(map[int64]RoomRoot, len(roomNIDs))
	err := r.rows(ctx, qRoomRootsAt, []any{roomNIDs, pos}, func(scan scanFunc) error {
		var roomNID int64
		var root RoomRoot
		err := scan(&roomNID, &root.Since, &root.Root)
		roots[roomNID] = root
		return err
	})
	return roots, err
}

// ResolvedIn returns, for the rooms whose state was changed by state resolution in
// (after, upTo], the last position of such a change.
func (r *Reader) ResolvedIn(ctx context.Context, roomNIDs []int64, after, upTo int64) (map[int64]int64, error) {
	resolved := map[int64]int64{}
	err := r.rows(ctx, qResolvedIn, []any{roomNIDs, after, upTo}, func(scan scanFunc) error {
		var roomNID, pos int64
		err := scan(&roomNID, &pos)
		resolved[roomNID] = pos
		return err
	})
	return resolved, err
}

// OutOfOrderIn returns those of several rooms in which events have arrived out of
// topological order.
func (r *Reader) OutOfOrderIn(ctx context.Context, roomNIDs []int64) ([]int64, error) {
	return r.numbers(ctx, qOutOfOrderIn, roomNIDs)
}

// FirstMembersIn lists, for several rooms, the first users with one of two memberships,
// without one user.
func (r *Reader) FirstMembersIn(ctx context.Context, roomNIDs []int64, but id.UserID, limit int, membership, or string) (map[int64][]id.UserID, error) {
	users := map[int64][]id.UserID{}
	err := r.rows(ctx, qFirstMembersIn, []any{roomNIDs, membership, but, int64(limit), or}, func(scan scanFunc) error {
		var room int64
		var userID Text
		err := scan(&room, &userID)
		users[room] = append(users[room], id.UserID(userID))
		return err
	})
	return users, err
}
