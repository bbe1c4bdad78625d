// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"slices"
)

// A Reader runs queries on one snapshot. It is valid inside the function that it is
// passed to, for one goroutine at a time.
type Reader struct {
	db       *DB
	s        session
	abortErr error // the error that ended the transaction early
	inRows   bool  // in the callback of rows
}

// A Writer is a Reader that may also write. Its effects become visible together when
// the transaction commits, or never.
type Writer struct {
	*Reader
	endHooks  []func(Outcome)
	undo      []func() // functions that undo changes in memory after a rollback, newest last
	watched   any      // the watcher's handle, set with the first position drawn
	hasXID    bool     // the transaction has an ID, which PostgreSQL's fence sees
	reserved  []int64  // drawn positions without a change row yet
	changes   []Change
	changesAt map[int64]int64 // number of changes at each position
}

// An Outcome is how a transaction ended.
type Outcome int

// The outcomes. Unknown means that the connection was lost during the commit: the
// transaction may become visible now, later or never.
const (
	RolledBack Outcome = iota
	Committed
	Unknown
)

// OnEnd registers fn to be called once when the transaction has ended: after its
// effects are visible and before Write returns. If the transaction runs again, the
// functions of the first run are called with RolledBack.
func (w *Writer) OnEnd(fn func(Outcome)) { w.endHooks = append(w.endHooks, fn) }

// finish calls the hooks and the position watcher at the end of the transaction.
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

// ready refuses calls that would fail on only one of the engines, so that they fail on
// both.
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

// abort stores an error after which PostgreSQL refuses further statements of the
// transaction, and adds the query's name.
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

// rows calls each for every row of a query. An error of each ends the reading and is
// returned unchanged; each must not run another query.
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

// exec runs a statement and returns how many rows it changed.
func (w *Writer) exec(ctx context.Context, q *query, args ...any) (int64, error) {
	if err := w.ready(ctx, q); err != nil {
		return 0, err
	}
	n, err := w.s.exec(ctx, q, args)
	return n, w.abort(q, err)
}

// enqueue runs a statement whose result is not needed, at the latest with the next
// statement that has a result or with the commit. On PostgreSQL such statements share a
// round trip, so that a loop of them is a bulk insert. An error may come from a later
// call.
func (w *Writer) enqueue(ctx context.Context, q *query, args ...any) error {
	if err := w.ready(ctx, q); err != nil {
		return err
	}
	return w.abort(q, w.s.enqueue(ctx, q, args))
}

// enqueueMust is enqueue for a statement that must change a row. If it changes none,
// the transaction fails with the error none, at the latest at the commit.
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

// execOne is exec for a statement that must change a row: ErrNotFound if it does not.
func (w *Writer) execOne(ctx context.Context, q *query, args ...any) error {
	n, err := w.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
