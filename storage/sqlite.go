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
	"sync"

	_ "modernc.org/sqlite" // the driver
)

// sqliteEngine is SQLite in WAL mode: one connection writes, several read snapshots.
// Connections stay open, so that each prepares a query once.
type sqliteEngine struct {
	db       *DB
	pool     *sql.DB
	readers  sqliteReaders
	writer   sqliteWriter
	cleanup  func() error
	numbers  sqliteNumbers
	path     string // the file
	markPath string // the file beside it with its epoch and last position; empty for a temporary database
}

// A sqliteConn is one connection with its prepared statements.
type sqliteConn struct {
	e        *sqliteEngine
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

func openSQLite(ctx context.Context, db *DB, where string) (engine, error) {
	path, cleanup, sync, err := openSQLiteFile(where)
	if err != nil {
		return nil, err
	}
	if s := db.opts.Snapshot; s != nil {
		if err := s.putInto(path); err != nil {
			return nil, errors.Join(fmt.Errorf("restore a snapshot: %w", err), cleanup())
		}
	}
	pool, err := sql.Open("sqlite", sqliteDSN(path, sync))
	if err != nil {
		return nil, errors.Join(err, cleanup())
	}
	pool.SetMaxIdleConns(0) // nothing can be done about an error here
	e := &sqliteEngine{db: db, pool: pool, cleanup: cleanup, path: path}
	if where != ":memory:" {
		if e.path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, errors.Join(err, e.close())
		}
		e.markPath = e.path + historySuffix
	}
	e.readers.slots = make(chan struct{}, db.opts.MaxReaders)
	e.readers.closed = make(chan struct{})
	e.writer.slot = make(chan struct{}, 1)
	e.writer.closed = make(chan struct{})
	if e.writer.conn, err = e.connect(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// openSQLiteFile returns the file of a URL, and how durable its commits must be.
func openSQLiteFile(where string) (path string, cleanup func() error, sync string, err error) {
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
	// SQLite gives its log the same mode as the file: only this user may read the
	// accounts and the signing key.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, "", err
	}
	unlock, err := lockDatabase(f)
	return path, unlock, "FULL", err
}

func sqliteDSN(path, sync string) string {
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

func (e *sqliteEngine) name() string { return "sqlite" }

func (e *sqliteEngine) connect(ctx context.Context) (*sqliteConn, error) {
	conn, err := e.pool.Conn(ctx)
	if err != nil {
		return nil, sqliteError(err)
	}
	return &sqliteConn{e: e, conn: conn, prepared: map[string]*sql.Stmt{}}, nil
}

// close closes the statements first: SQLite keeps the files of a connection open for as
// long as it has any.
func (c *sqliteConn) close() (err error) {
	for _, s := range c.prepared {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, c.conn.Close())
}

func (e *sqliteEngine) close() error {
	var err error
	close(e.writer.closed)
	e.writer.slot <- struct{}{} // waits for the writer, and admits no other
	if e.writer.group != nil {
		e.commit()
	}
	close(e.readers.closed)
	for range cap(e.readers.slots) {
		e.readers.slots <- struct{}{} // waits for the readers, one by one
	}
	for _, c := range e.readers.idle {
		err = errors.Join(err, c.close())
	}
	if c := e.writer.conn; c != nil { // last, so that the file is whole without its log
		_, logErr := c.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
		if errors.Is(sqliteError(logErr), ErrUnwritable) {
			logErr = nil // no data is lost: the log stays and is read at the next start
		}
		err = errors.Join(err, logErr, c.close())
	}
	return errors.Join(err, e.pool.Close(), e.cleanup())
}

func (e *sqliteEngine) read(ctx context.Context, r *Reader, fn func() error) error {
	c, err := e.acquireReader(ctx)
	if err != nil {
		return err
	}
	err = c.run("BEGIN")
	defer func() {
		r.s = nil
		if err != nil || c.run("ROLLBACK") != nil {
			c.close() // the caller is given the error that broke it
			c = nil
		}
		e.releaseReader(c)
	}()
	if err != nil {
		return err
	}
	r.s = c
	return fn()
}

// sqliteReaders are the connections for reading. The one used last is used next, so
// that an idle server has few.
type sqliteReaders struct {
	slots  chan struct{} // a token for each connection in use
	closed chan struct{}
	mu     sync.Mutex
	idle   []*sqliteConn
}

func (e *sqliteEngine) acquireReader(ctx context.Context) (*sqliteConn, error) {
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

// releaseReader returns a connection, or frees its slot if it is broken.
func (e *sqliteEngine) releaseReader(c *sqliteConn) {
	if c != nil {
		e.readers.mu.Lock()
		e.readers.idle = append(e.readers.idle, c)
		e.readers.mu.Unlock()
	}
	<-e.readers.slots
}

func (e *sqliteEngine) retry(error) bool { return false } // one writer: there are no conflicts

func (e *sqliteEngine) describe(ctx context.Context, q *query) ([]string, error) {
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.conn.Close()
	stmt, err := conn.conn.PrepareContext(ctx, q.sqlite)
	if err != nil {
		return nil, sqliteError(err)
	}
	return nil, stmt.Close()
}

// stmt returns the prepared statement of a text, prepared once for this connection.
func (c *sqliteConn) stmt(text string) (*sql.Stmt, error) {
	if s := c.prepared[text]; s != nil {
		return s, nil
	}
	s, err := c.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, sqliteError(err)
	}
	c.prepared[text] = s
	return s, nil
}

// run executes a transaction statement, such as BEGIN.
func (c *sqliteConn) run(text string) error {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background())
	return sqliteError(err)
}

// The methods of session check the caller's context between statements and rows, not
// within: interrupting a statement would need a goroutine and save microseconds.

func (c *sqliteConn) exec(_ context.Context, q *query, args []any) (int64, error) {
	s, err := c.stmt(q.sqlite)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(context.Background(), sqliteArgs(q, args)...)
	if err != nil {
		return 0, sqliteError(err)
	}
	n, err := result.RowsAffected()
	if n > 0 {
		q.found[0].Store(true)
	}
	return n, err
}

func (c *sqliteConn) enqueue(ctx context.Context, q *query, args []any) error {
	_, err := c.exec(ctx, q, args)
	return err
}

func (c *sqliteConn) enqueueMust(ctx context.Context, q *query, otherwise error, args []any) error {
	n, err := c.exec(ctx, q, args)
	if err == nil && n == 0 {
		return otherwise
	}
	return err
}

func (c *sqliteConn) row(_ context.Context, q *query, args []any, dst []any) error {
	s, err := c.stmt(q.sqlite)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), sqliteArgs(q, args)...)
	if err != nil {
		return sqliteError(err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return sqliteError(err)
		}
		return ErrNotFound
	}
	q.found[0].Store(true)
	return rows.Scan(dst...)
}

func (c *sqliteConn) rows(ctx context.Context, q *query, args []any, each func(scan scanFunc) error) error {
	s, err := c.stmt(q.sqlite)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), sqliteArgs(q, args)...)
	if err != nil {
		return sqliteError(err)
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
	return sqliteError(rows.Err())
}

// start creates the tables and reads which numbers were given out.
func (e *sqliteEngine) start(ctx context.Context) error {
	if err := e.migrate(ctx); err != nil {
		return err
	}
	return e.numbers.load(ctx, e.writer.conn)
}
