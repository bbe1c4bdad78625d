// SPDX-License-Identifier: Apache-2.0

//go:build !(linux || darwin)

package storage

import "os"

// lockDatabase does nothing where there is no flock: the operator must make sure that
// only one server uses a file.
func lockDatabase(f *os.File) (unlock func() error, err error) {
	return func() error { return nil }, f.Close()
}

// temporaryDir makes a private folder.
func temporaryDir() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp("", "touchstone-memory-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

func inode(os.FileInfo) uint64 { return 0 }
