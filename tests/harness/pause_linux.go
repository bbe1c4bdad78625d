// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"syscall"
	"unsafe"
)

// CannotPause says why Pause and LimitFiles do not work here, empty where they do.
const CannotPause = ""

// LimitFiles makes writes beyond this size of any file fail, as on a full disk or
// over a quota. It needs no privileges; a negative size removes the limit.
func (p *Process) LimitFiles(size int64) error {
	limit := syscall.Rlimit{Cur: uint64(size), Max: ^uint64(0)}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(p.Pid()), syscall.RLIMIT_FSIZE,
		uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("prlimit: %w", errno)
	}
	return nil
}

// Pause stops the process until Resume, by SIGSTOP.
func (p *Process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (p *Process) Resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }
