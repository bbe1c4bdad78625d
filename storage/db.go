// SPDX-License-Identifier: Apache-2.0

// Package storage stores all of the server's data, in SQLite or PostgreSQL, with one
// set of queries. It knows bytes and columns, not Matrix: it never parses an event,
// never decides what a user may do, and never imports the server.
//
// Work happens inside [DB.Read] (one consistent snapshot) or [DB.Write] (one
// transaction). Each feature has a file of that name with its queries. A query is
// registered with q and written once, in the part of PostgreSQL's dialect that both
// engines can run; queries that need two texts are in dialect.go.
package storage

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DB is an open database. Its methods may be used by many goroutines.
type DB struct {
	engine   engine
	opts     Options
	stats    counters
	watcher  PositionWatcher
	jobs     func()
	nodes    nodeCache
	closing  sync.Once
	insideTx sync.Map // goroutine number → kind of transaction it is in; only with Options.Checks
}

// Options are the settings of a database that are not in its URL. The zero value suits
// production.
type Options struct {
	// Checks makes it panic to open a transaction inside another one, which might wait
	// for ever. Tests set it; it costs a microsecond.
	Checks bool
	// MaxReaders bounds the snapshots open at once. Zero means 16. PostgreSQL's pool
	// has half as many more connections for writers; with pool_max_conns in the URL,
	// readers get two thirds of that.
	MaxReaders int
	// StatementTimeout ends a statement, and IdleTimeout a transaction that does
	// nothing, on PostgreSQL. Zero means 30 and 3 seconds. A process that hangs inside
	// a transaction delays all others for IdleTimeout; our transactions wait for
	// nothing but the database.
	StatementTimeout time.Duration
	IdleTimeout      time.Duration
	// StateNodes bounds the cache of room state nodes, counted in nodes.
	// Zero means 32768, some 12 MB when full.
	StateNodes int
	// Snapshot replaces the contents of an SQLite database when it is opened. LastEpoch
	// is the epoch whose later changes are lost by this; 0 for none.
	Snapshot  *Snapshot
	LastEpoch int64
}

func (o Options) withDefaults() Options {
	if o.MaxReaders == 0 {
		o.MaxReaders = 16
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 30 * time.Second
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 3 * time.Second
	}
	if o.StateNodes == 0 {
		o.StateNodes = 32768
	}
	return o
}

// An engine runs transactions on one kind of database.
type engine interface {
	name() string
	read(ctx context.Context, r *Reader, fn func() error) error
	write(ctx context.Context, w *Writer, fn func() error) error
	// retry reports whether a failed write may succeed when run again.
	retry(err error) bool
	// nextID and reserve draw numbers, see numbers.go.
	nextID(ctx context.Context, w *Writer, name string) (int64, error)
	reserve(ctx context.Context, w *Writer, n int) ([]int64, error)
	// identity says where the database is, so that a copy is recognised. storedMark is
	// how far the database had come by a record outside it.
	identity(ctx context.Context) (string, error)
	storedMark() mark
	// describe prepares a query and returns the types of its parameters.
	describe(ctx context.Context, q *query) ([]string, error)
	close() error
}

// A session is one connection inside one transaction.
type session interface {
	exec(ctx context.Context, q *query, args []any) (int64, error)
	enqueue(ctx context.Context, q *query, args []any) error
	enqueueMust(ctx context.Context, q *query, otherwise error, args []any) error
	row(ctx context.Context, q *query, args []any, dst []any) error
	rows(ctx context.Context, q *query, args []any, each func(scan scanFunc) error) error
}

type scanFunc = func(dst ...any) error

// Open opens the database at a URL and creates its tables if it has none:
//
//	sqlite:///var/lib/touchstone/data.db   a file
//	sqlite::memory:                        a temporary database, gone on Close
//	postgres://user@host/name              PostgreSQL
func Open(ctx context.Context, dsn string, opts Options) (*DB, error) {
	db := &DB{opts: opts.withDefaults()}
	db.nodes.limit = db.opts.StateNodes
	var err error
	switch scheme, _, _ := strings.Cut(dsn, ":"); scheme {
	case "sqlite":
		db.engine, err = openSQLite(ctx, db, strings.TrimPrefix(dsn, "sqlite:"))
	case "postgres", "postgresql":
		db.engine, err = openPostgres(ctx, db, dsn)
	default:
		return nil, fmt.Errorf("database URL: scheme %q is neither sqlite nor postgres", scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", redactURL(dsn), err)
	}
	return db, nil
}

// redactURL removes what may be a password.
func redactURL(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		scheme, _, _ := strings.Cut(dsn, ":")
		return scheme + ":…"
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.Redacted()
}

// Engine is "sqlite" or "postgres".
func (db *DB) Engine() string { return db.engine.name() }

// Close lets running transactions finish and ends the connections.
func (db *DB) Close() error {
	err := ErrClosed
	db.closing.Do(func() {
		db.noteLast()
		err = db.engine.close()
	})
	return err
}

// Read runs fn on one consistent snapshot: all its queries see the database
// as it was when the first of them ran. fn must not open another transaction.
func (db *DB) Read(ctx context.Context, fn func(*Reader) error) error {
	defer db.markInside("Read")()
	db.stats.reads.Add(1)
	r := &Reader{db: db}
	return db.engine.read(ctx, r, func() error { return fn(r) })
}

const maxAttempts = 8

// Write runs fn in one transaction and commits it when fn returns nil. After a conflict
// fn may run again from the start: it must have no effects except on its Writer. Each
// statement sees what is committed when it starts. If that is not enough, lock with FOR
// UPDATE or compare in the UPDATE. When Write returns nil the commit is durable.
func (db *DB) Write(ctx context.Context, fn func(*Writer) error) error {
	defer db.markInside("Write")()
	for attempt := 1; ; attempt++ {
		db.stats.writes.Add(1)
		w := &Writer{Reader: &Reader{db: db}}
		err := db.engine.write(ctx, w, func() error {
			if err := fn(w); err != nil {
				return err
			}
			return w.beforeCommit()
		})
		if err == nil || attempt == maxAttempts || !db.engine.retry(err) {
			return err
		}
		db.stats.retries.Add(1)
		if err := sleep(ctx, time.Duration(attempt)*time.Millisecond); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// markInside records that this goroutine is in a transaction, and panics if it already
// was: on SQLite the inner one could wait for the outer one for ever.
func (db *DB) markInside(what string) (leave func()) {
	if !db.opts.Checks {
		return func() {}
	}
	id := goroutineID()
	if outer, inside := db.insideTx.LoadOrStore(id, what); inside {
		panic(fmt.Sprintf("storage: %s inside a %s: compute first, then open one transaction", what, outer))
	}
	return func() { db.insideTx.Delete(id) }
}

// With Options.Checks, Outside panics if the goroutine is in a transaction: code that
// waits for commits of others must hold no snapshot and no lock.
func (db *DB) Outside(what string) {
	if !db.opts.Checks {
		return
	}
	if outer, inside := db.insideTx.Load(goroutineID()); inside {
		panic(fmt.Sprintf("storage: %s inside a %s: it waits for what others commit", what, outer))
	}
}

type counters struct {
	reads, writes, queries, retries atomic.Int64
}

// Stats counts transactions and statements since the database was opened.
type Stats struct {
	Reads   int64 // snapshots
	Writes  int64 // write transactions, repeated ones included
	Queries int64 // statements, each of a batch counted
	Retries int64 // write transactions run again
}

// Stats returns the counts so far.
func (db *DB) Stats() Stats {
	return Stats{
		Reads:   db.stats.reads.Load(),
		Writes:  db.stats.writes.Load(),
		Queries: db.stats.queries.Load(),
		Retries: db.stats.retries.Load(),
	}
}

// Since returns the difference to an earlier count.
func (s Stats) Since(earlier Stats) Stats {
	return Stats{
		Reads:   s.Reads - earlier.Reads,
		Writes:  s.Writes - earlier.Writes,
		Queries: s.Queries - earlier.Queries,
		Retries: s.Retries - earlier.Retries,
	}
}
