// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestFullDisk: while the disk is full, writing is answered with 503 and reading
// goes on, /health knows, and the log says it once. A server that is then stopped
// ends well.
func TestFullDisk(t *testing.T) {
	for _, e := range harness.Engines() {
		t.Run(string(e), func(t *testing.T) {
			s := harness.Start(t, harness.Options{Engine: e, Process: true})
			alice := s.User(t, "alice")
			room := alice.CreateRoom(t, nil)
			before := alice.Send(t, room, "before")
			health := func() int { return s.Do(t, harness.Request{Method: "GET", Path: "/health"}).Status }
			require.Equal(t, 200, health())
			logged := len(s.Process().Log())

			free := fillDisk(t, s)
			for range 100 {
				path := harness.Path("v3/rooms/{}/send/m.room.message/{}", room, harness.Txn())
				a, err := alice.Try(t.Context(), "PUT", path, harness.Text("during"))
				require.NotNil(t, a, err)
				require.Equal(t, 503, a.Status, a)
				require.Contains(t, a.String(), "cannot store")
			}
			require.Equal(t, 503, health())
			page := alice.Messages(t, room, "dir", "b", "limit", 1)
			require.Equal(t, before, page.At("chunk", 0, "event_id").String(), "reading goes on")
			log := s.Process().Log()[logged:]
			require.Equal(t, 1, strings.Count(log, `"level":"ERROR"`), log)
			require.Contains(t, log, "cannot be written; is its disk full?")
			require.NotContains(t, log, "sendMessage", "no line for each request")

			free()
			after := alice.Send(t, room, "after")
			page = alice.Messages(t, room, "dir", "b", "limit", 2)
			require.Equal(t, []string{after, before}, harness.IDs(page.At("chunk").List()))

			fillDisk(t, s)
			s.Stop(t) // ends well: nothing is lost
			s.Restart(t)
			page = alice.Messages(t, room, "dir", "b", "limit", 2)
			require.Equal(t, []string{after, before}, harness.IDs(page.At("chunk").List()))
		})
	}
}

// fillDisk has every write of events fail until free is called: on SQLite as the
// operating system refuses it, on PostgreSQL by the error that it then raises.
func fillDisk(t *testing.T, s *harness.Server) (free func()) {
	if s.Engine == harness.SQLite {
		if harness.CannotPause != "" {
			t.Skip("NOT RUN: " + harness.CannotPause)
		}
		require.NoError(t, s.Process().LimitFiles(0))
		return func() { require.NoError(t, s.Process().LimitFiles(-1)) }
	}
	conn, err := pgx.Connect(t.Context(), s.Database)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(t.Context()) })
	exec := func(text string) {
		_, err := conn.Exec(t.Context(), text)
		require.NoError(t, err)
	}
	exec(`CREATE OR REPLACE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
		CREATE TRIGGER no_space BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_space()`)
	return func() { exec(`DROP TRIGGER no_space ON events`) }
}
