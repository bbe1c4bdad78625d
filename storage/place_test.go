// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
)

func TestWhatAKilledServerLeftInMemoryIsRemoved(t *testing.T) {
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
