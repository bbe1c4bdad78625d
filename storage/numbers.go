// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Two kinds of numbers are given out here. Row numbers (NIDs) only have to be unique:
// they are taken in blocks, so that most need no query. Stream positions order what
// clients can see; package feed, as the PositionWatcher, follows which of them belong
// to open transactions.

// idBlock is how many row numbers are taken at a time.
const idBlock = 256

// An idRange is the rest of a block: the numbers after next, up to last.
type idRange struct{ next, last int64 }

// NextID returns a row number not used for this name before. Numbers of a
// transaction that is rolled back may be lost or used again.
func (w *Writer) NextID(ctx context.Context, name string) (int64, error) {
	return w.db.engine.nextID(ctx, w, name)
}

// A PositionWatcher is told of every stream position from before it is drawn until its
// transaction ends.
type PositionWatcher interface {
	// Drawing is called before a transaction draws its first position, which is greater
	// than any position drawn so far.
	Drawing() (ticket any)
	// Drawn is called with the positions drawn, in rising order.
	Drawn(ticket any, positions []int64)
	// Ended is called once, when the transaction's effects are visible or never will
	// be, or when that is not known, with the changes it inserted.
	Ended(ticket any, o Outcome, changes []Change)
}

// WatchPositions sets the watcher. Set it before the first position is drawn.
func (db *DB) WatchPositions(pw PositionWatcher) { db.watcher = pw }

// ReservePosition draws a stream position for a change that clients must hear of. Draw
// it last, right before the inserts that use it: until the transaction ends, no client
// is told of any later change. A change must be inserted at it.
func (w *Writer) ReservePosition(ctx context.Context) (int64, error) {
	positions, err := w.ReservePositions(ctx, 1)
	if err != nil {
		return 0, err
	}
	return positions[0], nil
}

// ReservePositions draws n positions at once, in rising order but not always without gaps.
func (w *Writer) ReservePositions(ctx context.Context, n int) ([]int64, error) {
	if n < 1 {
		return nil, fmt.Errorf("reserve %d positions", n)
	}
	if w.watched == nil && w.db.watcher != nil {
		w.watched = w.db.watcher.Drawing()
	}
	positions, err := w.db.engine.reserve(ctx, w, n)
	if err != nil {
		return nil, err
	}
	if w.watched != nil {
		w.db.watcher.Drawn(w.watched, positions)
	}
	w.reserved = append(w.reserved, positions...)
	return positions, nil
}

// sqliteNumbers counts in memory: SQLite has one writer, and the file one server. A
// rollback resets the count, so that runs repeat exactly.
type sqliteNumbers struct {
	position int64
	ids      map[string]idRange
}

var (
	qLastPosition = q("last_position", `SELECT COALESCE(MAX(pos), 0) FROM changes`)
	qTakeIDs      = q("take_ids", `INSERT INTO id_blocks (name, taken) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET taken = id_blocks.taken + $2 RETURNING taken`)
)

func (n *sqliteNumbers) load(ctx context.Context, c *sqliteConn) error {
	n.ids = map[string]idRange{}
	return c.row(ctx, qLastPosition, nil, []any{&n.position})
}

func (e *sqliteEngine) nextID(ctx context.Context, w *Writer, name string) (int64, error) {
	old := e.numbers.ids[name]
	block := old
	if block.next == block.last {
		if err := w.row(ctx, qTakeIDs, []any{name, int64(idBlock)}, &block.last); err != nil {
			return 0, err
		}
		block.next = block.last - idBlock
	}
	block.next++
	e.numbers.ids[name] = block
	w.undo = append(w.undo, func() { e.numbers.ids[name] = old })
	return block.next, nil
}

func (e *sqliteEngine) reserve(_ context.Context, w *Writer, n int) ([]int64, error) {
	if w.s == nil {
		return nil, ErrClosed
	}
	old := e.numbers.position
	positions := make([]int64, n)
	for i := range positions {
		positions[i] = old + int64(i) + 1
	}
	e.numbers.position += int64(n)
	w.undo = append(w.undo, func() { e.numbers.position = old })
	return positions, nil
}

// postgresNumbers takes blocks from sequences shared with other processes. nextval is
// not transactional, so no lock is held.
type postgresNumbers struct {
	mu  sync.Mutex
	ids map[string]idRange
}

func (e *postgresEngine) nextID(ctx context.Context, w *Writer, name string) (int64, error) {
	if id, ok := e.numbers.take(name); ok {
		return id, nil
	}
	var first int64
	if err := w.row(ctx, dPgTakeIDs, nil, &first); err != nil {
		return 0, err
	}
	e.numbers.mu.Lock()
	defer e.numbers.mu.Unlock()
	e.numbers.ids[name] = idRange{next: first, last: first + idBlock - 1}
	return first, nil
}

// take draws from the current block. mu is never held during a query: the statement may
// wait for a transaction that waits for mu.
func (n *postgresNumbers) take(name string) (int64, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	block := n.ids[name]
	if block.next == block.last {
		return 0, false
	}
	block.next++
	n.ids[name] = block
	return block.next, true
}

// reserve makes the transaction visible to the fence before it draws: first its lock on
// changes, then its ID, each in a statement of its own.
func (e *postgresEngine) reserve(ctx context.Context, w *Writer, n int) ([]int64, error) {
	if !w.hasXID {
		w.hasXID = true
		if err := w.enqueue(ctx, dPgLockChanges); err != nil {
			return nil, err
		}
		if err := w.enqueue(ctx, dPgForceID); err != nil {
			return nil, err
		}
	}
	positions := make([]int64, 0, n)
	err := w.rows(ctx, dPgPositions, []any{int64(n)}, func(scan scanFunc) error {
		var pos int64
		if err := scan(&pos); err != nil {
			return err
		}
		positions = append(positions, pos)
		return nil
	})
	slices.Sort(positions)
	return positions, err
}
