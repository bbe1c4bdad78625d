// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrUnsupported: this kind of database cannot do what was asked for.
var ErrUnsupported = errors.New("this kind of database cannot do that")

// A Snapshot is an SQLite database as it was at some time, in files of its own.
type Snapshot struct {
	dir    string
	remove func() error
}

// logSuffix is that of SQLite's write-ahead log, and indexSuffix of its index.
const logSuffix, indexSuffix = "-wal", "-shm"

// Snapshot copies the database between two commits; writers wait meanwhile. On
// PostgreSQL it returns ErrUnsupported.
//
// Only a commit writes to the file and its log, so that copies of both match while no
// write is running. The log is first checkpointed into the file; if no reader prevents
// that, the file alone is complete.
func (db *DB) Snapshot(ctx context.Context) (*Snapshot, error) {
	e, ok := db.engine.(*sqliteEngine)
	if !ok {
		return nil, fmt.Errorf("snapshot: %w", ErrUnsupported)
	}
	if err := e.writer.acquire(ctx); err != nil {
		return nil, err
	}
	defer e.writer.release()
	if e.writer.group != nil {
		e.commit()
	}
	dir, remove, err := temporaryDir()
	if err != nil {
		return nil, err
	}
	s := &Snapshot{dir, remove}
	if err := e.copyTo(ctx, s.file()); err != nil {
		return nil, errors.Join(fmt.Errorf("snapshot: %w", err), remove())
	}
	return s, nil
}

// file has the name of a temporary database, so that the file of a killed process is
// found and removed as one.
func (s *Snapshot) file() string { return filepath.Join(s.dir, "memory.db") }

// Delete removes the snapshot's files.
func (s *Snapshot) Delete() error { return s.remove() }

func (e *sqliteEngine) copyTo(ctx context.Context, path string) error {
	if e.writer.conn == nil {
		conn, err := e.connect(ctx)
		if err != nil {
			return err
		}
		e.writer.conn = conn
	}
	var busy, logged, moved int64
	row := e.writer.conn.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	if err := row.Scan(&busy, &logged, &moved); err != nil {
		return sqliteError(err)
	}
	if err := copyFile(e.path, path); err != nil || busy == 0 && logged == moved {
		return err
	}
	return copyFile(e.path+logSuffix, path+logSuffix)
}

// putInto replaces a database file with the snapshot.
func (s *Snapshot) putInto(path string) error {
	for _, suffix := range []string{logSuffix, indexSuffix} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := copyFile(s.file(), path); err != nil {
		return err
	}
	err := copyFile(s.file()+logSuffix, path+logSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

var createTable = regexp.MustCompile(`^CREATE (TABLE|SEQUENCE)(?: IF NOT EXISTS)? (\w+)`)

// Erase empties a database that no server uses, so that opening it creates it again.
func Erase(ctx context.Context, dsn string) error {
	rest, isSQLite := strings.CutPrefix(dsn, "sqlite:")
	switch {
	case isSQLite && rest == ":memory:":
		return nil
	case isSQLite:
		path, unlock, _, err := openSQLiteFile(rest)
		if err != nil {
			return err
		}
		for _, name := range []string{path + logSuffix, path + indexSuffix, path + historySuffix, path} {
			if removed := os.Remove(name); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
				err = errors.Join(err, removed)
			}
		}
		return errors.Join(err, unlock())
	}
	return erasePostgres(ctx, dsn)
}

func erasePostgres(ctx context.Context, dsn string) error {
	stmts, _, err := baseline()
	if err != nil {
		return err
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return postgresError(err)
	}
	defer conn.Close(ctx)
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL client_min_messages = warning"); err != nil {
			return postgresError(err)
		}
		for _, stmt := range append(append(stmts, statements(postgresOnly)...), schemaTable) {
			if m := createTable.FindStringSubmatch(stmt); m != nil {
				if _, err := tx.Exec(ctx, "DROP "+m[1]+" IF EXISTS "+m[2]+" CASCADE"); err != nil {
					return postgresError(err)
				}
			}
		}
		return nil
	})
}
