// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"errors"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// big is a value that needs pages of its own.
var big = strings.Repeat("x", 100_000)

func TestAFullDiskOnSQLite(t *testing.T) {
	db := storagetest.Open(t)
	put := func(name, value string) error {
		return db.Write(t.Context(), func(w *storage.Writer) error { return w.PutServerInfo(t.Context(), name, value) })
	}
	require.NoError(t, put("a", "small"))
	db.FillDisk(t)
	require.ErrorIs(t, put("b", big), storage.ErrUnwritable)
	read(t, db, func(ctx context.Context, r *storage.Reader) error {
		value, err := r.ServerInfo(ctx, "a")
		require.Equal(t, "small", value)
		return err
	})
	require.NoError(t, put("b", big))
}

// TestAFullDiskTakesTheGroupAlong: SQLite gives up the transaction in which the
// disk is full, and with it the writes of others, who hear of the same cause.
func TestAFullDiskTakesTheGroupAlong(t *testing.T) {
	db := storagetest.Open(t)
	db.FillDisk(t)
	inside, queued := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	var first, second error
	wg.Go(func() {
		first = db.Write(t.Context(), func(w *storage.Writer) error {
			close(inside)
			<-queued
			return w.PutServerInfo(t.Context(), "a", "small")
		})
	})
	<-inside
	wg.Go(func() {
		second = db.Write(t.Context(), func(w *storage.Writer) error { return w.PutServerInfo(t.Context(), "b", big) })
	})
	for db.Queued() < 1 {
		runtime.Gosched()
	}
	close(queued)
	wg.Wait()
	require.ErrorIs(t, second, storage.ErrUnwritable)
	if first != nil { // it was in the same transaction
		require.ErrorIs(t, first, storage.ErrUnwritable)
		require.NotErrorIs(t, first, storage.ErrBusy)
	}
}

// TestFailuresOfPostgres raises PostgreSQL's own errors in a trigger.
func TestFailuresOfPostgres(t *testing.T) {
	dsn := storagetest.PostgresURL(t)
	db := storagetest.OpenURL(t, dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for code, want := range map[string]error{
		"53100": storage.ErrUnwritable,  // disk_full
		"58030": storage.ErrUnwritable,  // io_error
		"25006": storage.ErrUnwritable,  // read_only_sql_transaction
		"57P03": storage.ErrUnavailable, // cannot_connect_now
		"53300": storage.ErrUnavailable, // too_many_connections
		"57014": storage.ErrBusy,        // query_canceled
	} {
		_, err := conn.Exec(t.Context(), `CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '`+code+`'; END $$;
			CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON server_info FOR EACH ROW EXECUTE FUNCTION fail()`)
		require.NoError(t, err)
		err = db.Write(t.Context(), func(w *storage.Writer) error { return w.PutServerInfo(t.Context(), "a", "") })
		require.ErrorIs(t, err, want, code)
	}
	_, err = conn.Exec(t.Context(), `DROP TRIGGER fail ON server_info`)
	require.NoError(t, err)

	// A connection that ends: the next transaction has a new one.
	cut := db.Read(t.Context(), func(r *storage.Reader) error {
		if _, err := r.ServerInfo(t.Context(), "a"); !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		_, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
		_, err = r.ServerInfo(t.Context(), "a")
		return err
	})
	require.ErrorIs(t, cut, storage.ErrUnavailable)
	require.NoError(t, db.Write(t.Context(), func(w *storage.Writer) error { return w.PutServerInfo(t.Context(), "a", "") }))
}

// TestPostgresIsNotThere: nobody listens.
func TestPostgresIsNotThere(t *testing.T) {
	_, err := storage.Open(t.Context(), "postgres://u@/none?host="+t.TempDir(), storage.Options{})
	require.ErrorIs(t, err, storage.ErrUnavailable)
}

// TestAcknowledgedMeansDurable: a PostgreSQL that is set up to lose its newest
// commits in a crash does not lose ours.
func TestAcknowledgedMeansDurable(t *testing.T) {
	setting := storage.NewQuery("t_synchronous_commit", `SELECT current_setting('synchronous_commit')`)
	for configured, want := range map[string]string{"off": "on", "on": "on", "local": "local"} {
		u, err := url.Parse(storagetest.PostgresURL(t))
		require.NoError(t, err)
		query := u.Query()
		query.Set("options", "-csynchronous_commit="+configured)
		u.RawQuery = query.Encode()
		db := storagetest.OpenURL(t, u.String())
		err = db.Write(t.Context(), func(w *storage.Writer) error {
			var got string
			err := w.Row(t.Context(), setting, nil, &got)
			require.Equal(t, want, got)
			return err
		})
		require.NoError(t, err)
	}
}
