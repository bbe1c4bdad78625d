// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Two kinds of numbers are given out here. Row numbers (NIDs) only have to be
// unique: they come in blocks, so that most cost no query. Stream positions
// order what clients can see, and package feed decides up to which position
// everything is decided; a PositionWatcher keeps its books.

// idBlock is how many row numbers are taken at once.
const idBlock = 256

// An idRange is what is left of a block: the numbers after next, up to last.
type idRange struct{ next, last int64 }

// NextID returns a row number not used for this name before. Numbers of a
// transaction that is rolled back may be lost or used again.
func (w *Writer) NextID(ctx context.Context, name string) (int64, error) {
	return w.db.engine.nextID(ctx, w, name)
}

// A PositionWatcher hears of every stream position while it is undecided.
type PositionWatcher interface {
	// Drawing comes before a transaction draws its first position: whatever
	// it draws is greater than any position drawn so far.
	Drawing() (ticket any)
	// Drawn tells what it drew, in rising order.
	Drawn(ticket any, positions []int64)
	// Ended comes once, when the transaction's effects are visible or never
	// will be (or when neither is known), with the changes it inserted.
	Ended(ticket any, o Outcome, changes []Change)
}

// WatchPositions sets the watcher. Set it before the first position is drawn.
func (db *DB) WatchPositions(pw PositionWatcher) { db.watcher = pw }

// ReservePosition draws a stream position for a change that clients must hear of.
// Draw it last, right before the inserts that carry it: until the transaction
// ends, no client hears of anything later. A change must be inserted at it.
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

// sqliteNumbers counts in memory: SQLite has one writer, and the file one
// server. A rollback takes the count back, so runs repeat exactly.
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

// postgresNumbers shares sequences with other processes: nextval is outside of any
// transaction, so a block is taken without holding a lock.
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

// take draws from the block in hand. The lock is never held over a query: the
// statement may wait for a transaction that waits for the lock.
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

// reserve makes the transaction visible to the fence before it draws: its
// lock on changes, then its id, each in a statement of its own.
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
