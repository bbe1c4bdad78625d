// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// A starter starts processes in a chroot. The kernel ends them when the thread
// that started them ends, as it does however the launcher dies; so one thread
// starts them all, and lives as long as the launcher.
type starter struct {
	jobs chan func()
}

func newStarter() *starter {
	s := &starter{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// attributes put a process into a chroot and a group of its own. Who is not
// root becomes so inside a user namespace first.
func attributes(root string) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Chroot: root, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// run starts a command on the starter's thread.
func (s *starter) run(cmd *exec.Cmd) error {
	started := make(chan error)
	s.jobs <- func() { started <- cmd.Start() }
	return <-started
}

// probe finds out whether the kernel lets us, before Complement does.
func (s *starter) probe() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: self, Args: []string{self, "-h"}, Env: []string{}, SysProcAttr: attributes("/")}
	if err := s.run(cmd); err != nil {
		return fmt.Errorf("start a process in a chroot: %w (be root, or let users make user namespaces)", err)
	}
	cmd.Process.Kill() // that it started is the answer
	cmd.Wait()
	return nil
}

// A process is one run of an image's program.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
	exit int           // its status, to be read when done is closed

	mu    sync.Mutex
	after []func()
}

// start runs a program in a root of its own.
func (s *starter) start(root, program string, env []string, log *os.File) (*process, error) {
	cmd := &exec.Cmd{Path: program, Args: []string{program}, Dir: "/data", Env: env, Stdout: log, Stderr: log, SysProcAttr: attributes(root)}
	if err := s.run(cmd); err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	go p.wait(cmd)
	return p, nil
}

func (p *process) wait(cmd *exec.Cmd) {
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
		p.exit = 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	case errors.As(err, &exit):
		p.exit = exit.ExitCode()
	case err != nil:
		p.exit = -1
	}
	syscall.Kill(-p.pid, syscall.SIGKILL) // its children, as when a container ends
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.after {
		f()
	}
	close(p.done)
}

// onEnd does something when the process has ended, before anyone else hears.
func (p *process) onEnd(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended() {
		f()
		return
	}
	p.after = append(p.after, f)
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal goes to the whole group, except for a request to end, which is for the
// program to pass on as it likes.
func (p *process) signal(sig syscall.Signal) {
	if p.ended() {
		return
	}
	switch sig {
	case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCONT:
		syscall.Kill(-p.pid, sig)
	default:
		syscall.Kill(p.pid, sig)
	}
}
