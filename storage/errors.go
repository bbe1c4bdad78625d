// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The errors that callers distinguish, with errors.Is.
var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: there is already a row with that key. The transaction is rolled back.
	ErrExists = errors.New("already exists")
	// ErrConflict: another transaction was first; read again and decide.
	ErrConflict = errors.New("conflict")
	// ErrUnwritable: the database can be read but not written: its disk is full or
	// fails, or it is a read-only copy.
	ErrUnwritable = errors.New("the database cannot be written")
	// ErrUnavailable: the database cannot be reached, or the connection was lost. A
	// commit that returns it may have succeeded.
	ErrUnavailable = errors.New("the database does not answer")
	// ErrBusy: the database is locked by another program, or a timeout was reached.
	ErrBusy = errors.New("database busy")
	// ErrClosed: the database is closed, or the transaction is over.
	ErrClosed = errors.New("closed")
)

// sqliteError wraps SQLite's errors with their sentinel.
func sqliteError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if errors.Is(err, sql.ErrConnDone) {
		return ErrClosed
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", ErrUnwritable, err)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// SQLSTATE values, from PostgreSQL's appendix A.
const (
	pgUniqueViolation      = "23505"
	pgSerializationFailure = "40001"
	pgDeadlockDetected     = "40P01"
	pgQueryCanceled        = "57014"
	pgLockNotAvailable     = "55P03"
	pgIdleInTransaction    = "25P03"
	pgDiskFull             = "53100"
	pgIOError              = "58030"
	pgReadOnly             = "25006"
	pgTooManyConnections   = "53300"
)

// pgGone are the beginnings of SQLSTATE values of a server that is stopping,
// starting, or has no more room for us: connection exceptions, insufficient
// resources, shutdowns.
var pgGone = []string{"08", "53", "57P"}

// pgUnsupported are the errors for queries that a database service does not permit or
// know.
var pgUnsupported = []string{"42501", "0A000", "42883"}

// postgresError wraps PostgreSQL's errors with their sentinel.
func postgresError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if connectionLost(err) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	switch e.Code {
	case pgDiskFull, pgIOError, pgReadOnly:
		return fmt.Errorf("%w: %w", ErrUnwritable, err)
	case pgUniqueViolation:
		return fmt.Errorf("%w: %w", ErrExists, err)
	case pgSerializationFailure, pgDeadlockDetected:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case pgQueryCanceled, pgLockNotAvailable, pgIdleInTransaction:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	for _, class := range pgGone {
		if strings.HasPrefix(e.Code, class) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return err
}

// connectionLost reports whether an error is of the connection, not of a statement.
func connectionLost(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
