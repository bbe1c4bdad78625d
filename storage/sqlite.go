// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// lite is SQLite: one connection that writes, several that read snapshots
// beside it (WAL). Connections are held for good, so that each prepares a
// query once.
type lite struct {
	db      *DB
	pool    *sql.DB
	readers chan *liteConn // a nil stands for a connection not opened yet
	writer  liteWriter
	cleanup func() error
	numbers liteNumbers
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
	e := &lite{db: db, pool: pool, cleanup: cleanup, readers: make(chan *liteConn, db.opts.MaxReaders)}
	e.writer.turn = make(chan struct{}, 1)
	e.writer.closed = make(chan struct{})
	for range db.opts.MaxReaders {
		e.readers <- nil
	}
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
		return "", nil, "", fmt.Errorf("write sqlite:///absolute/path, sqlite://relative/path or sqlite::memory:")
	}
	if path, err = url.PathUnescape(path); err != nil {
		return "", nil, "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", nil, "", err
	}
	unlock, err := lockFile(path + ".lock")
	return path, unlock, "FULL", err
}

func liteDSN(path, sync string) string {
	pragmas := []string{
		"busy_timeout(5000)",
		"journal_mode(WAL)",
		"synchronous(" + sync + ")",
		"foreign_keys(0)",
		"temp_store(MEMORY)",
		"cache_size(-8192)",
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
	if e.writer.conn != nil {
		err = e.writer.conn.conn.Close()
	}
	for range cap(e.readers) {
		if c := <-e.readers; c != nil {
			err = errors.Join(err, c.conn.Close())
		}
	}
	close(e.readers)
	return errors.Join(err, e.pool.Close(), e.cleanup())
}

func (e *lite) read(ctx context.Context, r *Reader, fn func() error) error {
	var c *liteConn
	var open bool
	select {
	case c, open = <-e.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !open {
		return ErrClosed
	}
	defer func() { e.readers <- c }()
	if c == nil {
		var err error
		if c, err = e.connect(ctx); err != nil {
			return err
		}
	}
	if err := c.run("BEGIN"); err != nil {
		return err
	}
	defer func() {
		r.s = nil
		if err := c.run("ROLLBACK"); err != nil {
			c.conn.Close() // the error that broke it has reached the caller
			c = nil
		}
	}()
	r.s = c
	return fn()
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
	// Readers open on demand; opening one now shows a broken set-up at once.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	c, err := e.connect(ctx)
	if err != nil {
		return err
	}
	<-e.readers
	e.readers <- c
	return e.numbers.load(ctx, e.writer.conn)
}
