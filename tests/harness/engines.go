// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"touchstone.example/storage/storagetest"
)

// An Engine is a kind of database.
type Engine string

const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Engines are those that this machine has.
func Engines() []Engine {
	var engines []Engine
	for _, name := range storagetest.Engines() {
		engines = append(engines, Engine(name))
	}
	return engines
}

// EachEngine runs a test on every engine, side by side: PostgreSQL is mostly waited
// for.
func EachEngine(t *testing.T, test func(t *testing.T, e Engine)) {
	var all sync.WaitGroup
	for _, e := range Engines() {
		all.Go(func() { t.Run(string(e), func(t *testing.T) { test(t, e) }) })
	}
	all.Wait()
}

// EngineReport says on which engines the tests run, and why.
func EngineReport() string { return storagetest.Explain() }

// NewDatabase returns the URL of an empty database, gone when the test ends. A
// durable one outlives its server.
func (e Engine) NewDatabase(t T, durable bool) string {
	t.Helper()
	switch {
	case e == Postgres:
		return storagetest.PostgresURL(t)
	case e == SQLite && durable:
		return "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "touchstone.db"))
	case e == SQLite:
		return "sqlite::memory:"
	}
	panic(fmt.Sprintf("no engine %q", string(e)))
}
