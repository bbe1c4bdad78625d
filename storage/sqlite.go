// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver
)

// lite is SQLite: one connection that writes, several that read snapshots
// beside it (WAL). Connections are held for good, so that each prepares a
// query once.
type lite struct {
	db      *DB
	pool    *sql.DB
	readers liteReaders
	writer  liteWriter
	cleanup func() error
	numbers liteNumbers
	path    string // the file
	side    string // the file beside it that says how far it has come; empty when it is temporary
}

// A liteConn is one connection with its prepared statements.
type liteConn struct {
	e        *lite
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

func openSQLite(ctx context.Context, db *DB, where string) (engine, error) {
	path, cleanup, sync, err := litePlace(where)
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", liteDSN(path, sync))
	if err != nil {
		return nil, errors.Join(err, cleanup())
	}
	pool.SetMaxIdleConns(0) // what is closed here is closed
	e := &lite{db: db, pool: pool, cleanup: cleanup, path: path}
	if where != ":memory:" {
		if e.path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, errors.Join(err, e.close())
		}
		e.side = e.path + ".history"
	}
	e.readers.slots = make(chan struct{}, db.opts.MaxReaders)
	e.readers.closed = make(chan struct{})
	e.writer.turn = make(chan struct{}, 1)
	e.writer.closed = make(chan struct{})
	if e.writer.conn, err = e.connect(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// litePlace finds the file, and how durable its commits are to be.
func litePlace(where string) (path string, cleanup func() error, sync string, err error) {
	if where == ":memory:" {
		dir, cleanup, err := temporaryDir()
		return filepath.Join(dir, "memory.db"), cleanup, "OFF", err
	}
	path, found := strings.CutPrefix(where, "//")
	if !found || path == "" {
		return "", nil, "", errors.New("write sqlite:///absolute/path, sqlite://relative/path or sqlite::memory: for one that is gone on Close")
	}
	if path, err = url.PathUnescape(path); err != nil {
		return "", nil, "", err
	}
	path = filepath.Clean(path) // SQLite takes what follows two slashes for a host
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", nil, "", err
	}
	// SQLite gives its log the file's mode: nobody else reads the accounts and
	// the signing key.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, "", err
	}
	unlock, err := lockDatabase(f)
	return path, unlock, "FULL", err
}

func liteDSN(path, sync string) string {
	pragmas := []string{
		"busy_timeout(5000)",
		"journal_mode(WAL)",
		"synchronous(" + sync + ")",
		"foreign_keys(0)",
		"temp_store(MEMORY)",
		"cache_size(-4096)",
		"journal_size_limit(67108864)",
		"trusted_schema(0)",
	}
	q := url.Values{"_pragma": pragmas}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (e *lite) name() string { return "sqlite" }

func (e *lite) connect(ctx context.Context) (*liteConn, error) {
	conn, err := e.pool.Conn(ctx)
	if err != nil {
		return nil, liteError(err)
	}
	return &liteConn{e: e, conn: conn, prepared: map[string]*sql.Stmt{}}, nil
}

func (e *lite) close() error {
	var err error
	close(e.writer.closed)
	e.writer.turn <- struct{}{} // waits for the writer, and lets no other in
	if e.writer.group != nil {
		e.commit()
	}
	close(e.readers.closed)
	for range cap(e.readers.slots) {
		e.readers.slots <- struct{}{} // waits for the readers, one by one
	}
	for _, c := range e.readers.idle {
		err = errors.Join(err, c.conn.Close())
	}
	if c := e.writer.conn; c != nil { // last, so that the file is whole without its log
		_, logErr := c.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
		if errors.Is(liteError(logErr), ErrUnwritable) {
			logErr = nil // nothing is lost: the log stays, and is read at the next start
		}
		err = errors.Join(err, logErr, c.conn.Close())
	}
	return errors.Join(err, e.pool.Close(), e.cleanup())
}

func (e *lite) read(ctx context.Context, r *Reader, fn func() error) error {
	c, err := e.takeReader(ctx)
	if err != nil {
		return err
	}
	err = c.run("BEGIN")
	defer func() {
		r.s = nil
		if err != nil || c.run("ROLLBACK") != nil {
			c.conn.Close() // what broke it has reached the caller, or will
			c = nil
		}
		e.giveReader(c)
	}()
	if err != nil {
		return err
	}
	r.s = c
	return fn()
}

// liteReaders are the connections that read. The one used last is used next,
// so that a quiet server has few.
type liteReaders struct {
	slots  chan struct{} // a token for each in use
	closed chan struct{}
	mu     sync.Mutex
	idle   []*liteConn
}

func (e *lite) takeReader(ctx context.Context) (*liteConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-e.readers.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case e.readers.slots <- struct{}{}:
	case <-e.readers.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	e.readers.mu.Lock()
	if n := len(e.readers.idle); n > 0 {
		c := e.readers.idle[n-1]
		e.readers.idle = e.readers.idle[:n-1]
		e.readers.mu.Unlock()
		return c, nil
	}
	e.readers.mu.Unlock()
	c, err := e.connect(ctx)
	if err != nil {
		<-e.readers.slots
	}
	return c, err
}

// giveReader takes a connection back, or its place when it broke.
func (e *lite) giveReader(c *liteConn) {
	if c != nil {
		e.readers.mu.Lock()
		e.readers.idle = append(e.readers.idle, c)
		e.readers.mu.Unlock()
	}
	<-e.readers.slots
}

func (e *lite) retry(error) bool { return false } // one writer: nobody to conflict with

func (e *lite) describe(ctx context.Context, q *query) ([]string, error) {
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.conn.Close()
	stmt, err := conn.conn.PrepareContext(ctx, q.lite)
	if err != nil {
		return nil, liteError(err)
	}
	return nil, stmt.Close()
}

// stmt prepares a text once on this connection.
func (c *liteConn) stmt(text string) (*sql.Stmt, error) {
	if s := c.prepared[text]; s != nil {
		return s, nil
	}
	s, err := c.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, liteError(err)
	}
	c.prepared[text] = s
	return s, nil
}

// run executes a statement about transactions.
func (c *liteConn) run(text string) error {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background())
	return liteError(err)
}

// The methods of session look at the caller's context between statements and
// rows, not within: an interrupted statement costs a goroutine to watch for
// and saves microseconds.

func (c *liteConn) exec(_ context.Context, q *query, args []any) (int64, error) {
	s, err := c.stmt(q.lite)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(context.Background(), liteArgs(q, args)...)
	if err != nil {
		return 0, liteError(err)
	}
	n, err := result.RowsAffected()
	if n > 0 {
		q.found[0].Store(true)
	}
	return n, err
}

func (c *liteConn) later(ctx context.Context, q *query, args []any) error {
	_, err := c.exec(ctx, q, args)
	return err
}

func (c *liteConn) laterMust(ctx context.Context, q *query, otherwise error, args []any) error {
	n, err := c.exec(ctx, q, args)
	if err == nil && n == 0 {
		return otherwise
	}
	return err
}

func (c *liteConn) row(_ context.Context, q *query, args []any, dst []any) error {
	s, err := c.stmt(q.lite)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), liteArgs(q, args)...)
	if err != nil {
		return liteError(err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return liteError(err)
		}
		return ErrNotFound
	}
	q.found[0].Store(true)
	return rows.Scan(dst...)
}

func (c *liteConn) rows(ctx context.Context, q *query, args []any, each func(scan scanFunc) error) error {
	s, err := c.stmt(q.lite)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), liteArgs(q, args)...)
	if err != nil {
		return liteError(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		q.found[0].Store(true)
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return liteError(rows.Err())
}

// start creates the tables and reads what numbers were given out.
func (e *lite) start(ctx context.Context) error {
	if err := e.migrate(ctx); err != nil {
		return err
	}
	return e.numbers.load(ctx, e.writer.conn)
}
