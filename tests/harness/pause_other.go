// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package harness

import "errors"

// CannotPause says why Pause and LimitFiles do not work here, empty where they do.
const CannotPause = "only on Linux can a running process be paused and its files be limited"

// LimitFiles needs Linux.
func (p *Process) LimitFiles(int64) error { return errors.New(CannotPause) }

// Pause needs Linux.
func (p *Process) Pause() error { return errors.New(CannotPause) }

// Resume needs Linux.
func (p *Process) Resume() error { return errors.New(CannotPause) }
