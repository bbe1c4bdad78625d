// SPDX-License-Identifier: Apache-2.0

package storagetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
)

// Environment names a PostgreSQL server by URL, with a role that may create
// databases. Without it the tests look for a server they can start.
const Environment = "TOUCHSTONE_TEST_POSTGRES"

// A server is where databases for tests are made.
type server struct {
	url  *url.URL
	why  string // what it is, for people
	skip string // why there is none
	err  error  // there should be one, but it does not work
}

var postgres = sync.OnceValue(func() *server {
	s := findServer()
	if s.url != nil {
		s.err = s.makeTemplate(context.Background())
	}
	return s
})

// findServer tries what the machine may offer, best first.
func findServer() *server {
	if text := os.Getenv(Environment); text != "" {
		u, err := url.Parse(text)
		return &server{url: u, err: err, why: "the server that " + Environment + " names"}
	}
	if bin := findCluster(); bin != "" {
		u, err := startCluster(bin)
		return &server{url: u, err: err, why: "a throwaway cluster made by " + bin + "/initdb"}
	}
	if engine := findDocker(); engine != "" {
		u, err := startContainer()
		return &server{url: u, err: err, why: "a container on the Docker engine at " + engine}
	}
	return &server{skip: "no PostgreSQL: " + Environment + " is not set, no initdb is on this machine, no Docker engine answers"}
}

// Explain says on which engines the tests run, and why.
func Explain() string {
	s := postgres()
	switch {
	case s.err != nil:
		return fmt.Sprintf("storage tests run on SQLite; PostgreSQL (%s) fails: %v", s.why, s.err)
	case s.skip != "":
		return "storage tests run on SQLite only; " + s.skip
	}
	return "storage tests run on SQLite and on PostgreSQL, " + s.why
}

// PostgresURL returns a new database with the schema in it, dropped with the
// test. Without PostgreSQL the test is skipped, saying why.
func PostgresURL(t testing.TB) string {
	t.Helper()
	s := postgres()
	if s.skip != "" {
		t.Skip(s.skip)
	}
	require.NoError(t, s.err, s.why)
	name, err := s.createDatabase(t, "TEMPLATE "+templateName())
	require.NoError(t, err)
	return s.database(name)
}

// PostgresURLIn returns a new database with nothing in it, of another locale
// than the cluster's. The test is skipped where PostgreSQL cannot make it.
func PostgresURLIn(t testing.TB, locale string) string {
	t.Helper()
	PostgresURL(t) // skips, or fails with the reason
	name, err := postgres().createDatabase(t, "TEMPLATE template0 ENCODING 'UTF8' "+locale)
	if err != nil {
		t.Skipf("%s: %v", locale, err)
	}
	return postgres().database(name)
}

// ForeignURL returns another, empty database of the same server, for tests
// with strangers beside us.
func ForeignURL(t testing.TB) string {
	t.Helper()
	PostgresURL(t) // skips, or fails with the reason
	return postgres().database("postgres")
}

func (s *server) database(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

// createDatabase makes a database that is dropped with the test. The error is
// PostgreSQL's refusal of what was asked for.
func (s *server) createDatabase(t testing.TB, how string) (string, error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.url.String())
	require.NoError(t, err)
	defer conn.Close(ctx)
	var name string
	require.NoError(t, conn.QueryRow(ctx, `SELECT 'ts_' || replace(CAST(gen_random_uuid() AS TEXT), '-', '')`).Scan(&name))
	if _, err = conn.Exec(ctx, `CREATE DATABASE `+name+` `+how); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(ctx, s.url.String())
		require.NoError(t, err)
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, `DROP DATABASE `+name+` WITH (FORCE)`)
		require.NoError(t, err)
	})
	return name, nil
}

func templateName() string { return "ts_template_" + storage.SchemaFingerprint() }

// makeTemplate makes the database that the tests' databases are copied from,
// once a server and schema.
func (s *server) makeTemplate(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('touchstone test template'))`); err != nil {
		return err
	}
	var exists bool
	const find = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
	if err := conn.QueryRow(ctx, find, templateName()).Scan(&exists); err != nil || exists {
		return err
	}
	building := strings.Replace(templateName(), "template", "building", 1)
	for _, stmt := range []string{
		`DROP DATABASE IF EXISTS ` + building,
		`CREATE DATABASE ` + building + ` TEMPLATE template0 ENCODING 'UTF8'`,
	} {
		if _, err := conn.Exec(ctx, stmt); err != nil {
			return err
		}
	}
	db, err := storage.Open(ctx, s.database(building), storage.Options{})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE `+building+` RENAME TO `+templateName())
	return err
}

// Engines lists the engines that the tests run on.
func Engines() []string {
	if s := postgres(); s.skip != "" || s.err != nil {
		return []string{"sqlite"}
	}
	return []string{"sqlite", "postgres"}
}

// PostgresCopy returns a copy of a database that nobody uses, dropped with the
// test.
func PostgresCopy(t testing.TB, of string) string {
	t.Helper()
	u, err := url.Parse(of)
	require.NoError(t, err)
	name, err := postgres().createDatabase(t, "TEMPLATE "+strings.TrimPrefix(u.Path, "/"))
	require.NoError(t, err)
	return postgres().database(name)
}
