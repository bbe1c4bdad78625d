// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// A mark is the epoch and last position of a database, stored in a file beside it.
type mark struct{ epoch, position int64 }

// historySuffix is the suffix of that file's name.
const historySuffix = ".history"

// readMarkFile returns the zero mark if there is no file, or an unreadable one.
func readMarkFile(path string) (m mark) {
	text, err := os.ReadFile(path)
	if err != nil {
		return mark{}
	}
	if _, err := fmt.Sscan(string(text), &m.epoch, &m.position); err != nil {
		return mark{}
	}
	return m
}

func (m mark) write(path string) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, fmt.Appendln(nil, m.epoch, m.position), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func (e *sqliteEngine) storedMark() mark {
	if e.db.opts.Snapshot != nil { // opened from a snapshot: later changes exist, how many is not known
		return mark{epoch: e.db.opts.LastEpoch, position: maxPosition}
	}
	if e.markPath == "" {
		return mark{}
	}
	return readMarkFile(e.markPath)
}

// identity is the file's inode: a copy that replaces it has another one.
func (e *sqliteEngine) identity(context.Context) (string, error) {
	if e.markPath == "" {
		return "memory", nil
	}
	info, err := os.Stat(e.path)
	if err != nil {
		return "", err
	}
	return "file " + strconv.FormatUint(inode(info), 10), nil
}

func (e *postgresEngine) storedMark() mark { return mark{} }

// identity is the cluster with its timeline, the database and its tables: restoring a
// dump makes new ones.
func (e *postgresEngine) identity(ctx context.Context) (string, error) {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return "", postgresError(err)
	}
	defer conn.Release()
	tables, err := tablesOf(ctx, conn.Conn())
	if err != nil {
		return "", err
	}
	e.tables.CompareAndSwap(nil, &tables)
	return e.cluster + " " + tables, nil
}

func tablesOf(ctx context.Context, conn *pgx.Conn) (tables string, err error) {
	if err := conn.QueryRow(ctx, dPgTables.text).Scan(&tables); err != nil {
		return "", fmt.Errorf("which tables it has: %w", postgresError(err))
	}
	return tables, nil
}
