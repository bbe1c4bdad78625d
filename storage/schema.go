// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Until the first release the schema is one baseline: the files in name order. There
// are no migrations, so a database with another schema is refused.
//
//go:embed schema/*.sql
var schemaFiles embed.FS

// schemaVersion is the newest version that this program knows.
const schemaVersion = 1

// baseline reads the schema and its fingerprint.
func baseline() (stmts []string, fingerprint string, err error) {
	names, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil {
		return nil, "", err
	}
	hash := sha256.New()
	for _, name := range names { // sorted
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, "", err
		}
		list := statements(string(text))
		stmts = append(stmts, list...)
		hash.Write([]byte(strings.Join(list, ";\n")))
	}
	return stmts, hex.EncodeToString(hash.Sum(nil)[:16]), nil
}

const (
	schemaTable  = `CREATE TABLE IF NOT EXISTS schema_info (version BIGINT NOT NULL, fingerprint TEXT NOT NULL)`
	schemaRead   = `SELECT version, fingerprint FROM schema_info`
	schemaInsert = `INSERT INTO schema_info (version, fingerprint) VALUES ($1, $2)`
)

// ready reports whether the database already has the schema; an error says that it has
// another one.
func schemaReady(version int64, found, fingerprint string) error {
	switch {
	case version > schemaVersion:
		return fmt.Errorf("the database has schema version %d and this program knows %d: use a newer program", version, schemaVersion)
	case found != fingerprint:
		return fmt.Errorf("the database was made by another development version of this program (schema %s, not %s): there are no migrations before the first release, start with a new database", found, fingerprint)
	}
	return nil
}

func (e *sqliteEngine) migrate(ctx context.Context) (err error) {
	stmts, fingerprint, err := baseline()
	if err != nil {
		return err
	}
	conn := e.writer.conn.conn
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return sqliteError(err)
	}
	defer func() {
		if err != nil {
			_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, rollback)
		}
	}()
	if _, err := conn.ExecContext(ctx, schemaTable); err != nil {
		return sqliteError(err)
	}
	var version int64
	var found string
	err = sqliteError(conn.QueryRowContext(ctx, schemaRead).Scan(&version, &found))
	if errors.Is(err, ErrNotFound) {
		for _, stmt := range stmts {
			if _, err := conn.ExecContext(ctx, sqliteDDL(stmt)); err != nil {
				return fmt.Errorf("%s: %w", stmt, err)
			}
		}
		_, err = conn.ExecContext(ctx, schemaInsert, schemaVersion, fingerprint)
	} else if err == nil {
		err = schemaReady(version, found, fingerprint)
	}
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return sqliteError(err)
}

// schemaLock lets only one of several starting servers create the tables.
const schemaLock = 0x746f756368 // "touch"

func (e *postgresEngine) migrate(ctx context.Context) error {
	stmts, fingerprint, err := baseline()
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(schemaLock)); err != nil {
			return postgresError(err)
		}
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = "+millis(time.Hour)); err != nil {
			return postgresError(err)
		}
		if _, err := tx.Exec(ctx, "SET LOCAL client_min_messages = warning"); err != nil {
			return postgresError(err)
		}
		if _, err := tx.Exec(ctx, schemaTable); err != nil {
			return postgresError(err)
		}
		var version int64
		var found string
		err := postgresError(tx.QueryRow(ctx, schemaRead).Scan(&version, &found))
		if err == nil {
			return schemaReady(version, found, fingerprint)
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		for _, stmt := range append(stmts, statements(postgresOnly)...) {
			if _, err := tx.Exec(ctx, postgresDDL(stmt)); err != nil {
				return fmt.Errorf("%s: %w", stmt, err)
			}
		}
		_, err = tx.Exec(ctx, schemaInsert, schemaVersion, fingerprint)
		return postgresError(err)
	})
}

// SchemaFingerprint identifies the schema of this program.
func SchemaFingerprint() string {
	_, fingerprint, err := baseline()
	if err != nil {
		panic("storage: embedded schema: " + err.Error())
	}
	return fingerprint
}
