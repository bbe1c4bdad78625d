// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package storage_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
)

// TestAClosedDatabaseLeavesNoFileOpen: a server in lab mode opens a database for each
// reset.
func TestAClosedDatabaseLeavesNoFileOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT RUN: only Linux lists the open files of a process in /proc")
	}
	path := filepath.Join(t.TempDir(), "files.db")
	db, err := storage.Open(t.Context(), "sqlite://"+path, storage.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error { return tx.PutServerInfo(t.Context(), "a", "b") }))
	require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) error {
		_, err := tx.ServerInfo(t.Context(), "a")
		return err
	}))
	require.NotEmpty(t, openFiles(t, path))
	require.NoError(t, db.Close())
	require.Empty(t, openFiles(t, path))
}

// openFiles lists the files of this process whose names begin so.
func openFiles(t *testing.T, prefix string) (open []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		if name, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && strings.HasPrefix(name, prefix) {
			open = append(open, name)
		}
	}
	return open
}

func TestSQLiteTempDirIsRemovedAfterKill(t *testing.T) {
	parent := t.TempDir()
	folder := func(name string, files ...string) string {
		dir := filepath.Join(parent, name)
		require.NoError(t, os.Mkdir(dir, 0o700))
		for _, file := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), nil, 0o600))
		}
		return dir
	}
	left := folder("touchstone-memory-1", "lock", "memory.db", "memory.db-wal")
	running := folder("touchstone-memory-2", "lock", "memory.db")
	starting := folder("touchstone-memory-3", "lock")
	other := folder("something-else", "lock", "memory.db")
	unlock, err := storage.LockFile(filepath.Join(running, "lock"))
	require.NoError(t, err)
	storage.Sweep(parent)
	require.NoDirExists(t, left)
	for _, dir := range []string{running, starting, other} {
		require.DirExists(t, dir)
	}
	require.NoError(t, unlock())
}

// Two servers on one file would give out the same positions, whatever names they
// know it by.
func TestADatabaseIsLockedUnderAllItsNames(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT RUN: only Linux keeps flock apart from SQLite's own locks; elsewhere a file beside the database is locked")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	open := func(name string) error {
		db, err := storage.Open(t.Context(), "sqlite://"+filepath.Join(dir, name), storage.Options{})
		if err == nil {
			err = db.Close()
		}
		return err
	}
	first, err := storage.Open(t.Context(), "sqlite://"+path, storage.Options{})
	require.NoError(t, err)
	require.NoError(t, os.Symlink(path, filepath.Join(dir, "symbolic.db")))
	require.NoError(t, os.Link(path, filepath.Join(dir, "hard.db")))
	for _, name := range []string{"a.db", "symbolic.db", "hard.db"} {
		require.ErrorIs(t, open(name), storage.ErrBusy, name)
	}
	beside, err := filepath.Glob(filepath.Join(dir, "*.lock"))
	require.NoError(t, err)
	require.Empty(t, beside, "there is no lock file that somebody might delete")
	require.NoError(t, first.Write(t.Context(), func(tx *storage.Writer) error { return tx.PutServerInfo(t.Context(), "name", "value") }), "the refused ones took nothing away")
	require.NoError(t, first.Close())
	require.NoError(t, open("a.db"))
}

// Four slashes are what other programs write before an absolute path; SQLite
// would take the path's first folder for a host.
func TestADatabaseURLMayHaveMoreSlashes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db, err := storage.Open(t.Context(), "sqlite:///"+path, storage.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.FileExists(t, path)
}
