// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package storage

var (
	LockFile = lockFile
	Sweep    = removeStaleDirs
)
