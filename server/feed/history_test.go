// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/server/run"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// A session is one run of a server on a database.
type session struct {
	server
	group *run.Group
}

func begin(t *testing.T, url string) *session {
	t.Helper()
	db, err := storage.Open(t.Context(), url, storage.Options{Checks: true})
	require.NoError(t, err)
	g := run.NewGroup(context.Background(), nil)
	f, err := feed.Open(t.Context(), db, g, feed.Options{
		Shared: db.Engine() == "postgres", Poll: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return &session{server{db, f}, g}
}

func (s *session) end(t *testing.T) {
	t.Helper()
	s.group.Stop()
	require.NoError(t, s.group.Wait())
	require.NoError(t, s.DB.Close())
}

// write commits n changes and returns a token that has seen them.
func (s *session) write(t *testing.T, n int) *feed.Token {
	t.Helper()
	for range n {
		require.NoError(t, s.WaitFor(t.Context(), commit(t, s.DB, storage.Change{RoomNID: 1})))
	}
	return at(s.Feed, s.Stamp())
}

// wantTokens checks which tokens are good.
func (s *session) wantTokens(t *testing.T, good, bad []*feed.Token) {
	t.Helper()
	for _, token := range good {
		upTo, err := s.Reach(t.Context(), token)
		require.NoError(t, err, "%+v", token)
		require.GreaterOrEqual(t, upTo, token.Pos)
	}
	for _, token := range bad {
		_, err := s.Reach(t.Context(), token)
		require.ErrorIs(t, err, feed.ErrFuture, "%+v", token)
	}
}

// A backup is put in the place of the database. Tokens from after it are of a
// future that was taken back, also when their positions have come again; those
// from before it are good.
func TestARestoredBackupBeginsAnEpoch(t *testing.T) {
	for _, restore := range []struct {
		name string
		put  func(t *testing.T, path string, backup, side []byte)
	}{
		{"into the same file", func(t *testing.T, path string, backup, _ []byte) {
			require.NoError(t, os.WriteFile(path, backup, 0o600))
		}},
		{"marked as a copy", func(t *testing.T, path string, backup, _ []byte) {
			require.NoError(t, os.WriteFile(path, backup, 0o600))
			require.NoError(t, os.Remove(path+".history"))
			db, err := sql.Open("sqlite", path)
			require.NoError(t, err)
			_, err = db.Exec(`UPDATE epochs SET origin = ''`)
			require.NoError(t, errors.Join(err, db.Close()))
		}},
		{"with all the folder", func(t *testing.T, path string, backup, side []byte) {
			require.NoError(t, os.WriteFile(path+".new", backup, 0o600))
			require.NoError(t, os.Rename(path+".new", path))
			require.NoError(t, os.WriteFile(path+".history", side, 0o600))
		}},
	} {
		t.Run(restore.name, func(t *testing.T) {
			path := t.TempDir() + "/test.db"
			url := "sqlite://" + path
			s := begin(t, url)
			early := s.write(t, 4)
			s.end(t)
			backup, err := os.ReadFile(path)
			require.NoError(t, err)
			side, err := os.ReadFile(path + ".history")
			require.NoError(t, err)
			s = begin(t, url)
			s.wantTokens(t, []*feed.Token{early}, nil)
			late := s.write(t, 6)
			require.Equal(t, early.Epoch, late.Epoch, "a restart is no new history")
			s.end(t)

			restore.put(t, path, backup, side)
			s = begin(t, url)
			s.wantTokens(t, []*feed.Token{early}, []*feed.Token{late})
			again := s.write(t, 10)
			require.Greater(t, again.Pos, late.Pos)
			require.Greater(t, again.Epoch, late.Epoch)
			s.wantTokens(t, []*feed.Token{early, again}, []*feed.Token{late})
			s.end(t)
			s = begin(t, url)
			s.wantTokens(t, []*feed.Token{early, again}, []*feed.Token{late})
			s.end(t)
		})
	}
}

// A database that is moved without loss costs no client a fresh start.
func TestAMovedDatabaseKeepsItsTokens(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		s := begin(t, url)
		last := s.write(t, 5)
		s.end(t)
		s = begin(t, moved(t, url))
		require.Greater(t, s.Epoch(), last.Epoch)
		s.wantTokens(t, []*feed.Token{last}, []*feed.Token{{Epoch: last.Epoch, Pos: last.Pos + 1}})
		next := s.write(t, 1)
		s.wantTokens(t, []*feed.Token{last, next}, []*feed.Token{{Epoch: last.Epoch, Pos: next.Pos}})
		s.end(t)
	})
}

// moved copies a database and returns where the copy is.
func moved(t *testing.T, url string) string {
	t.Helper()
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+".copy", b, 0o600))
		return url + ".copy"
	}
	return storagetest.PostgresCopy(t, url)
}

// PostgreSQL goes back to an earlier time under two servers. Both end, since
// what they remember may never have been, and the next one begins an epoch.
func TestServersEndWithTheirHistory(t *testing.T) {
	url := storagetest.PostgresURL(t)
	a, b := begin(t, url), begin(t, url)
	early := a.write(t, 3)
	late := a.write(t, 5)
	require.NoError(t, b.WaitFor(t.Context(), late.Pos))
	admin, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer admin.Close(context.Background())
	for _, stmt := range []string{`DELETE FROM changes WHERE pos > 3`, `SELECT setval('positions', 3)`} {
		_, err := admin.Exec(t.Context(), stmt)
		require.NoError(t, err)
	}
	for _, s := range []*session{a, b} {
		<-s.group.Done()
		require.ErrorIs(t, s.group.Wait(), storage.ErrHistory)
		require.NoError(t, s.DB.Close())
	}
	s := begin(t, url)
	require.Equal(t, late.Epoch+1, s.Epoch(), "one of them began it")
	s.wantTokens(t, nil, []*feed.Token{early, late}) // nobody knows where the cut was
	s.wantTokens(t, []*feed.Token{s.write(t, 1)}, []*feed.Token{late})
	s.end(t)
}

// A connection to another cluster, or to the same one put back to an earlier
// time, is none for a server that has opened the database before.
func TestAnotherClusterIsRefused(t *testing.T) {
	cluster := storagetest.NewCluster(t, lateLog...)
	s := begin(t, cluster.URL())
	s.write(t, 1)
	cluster.Promote(t)
	<-s.group.Done()
	require.ErrorIs(t, s.group.Wait(), storage.ErrHistory)
	require.Eventually(t, func() bool { // connections of before are in the pool, and broken
		err := s.DB.Write(t.Context(), func(w *storage.Writer) error {
			_, err := insert(w, storage.Change{RoomNID: 1})
			return err
		})
		require.Error(t, err)
		return errors.Is(err, storage.ErrHistory)
	}, time.Minute, time.Millisecond)
	require.NoError(t, s.DB.Close())
}
