// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// Other programs take all of PostgreSQL's connections but those in our pool: who
// follows the stream has to make do with these.
func TestNoRoomForTheFeedsConnections(t *testing.T) {
	cluster := storagetest.NewCluster(t, "max_connections=12")
	db, err := storage.Open(t.Context(), cluster.URL(), storage.Options{})
	require.NoError(t, err)
	defer db.Close()
	for {
		conn, err := pgx.Connect(t.Context(), cluster.URL())
		if err != nil {
			require.ErrorContains(t, err, "53300")
			break
		}
		defer conn.Close(context.Background())
	}
	for range 3 {
		_, err = db.LastPosition(t.Context())
		require.NoError(t, err)
		_, err = db.TakeFence(t.Context(), 0, 0, 0)
		require.NoError(t, err)
	}
}

// A role that gains or loses the right to ask which cluster it is connected to
// still is connected to the same one.
func TestTheRightToAskForTheCluster(t *testing.T) {
	cluster := storagetest.NewCluster(t)
	admin, err := pgx.Connect(t.Context(), cluster.URL())
	require.NoError(t, err)
	defer admin.Close(context.Background())
	exec := func(stmt string) {
		t.Helper()
		_, err := admin.Exec(t.Context(), stmt)
		require.NoError(t, err)
	}
	exec(`CREATE ROLE weak LOGIN`)
	exec(`CREATE DATABASE weak OWNER weak ENCODING 'UTF8' TEMPLATE template0`)
	cfg, err := pgx.ParseConfig(cluster.URL())
	require.NoError(t, err)
	cfg.Database = "weak"
	inside, err := pgx.ConnectConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer inside.Close(context.Background())
	for _, stmts := range [][2]string{
		{`REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`, `GRANT EXECUTE ON FUNCTION pg_control_system() TO weak`},
		{`SELECT 1`, `REVOKE EXECUTE ON FUNCTION pg_control_system() FROM weak`},
	} {
		_, err := inside.Exec(t.Context(), stmts[0])
		require.NoError(t, err)
		db, err := storage.Open(t.Context(), databaseOf(t, cluster.URL(), "weak"), storage.Options{})
		require.NoError(t, err)
		_, _, err = db.OpenHistory(t.Context())
		require.NoError(t, err)
		_, err = inside.Exec(t.Context(), stmts[1])
		require.NoError(t, err)
		_, err = inside.Exec(t.Context(), endOthers)
		require.NoError(t, err)
		writeAgain(t, db, nil)
		require.NoError(t, db.Close())
	}
}

// The database is dropped and restored from a dump while a server runs, which then
// must not write into it what it remembers of the old one.
func TestTablesThatWereMadeAnew(t *testing.T) {
	url := storagetest.PostgresURL(t)
	db, err := storage.Open(t.Context(), url, storage.Options{})
	require.NoError(t, err)
	defer db.Close()
	_, _, err = db.OpenHistory(t.Context())
	require.NoError(t, err)
	writeAgain(t, db, nil)
	admin, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer admin.Close(context.Background())
	for _, stmt := range []string{`ALTER TABLE changes RENAME TO lost`, `CREATE TABLE changes (LIKE lost INCLUDING ALL)`, endOthers} {
		_, err := admin.Exec(t.Context(), stmt)
		require.NoError(t, err)
	}
	writeAgain(t, db, storage.ErrHistory)
}

const endOthers = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE application_name = 'touchstone' AND datname = current_database()`

// writeAgain writes until that ends as wanted: connections in the pool may be
// broken ones of before.
func writeAgain(t *testing.T, db *storage.DB, want error) {
	t.Helper()
	var err error
	require.Eventually(t, func() bool {
		err = db.Write(t.Context(), func(w *storage.Writer) error { return w.PutServerInfo(t.Context(), "k", "v") })
		return errors.Is(err, want)
	}, 20*time.Second, time.Millisecond, "%v", err)
}

func databaseOf(t *testing.T, dsn, name string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	q := u.Query()
	u.User, u.Path, u.RawQuery = url.User(name), "/"+name, q.Encode()
	return u.String()
}
