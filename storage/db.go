// SPDX-License-Identifier: Apache-2.0

// Package storage keeps everything the server must remember, in SQLite or
// PostgreSQL, behind one set of queries. It knows bytes and columns, not
// Matrix: it never parses an event, never decides who may do what, and never
// imports the server.
//
// Work happens inside [DB.Read] (one consistent snapshot) or [DB.Write] (one
// transaction). Each feature has a file of that name holding its queries,
// registered with q and written once, in the portable core of PostgreSQL's
// dialect; what an engine needs differently is in dialect.go and nowhere else.
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
	insideTx sync.Map // goroutine number → what it is inside of; only with Options.Checks
}

// Options are the settings of a database that its URL does not carry. The
// zero value is good for production.
type Options struct {
	// Checks makes a transaction opened inside another one panic, instead of
	// perhaps waiting for ever. Tests set it; it costs a microsecond.
	Checks bool
	// MaxReaders bounds the snapshots open at once. Zero means 16. PostgreSQL's
	// pool has half as many connections more, for writers; a URL that sets
	// pool_max_conns leaves readers two thirds of them.
	MaxReaders int
	// StatementTimeout ends a statement, and IdleTimeout a transaction that
	// does nothing, on PostgreSQL. Zero means 30 and 3 seconds. A process that
	// stands still inside a transaction holds all others up for IdleTimeout, and
	// no transaction of ours waits for anything but the database.
	StatementTimeout time.Duration
	IdleTimeout      time.Duration
	// StateNodes bounds the cache of room state nodes, counted in nodes.
	// Zero means 32768, some 12 MB when full.
	StateNodes int
	// Snapshot is what an SQLite database begins as, in place of what it was.
	// LastEpoch is the epoch in which the history went on that the snapshot cuts
	// off; 0 for none.
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
	// nextID and reserve draw numbers; see numbers.go.
	nextID(ctx context.Context, w *Writer, name string) (int64, error)
	reserve(ctx context.Context, w *Writer, n int) ([]int64, error)
	// identity says where the database is, so that a copy is recognised; beside
	// is how far it had come by what is kept outside of it.
	identity(ctx context.Context) (string, error)
	storedMark() mark
	// describe names a query's parameter types, preparing it on the way.
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

// Open opens the database a URL names, creating its tables when it has none:
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

// redactURL leaves out what may be a password.
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

// Write runs fn in one transaction and commits it when fn returns nil. After
// a conflict that another try may resolve, fn runs again from the start: it
// must have no effect besides those on its Writer. Each statement sees what is
// committed when it starts; lock with FOR UPDATE or compare in the UPDATE
// where that is not enough. When Write returns nil the commit is durable.
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

// markInside notes that this goroutine is inside a transaction and panics when it
// already was: on SQLite the inner one could wait for the outer one for ever.
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

// Outside panics in a transaction, with Options.Checks: what waits for others'
// commits must not hold a snapshot or a lock meanwhile.
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

// Stats counts what the database was asked since it was opened.
type Stats struct {
	Reads   int64 // snapshots
	Writes  int64 // write transactions, tries included
	Queries int64 // statements, those of a batch one by one
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

// Since returns what was added after an earlier count.
func (s Stats) Since(earlier Stats) Stats {
	return Stats{
		Reads:   s.Reads - earlier.Reads,
		Writes:  s.Writes - earlier.Writes,
		Queries: s.Queries - earlier.Queries,
		Retries: s.Retries - earlier.Retries,
	}
}
