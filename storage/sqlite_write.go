// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// sqliteWriter gives the writing connection to one Write at a time. Writes that have
// queued up join its transaction, each in a savepoint, and share one commit and its
// wait for the disk. A Write that finds others waiting leaves the transaction open for
// them and queues again behind them; then it commits, unless one of them has done so. A
// Write returns after its commit. A failed one returns after the commit of the Writes
// whose effects it saw.
type sqliteWriter struct {
	conn   *sqliteConn
	slot   chan struct{} // holds one token; waiters are served in order
	queued atomic.Int32  // Writes that wait to run their function
	closed chan struct{}
	group  *sqliteGroup // the open transaction, nil if there is none; owned by the holder of the slot
}

// A sqliteGroup is one transaction of several Writes.
type sqliteGroup struct {
	members []*Writer
	done    chan struct{} // closed when it is committed or aborted
	err     error         // why it was aborted
}

// maxGroup bounds the members of a group, and so how long the first waits for the last.
const maxGroup = 64

func (e *sqliteEngine) write(ctx context.Context, w *Writer, fn func() error) error {
	lw := &e.writer
	if err := lw.acquire(ctx); err != nil {
		w.finish(RolledBack)
		return err
	}
	held := true
	defer func() {
		if held {
			lw.release()
		}
	}()
	open := lw.group
	group, err := e.runMember(ctx, w, fn)
	if err != nil && (open == nil || lw.group != open) {
		return err
	}
	if err != nil { // perhaps because of other members' writes, which may still be aborted
		lw.release()
		held = false
		<-open.done
		return cmp.Or(open.err, err)
	}
	if len(group.members) < maxGroup && lw.queued.Load() > 0 {
		lw.release()
		held = false
		select {
		case <-group.done:
			return group.err
		case lw.slot <- struct{}{}:
			held = true
		}
	}
	if lw.group == group {
		e.commit()
	}
	return group.err
}

func (lw *sqliteWriter) acquire(ctx context.Context) error {
	lw.queued.Add(1)
	defer lw.queued.Add(-1)
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case lw.slot <- struct{}{}:
		return nil
	case <-lw.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (lw *sqliteWriter) release() { <-lw.slot }

// runMember runs one Write inside the open transaction, or inside a new one.
func (e *sqliteEngine) runMember(ctx context.Context, w *Writer, fn func() error) (group *sqliteGroup, err error) {
	lw := &e.writer
	first := lw.group == nil
	if lw.conn == nil {
		if lw.conn, err = e.connect(ctx); err != nil {
			w.finish(RolledBack)
			return nil, err
		}
	}
	begin := "SAVEPOINT member"
	if first {
		begin = "BEGIN IMMEDIATE"
	}
	if err := lw.conn.run(begin); err != nil {
		w.finish(RolledBack)
		return nil, err
	}
	if first {
		lw.group = &sqliteGroup{done: make(chan struct{})}
	}
	group = lw.group
	w.s = lw.conn
	joined := false
	defer func() { // on an error and if fn panics
		if !joined {
			e.rollBackMember(w, first, err)
		}
	}()
	if err = fn(); err != nil {
		return nil, err
	}
	if !first {
		if err = lw.conn.run("RELEASE member"); err != nil {
			return nil, err
		}
	}
	w.s = nil
	joined = true
	group.members = append(group.members, w)
	return group, nil
}

// rollBackMember rolls back one Write within the open transaction. After some errors,
// such as a full disk, SQLite rolls back the whole transaction: then all members fail.
func (e *sqliteEngine) rollBackMember(w *Writer, first bool, why error) {
	lw := &e.writer
	w.finish(RolledBack)
	if first {
		e.abortGroup(nil) // no other member was in it
		return
	}
	err := lw.conn.run("ROLLBACK TO member")
	if err == nil {
		err = lw.conn.run("RELEASE member")
	}
	if err != nil {
		if !errors.Is(why, ErrUnwritable) {
			why = errors.Join(ErrBusy, err)
		}
		e.abortGroup(fmt.Errorf("transaction shared with a failed one was lost: %w", why))
	}
}

// abortGroup rolls back the open transaction.
func (e *sqliteEngine) abortGroup(why error) {
	lw := &e.writer
	group := lw.group
	lw.group = nil
	if err := lw.conn.run("ROLLBACK"); err != nil {
		lw.conn.close() // closing rolls back, if SQLite has not done so by itself
		lw.conn = nil
	}
	group.err = why
	for _, w := range slices.Backward(group.members) {
		w.finish(RolledBack)
	}
	close(group.done)
}

// commit commits the open transaction.
func (e *sqliteEngine) commit() {
	lw := &e.writer
	group := lw.group
	if err := lw.conn.run("COMMIT"); err != nil {
		e.abortGroup(fmt.Errorf("commit: %w", err))
		return
	}
	lw.group = nil
	for _, w := range group.members {
		w.finish(Committed)
	}
	close(group.done)
}
