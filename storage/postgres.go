// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresEngine is PostgreSQL through a pool of connections, each of which prepares a
// query once.
type postgresEngine struct {
	db      *DB
	pool    *pgxpool.Pool
	numbers postgresNumbers
	// Identity of the database when it was opened: the cluster with its timeline, and
	// the tables once they exist.
	cluster string
	tables  atomic.Pointer[string]
	// snapshots holds a token for each open snapshot. There are fewer than connections,
	// so that slow readers leave some for writers.
	snapshots chan struct{}
	// Connections of the feed: for fences, and for short queries.
	fencing, queryConn *connection
}

// oldestPostgres is the oldest supported version. pg_current_xact_id needs 13; 14 was
// the oldest still maintained when this was written.
const oldestPostgres = 14

func openPostgres(ctx context.Context, db *DB, dsn string) (engine, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	readers := db.opts.MaxReaders
	if strings.Contains(dsn, "pool_max_conns") {
		cfg.MaxConns = max(2, cfg.MaxConns)
		readers = int(cfg.MaxConns - max(1, cfg.MaxConns/3))
	} else {
		cfg.MaxConns = int32(readers + readers/2 + 1)
	}
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = "touchstone"
	params["statement_timeout"] = millis(db.opts.StatementTimeout)
	params["idle_in_transaction_session_timeout"] = millis(db.opts.IdleTimeout)
	params["default_transaction_isolation"] = "read committed"
	for name, value := range plannerSettings {
		params[name] = value
	}
	cfg.ConnConfig.StatementCacheCapacity = 2048 // never evict: the registry is finite
	// An idle server leaves connections to others if there are too few for all.
	cfg.MaxConnIdleTime = idleConnection
	e := &postgresEngine{db: db, numbers: postgresNumbers{ids: map[string]idRange{}}, snapshots: make(chan struct{}, readers)}
	cfg.AfterConnect = e.checkConnection
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	e.pool = pool
	e.fencing, e.queryConn = newConnection(e), newConnection(e)
	if err := errors.Join(e.check(ctx)); err != nil {
		pool.Close()
		return nil, err
	}
	if err := e.migrate(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return e, nil
}

// plannerSettings make PostgreSQL use indexes from the start. Every query has an index
// that suits it, however large the tables are (a test checks all plans). A plan is made
// when a connection first runs a query, perhaps while the tables are empty, and kept
// until they are analyzed.
var plannerSettings = map[string]string{
	"plan_cache_mode":  "force_generic_plan", // one plan for each connection
	"random_page_cost": "1.1",                // index look-ups even for tables that look small
	"enable_seqscan":   "off",
	"enable_hashjoin":  "off", // these two read a whole table
	"enable_mergejoin": "off",
	"jit":              "off", // else the high cost of a plan that needs these would start the compiler
}

// idleConnection is how long a connection of the pool may be idle.
const idleConnection = time.Minute

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// check refuses a database on which the queries would not behave as intended. The
// collation needs no check: every TEXT column is made with "C".
func (e *postgresEngine) check(ctx context.Context) error {
	var version int
	var encoding string
	err := e.pool.QueryRow(ctx, `SELECT CAST(current_setting('server_version_num') AS INTEGER), current_setting('server_encoding')`).
		Scan(&version, &encoding)
	if err != nil {
		return postgresError(err)
	}
	if version/10000 < oldestPostgres {
		return fmt.Errorf("PostgreSQL %d is too old: %d or later is needed", version/10000, oldestPostgres)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s: create it with ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	return nil
}

func (e *postgresEngine) name() string { return "postgres" }

func (e *postgresEngine) close() error {
	e.fencing.close()
	e.queryConn.close()
	e.pool.Close()
	return nil
}

func (e *postgresEngine) retry(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == pgSerializationFailure || pe.Code == pgDeadlockDetected)
}

func (e *postgresEngine) describe(ctx context.Context, q *query) ([]string, error) {
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, postgresError(err)
	}
	defer c.Release()
	desc, err := c.Conn().Prepare(ctx, "", q.text)
	if err != nil {
		return nil, postgresError(err)
	}
	types := make([]string, len(desc.ParamOIDs))
	for i, oid := range desc.ParamOIDs {
		if t, ok := c.Conn().TypeMap().TypeForOID(oid); ok {
			types[i] = t.Name
		}
	}
	return types, nil
}

const (
	beginRead  = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	beginWrite = "BEGIN"
)

func (e *postgresEngine) read(ctx context.Context, r *Reader, fn func() error) error {
	select {
	case e.snapshots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.snapshots }()
	s, err := e.begin(ctx, beginRead)
	if err != nil {
		return err
	}
	defer s.abandon()
	r.s = s
	defer func() { r.s = nil }()
	return fn()
}

func (e *postgresEngine) write(ctx context.Context, w *Writer, fn func() error) error {
	s, err := e.begin(ctx, beginWrite)
	if err != nil {
		w.finish(RolledBack)
		return err
	}
	outcome := RolledBack
	defer func() { // also if fn panics
		s.abandon()
		w.finish(outcome)
	}()
	w.s = s
	err = fn()
	w.s = nil
	if err != nil {
		return err
	}
	outcome, err = s.commit(ctx)
	return err
}

// A postgresSession is a transaction. Statements whose result is not needed wait in a
// queue, BEGIN first, and are sent together with the next statement that has a result.
type postgresSession struct {
	conn    *pgxpool.Conn
	queue   pgx.Batch
	queued  []queuedStatement // the queued statements' checks
	txBegun bool              // the server has seen BEGIN
}

// queuedStatement is a statement in the queue.
type queuedStatement struct {
	*query       // nil: BEGIN
	must   error // the error if it changes no row; nil for none
}

func (e *postgresEngine) begin(ctx context.Context, begin string) (*postgresSession, error) {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s := &postgresSession{conn: conn, queued: []queuedStatement{{}}}
	s.queue.Queue(begin)
	return s, nil
}

// endTimeout bounds the end of a transaction, which does not use the caller's context.
const endTimeout = 30 * time.Second

// abandon rolls back an open transaction and releases the connection. The pool closes a
// connection that is not idle then.
func (s *postgresSession) abandon() {
	if s.txBegun && s.conn.Conn().PgConn().TxStatus() != 'I' && !s.conn.Conn().IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		if _, err := s.conn.Exec(ctx, "ROLLBACK"); err != nil {
			s.conn.Conn().Close(ctx)
		}
	}
	s.conn.Release()
}

// commit sends the queue and COMMIT together. Only PostgreSQL's answer says how it
// ended: an ERROR means a rollback, but if the connection ends first, even with a FATAL
// message, it may have committed.
func (s *postgresSession) commit(ctx context.Context) (Outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if slices.ContainsFunc(s.queued, func(w queuedStatement) bool { return w.must != nil }) {
		results, err := s.flush(ctx)
		if closeErr := results.Close(); err == nil {
			err = postgresError(closeErr)
		}
		if err != nil {
			return RolledBack, err
		}
	}
	s.queue.Queue("COMMIT")
	results, err := s.flush(ctx)
	var tag pgconn.CommandTag
	if err == nil {
		tag, err = results.Exec()
	}
	closed := results.Close()
	if err == nil && tag.String() == "COMMIT" {
		return Committed, nil
	}
	if err == nil {
		err = closed
	}
	var answer *pgconn.PgError
	switch {
	case err == nil:
		return RolledBack, fmt.Errorf("commit was answered with %s", tag)
	case errors.As(err, &answer) && answer.SeverityUnlocalized == "ERROR":
		return RolledBack, fmt.Errorf("commit: %w", postgresError(err))
	}
	return Unknown, fmt.Errorf("commit, outcome unknown: %w", postgresError(err))
}

// flush sends the queue and reads the results of all but the last statement,
// which is the caller's.
func (s *postgresSession) flush(ctx context.Context) (pgx.BatchResults, error) {
	batch, waits := s.queue, s.queued
	s.queue, s.queued, s.txBegun = pgx.Batch{}, nil, true
	results := s.conn.SendBatch(ctx, &batch)
	for _, w := range waits {
		tag, err := results.Exec()
		if err == nil && w.must != nil && tag.RowsAffected() == 0 {
			err = w.must
		}
		if err != nil && w.query != nil {
			return results, fmt.Errorf("query %s before it: %w", w.name, postgresError(err))
		}
		if err != nil {
			return results, postgresError(err)
		}
		w.noteFound(tag)
	}
	return results, nil
}

// noteFound records that a statement found rows. It does nothing for BEGIN.
func (q *query) noteFound(tag pgconn.CommandTag) {
	if q != nil && tag.RowsAffected() > 0 {
		q.found[1].Store(true)
	}
}

func (s *postgresSession) exec(ctx context.Context, q *query, args []any) (int64, error) {
	if len(s.queued) == 0 {
		tag, err := s.conn.Exec(ctx, q.text, postgresArgs(q, args)...)
		q.noteFound(tag)
		return tag.RowsAffected(), postgresError(err)
	}
	s.queue.Queue(q.text, postgresArgs(q, args)...)
	results, err := s.flush(ctx)
	var tag pgconn.CommandTag
	if err == nil {
		tag, err = results.Exec()
		q.noteFound(tag)
	}
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return tag.RowsAffected(), postgresError(err)
}

func (s *postgresSession) enqueue(ctx context.Context, q *query, args []any) error {
	return s.enqueueMust(ctx, q, nil, args)
}

func (s *postgresSession) enqueueMust(ctx context.Context, q *query, otherwise error, args []any) error {
	s.queue.Queue(q.text, postgresArgs(q, args)...)
	s.queued = append(s.queued, queuedStatement{q, otherwise})
	if len(s.queued) < maxQueue {
		return nil
	}
	results, err := s.flush(ctx)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return postgresError(err)
}

// maxQueue bounds the queued statements.
const maxQueue = 1000

func (s *postgresSession) row(ctx context.Context, q *query, args []any, dst []any) error {
	found := false
	err := s.rows(ctx, q, args, func(scan scanFunc) error {
		if found {
			return nil
		}
		found = true
		return scan(dst...)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

func (s *postgresSession) rows(ctx context.Context, q *query, args []any, each func(scan scanFunc) error) error {
	if len(s.queued) == 0 {
		rows, err := s.conn.Query(ctx, q.text, postgresArgs(q, args)...)
		return readRows(q, rows, err, each)
	}
	s.queue.Queue(q.text, postgresArgs(q, args)...)
	results, err := s.flush(ctx)
	if err == nil {
		var rows pgx.Rows
		rows, err = results.Query()
		err = readRows(q, rows, err, each)
	}
	if closeErr := results.Close(); err == nil {
		err = postgresError(closeErr)
	}
	return err
}

func readRows(q *query, rows pgx.Rows, err error, each func(scan scanFunc) error) error {
	if err != nil {
		return postgresError(err)
	}
	defer rows.Close()
	for rows.Next() {
		q.found[1].Store(true)
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return postgresError(rows.Err())
}
