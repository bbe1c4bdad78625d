// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"testing"
)

// The tests run queries of their own, which are not registered.

type Query = query

func NewQuery(name, text string) *Query {
	return &query{name: name, text: text, sqlite: sqliteSQL(text), any: arrayParams(text)}
}

func (r *Reader) Row(ctx context.Context, q *Query, args []any, dst ...any) error {
	return r.row(ctx, q, args, dst...)
}

func (r *Reader) Rows(ctx context.Context, q *Query, args []any, each func(scan func(...any) error) error) error {
	return r.rows(ctx, q, args, each)
}

func (w *Writer) Exec(ctx context.Context, q *Query, args ...any) (int64, error) {
	return w.exec(ctx, q, args...)
}

func (w *Writer) Later(ctx context.Context, q *Query, args ...any) error {
	return w.enqueue(ctx, q, args...)
}

var (
	LiteDDL    = sqliteDDL
	PgDDL      = postgresDDL
	Statements = statements
)

// ForgetNodes empties the cache of state nodes.
func (db *DB) ForgetNodes() {
	db.nodes.mu.Lock()
	defer db.nodes.mu.Unlock()
	db.nodes.younger, db.nodes.older = nil, nil
}

var nodeSizes = NewQuery("t_node_sizes", `SELECT COUNT(*), COALESCE(SUM(LENGTH(body) + LENGTH(node_id)), 0) FROM state_nodes`)

// NodeSizes counts the stored state nodes and their bytes.
func (db *DB) NodeSizes(t testing.TB) (rows, bytes int64) {
	err := db.Read(context.Background(), func(r *Reader) error {
		return r.row(context.Background(), nodeSizes, nil, &rows, &bytes)
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, bytes
}

// Queued counts the Writes that wait for their first turn on SQLite.
func (db *DB) Queued() int { return int(db.engine.(*sqliteEngine).writer.queued.Load()) }

// Lite is the text that SQLite runs.
func (q *query) Lite() string { return q.sqlite }

// FillDisk makes SQLite answer as on a full disk to whoever needs another page,
// until the connection is replaced, as it is once a transaction was lost.
func (db *DB) FillDisk(t testing.TB) {
	lw := &db.engine.(*sqliteEngine).writer
	lw.slot <- struct{}{}
	defer lw.release()
	if err := lw.conn.run("PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
}
