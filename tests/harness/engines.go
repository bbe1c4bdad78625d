// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"path/filepath"
)

// An Engine is a kind of database.
type Engine string

const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// NewDatabase returns the URL of an empty database, gone when the test ends.
func (e Engine) NewDatabase(t T) string {
	t.Helper()
	switch e {
	case SQLite:
		return "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "touchstone.db"))
	case Postgres:
		return newPostgres(t)
	}
	panic(fmt.Sprintf("no engine %q", string(e)))
}
