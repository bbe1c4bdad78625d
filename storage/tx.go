// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"slices"
)

// A Reader asks questions of one snapshot. It is valid inside the function it
// was given to, for one goroutine at a time.
type Reader struct {
	db       *DB
	s        session
	abortErr error // what ended the transaction before its function did
	inRows   bool  // inside the callback of rows
}

// A Writer is a Reader that may also write. Its effects appear to others all
// at once when the transaction commits, or never.
type Writer struct {
	*Reader
	endHooks  []func(Outcome)
	undo      []func() // what a rollback takes back in memory, newest last
	watched   any      // the watcher's, from the first reserved position on
	hasXID    bool     // PostgreSQL's fence knows of this transaction
	reserved  []int64  // positions drawn that have no change row yet
	changes   []Change
	changesAt map[int64]int64 // how many of them are at a position
}

// An Outcome is how a transaction ended.
type Outcome int

// The outcomes. Unknown means that the connection broke while PostgreSQL was
// committing: the transaction may be visible now, later or never.
const (
	RolledBack Outcome = iota
	Committed
	Unknown
)

// OnEnd asks for fn to be called once when the transaction is over, after
// everybody can see its effects and before Write returns. A transaction that
// runs again calls the hooks of its first try with RolledBack.
func (w *Writer) OnEnd(fn func(Outcome)) { w.endHooks = append(w.endHooks, fn) }

// finish closes the transaction's books.
func (w *Writer) finish(o Outcome) {
	w.s = nil
	if o == RolledBack {
		w.undoInMemory()
	}
	for _, fn := range w.endHooks {
		fn(o)
	}
	if w.watched != nil {
		w.db.watcher.Ended(w.watched, o, w.changes)
	}
}

func (w *Writer) undoInMemory() {
	for _, fn := range slices.Backward(w.undo) {
		fn()
	}
	w.undo = nil
}

func (w *Writer) beforeCommit() error {
	if w.abortErr != nil {
		return fmt.Errorf("transaction was lost: %w", w.abortErr)
	}
	if len(w.reserved) > 0 {
		return fmt.Errorf("positions %v are reserved but no change was inserted at them", w.reserved)
	}
	return nil
}

// ready refuses what cannot work on one of the engines, so that it fails on both.
func (r *Reader) ready(ctx context.Context, q *query) error {
	switch {
	case r.abortErr != nil:
		return fmt.Errorf("query %s: transaction was lost: %w", q.name, r.abortErr)
	case r.s == nil:
		return fmt.Errorf("query %s: transaction is over: %w", q.name, ErrClosed)
	case r.inRows:
		panic("storage: query " + q.name + " while the rows of another are being read")
	}
	r.db.stats.queries.Add(1)
	return ctx.Err()
}

// abort remembers an error that PostgreSQL answers by refusing all further
// statements of the transaction, and says which query it was.
func (r *Reader) abort(q *query, err error) error {
	if err == nil || err == ErrNotFound {
		return err
	}
	if r.abortErr == nil {
		r.abortErr = err
	}
	return fmt.Errorf("query %s: %w", q.name, err)
}

// row runs a query for its first row. It returns ErrNotFound when there is none.
func (r *Reader) row(ctx context.Context, q *query, args []any, dst ...any) error {
	if err := r.ready(ctx, q); err != nil {
		return err
	}
	return r.abort(q, r.s.row(ctx, q, args, dst))
}

// rows calls each for every row of a query. An error from each ends the
// reading and is returned as it is; each must not run another query.
func (r *Reader) rows(ctx context.Context, q *query, args []any, each func(scan scanFunc) error) error {
	if err := r.ready(ctx, q); err != nil {
		return err
	}
	r.inRows = true
	defer func() { r.inRows = false }()
	var own error
	err := r.s.rows(ctx, q, args, func(scan scanFunc) error {
		own = each(scan)
		return own
	})
	if own != nil {
		return own
	}
	return r.abort(q, err)
}

// exec runs a statement and says how many rows it touched.
func (w *Writer) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	if err := w.ready(ctx, q); err != nil {
		return 0, err
	}
	n, err := w.s.exec(ctx, q, args)
	return n, w.abort(q, err)
}

// enqueue runs a statement whose result nobody needs, before the next statement
// that has one and at the latest with the commit. On PostgreSQL such
// statements share a round trip, so a loop of them is the bulk insert. An
// error may come from a later call.
func (w *Writer) enqueue(ctx context.Context, q *query, args ...any) error {
	if err := w.ready(ctx, q); err != nil {
		return err
	}
	return w.abort(q, w.s.enqueue(ctx, q, args))
}

// enqueueMust is later for a statement that is to touch a row: none is the error
// otherwise, at the latest when the transaction would commit.
func (w *Writer) enqueueMust(ctx context.Context, q *query, otherwise error, args ...any) error {
	if err := w.ready(ctx, q); err != nil {
		return err
	}
	return w.abort(q, w.s.enqueueMust(ctx, q, otherwise, args))
}

// numbers collects a query's only column.
func (r *Reader) numbers(ctx context.Context, q *query, args ...any) (list []int64, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		var n int64
		if err := scan(&n); err != nil {
			return err
		}
		list = append(list, n)
		return nil
	})
	return list, err
}

// execOne is exec for a statement that is meant to find a row: ErrNotFound when it does not.
func (w *Writer) execOne(ctx context.Context, q *query, args ...any) error {
	n, err := w.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
