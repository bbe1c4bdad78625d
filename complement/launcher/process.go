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

// A starter starts processes in a chroot. The kernel kills them when the thread
// that started them ends, so that no process survives the launcher. Therefore
// one thread starts all of them and runs as long as the launcher.
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

// attributes puts a process in a chroot and in its own process group. If we are
// not root, it also gets a user namespace in which it is.
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

// probe checks whether the kernel allows this, before Complement starts.
func (s *starter) probe() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: self, Args: []string{self, "-h"}, Env: []string{}, SysProcAttr: attributes("/")}
	if err := s.run(cmd); err != nil {
		return fmt.Errorf("start a process in a chroot: %w (be root, or let users make user namespaces)", err)
	}
	cmd.Process.Kill() // a successful start is all we wanted to know
	cmd.Wait()
	return nil
}

// A process is one execution of an image's program.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
	exit int           // its exit status, valid after done is closed

	mu    sync.Mutex
	after []func()
}

// start runs a program in a chroot.
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
	syscall.Kill(-p.pid, syscall.SIGKILL) // kills its children too, as when a container stops
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.after {
		f()
	}
	close(p.done)
}

// onEnd calls f when the process has ended, before done is closed.
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

// signal sends a signal to the whole process group; a termination signal goes
// to the program alone, which may pass it on.
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
