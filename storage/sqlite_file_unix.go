// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// lockDatabase locks an open database file for this process, until the process ends in
// whatever way. Stream positions on SQLite are counted in memory, so two servers on one
// file would give out the same ones.
//
// The lock is on the file itself, under whatever name it was opened: a symbolic or hard
// link or a deleted lock file does not bypass it. SQLite locks byte ranges with fcntl,
// which Linux keeps apart from flock. Elsewhere the two exclude each other, and the
// lock is a file beside the database. The file stays open: closing it would release
// SQLite's own locks.
func lockDatabase(f *os.File) (unlock func() error, err error) {
	if runtime.GOOS == "linux" {
		if err := flock(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f.Close, nil
	}
	path, err := filepath.EvalSymlinks(f.Name())
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return lockFile(path + ".lock")
}

// lockFile locks a file for one process.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// inode returns a file's number in its file system.
func inode(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

func flock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w: another server uses %s", ErrBusy, f.Name())
	}
	return err
}

const temporaryPrefix = "touchstone-memory-"

// temporaryDir makes a private folder, in memory if there is room, and removes the
// folders of processes that were killed.
func temporaryDir() (dir string, remove func() error, err error) {
	parent := os.TempDir()
	if freeSpace("/dev/shm") >= 1<<30 {
		parent = "/dev/shm"
	}
	removeStaleDirs(parent)
	dir, err = os.MkdirTemp(parent, temporaryPrefix)
	if err != nil {
		return "", nil, err
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, func() error { return errors.Join(os.RemoveAll(dir), unlock()) }, nil
}

func freeSpace(dir string) uint64 {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil || syscall.Access(dir, 2) != nil {
		return 0
	}
	return st.Bavail * uint64(st.Bsize)
}

// removeStaleDirs removes folders whose lock is free. A folder without a lock file is
// being made.
func removeStaleDirs(parent string) {
	locks, err := filepath.Glob(filepath.Join(parent, temporaryPrefix+"*", "lock"))
	if err != nil {
		return
	}
	for _, path := range locks {
		if info, err := os.Stat(filepath.Join(filepath.Dir(path), "memory.db")); err != nil || info.IsDir() {
			continue // no database in it: not ours, or being made
		}
		if unlock, err := lockFile(path); err == nil {
			os.RemoveAll(filepath.Dir(path))
			unlock()
		}
	}
}
