// SPDX-License-Identifier: Apache-2.0

// Package storagetest gives tests real databases: SQLite always, PostgreSQL
// whenever it can have one. Every test gets a database of its own, empty but
// for the schema. It is for tests only; nothing in it may be imported by the
// server.
package storagetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
)

// Each runs a test on every engine, each with a database of its own. The engines
// run side by side, since PostgreSQL is mostly waited for; so fn must not write to
// variables outside it.
func Each(t *testing.T, fn func(t *testing.T, db *storage.DB)) {
	t.Helper()
	sideBySide(t,
		func(t *testing.T) { fn(t, Open(t)) },
		func(t *testing.T) { fn(t, OpenURL(t, PostgresURL(t))) })
}

// EachInTurn is Each for tests that count in variables outside fn: one engine runs
// after the other.
func EachInTurn(t *testing.T, fn func(t *testing.T, db *storage.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, Open(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, OpenURL(t, PostgresURL(t))) })
}

// EachURL is Each for tests that open the database themselves, perhaps more
// than once: on SQLite the URL names a file, since only a file can be opened
// again.
func EachURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	sideBySide(t,
		func(t *testing.T) { fn(t, "sqlite://"+t.TempDir()+"/test.db") },
		func(t *testing.T) { fn(t, PostgresURL(t)) })
}

// sideBySide returns when both have ended. With t.Parallel the test's own function
// would go on before they begin.
func sideBySide(t *testing.T, sqlite, postgres func(t *testing.T)) {
	t.Helper()
	var both sync.WaitGroup
	both.Go(func() { t.Run("sqlite", sqlite) })
	both.Go(func() { t.Run("postgres", postgres) })
	both.Wait()
}

// Open opens an empty database in memory, for tests that need one engine only.
func Open(t testing.TB) *storage.DB {
	t.Helper()
	return OpenURL(t, "sqlite::memory:")
}

// OpenURL opens a database with all checks on and closes it with the test.
func OpenURL(t testing.TB, url string) *storage.DB {
	t.Helper()
	// A test may hold a transaction open on purpose, on a busy machine.
	db, err := storage.Open(context.Background(), url, storage.Options{Checks: true, IdleTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
