// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds the start of a server, stopTimeout its graceful end.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 40 * time.Second
)

// Binary builds the program once a run and returns its path.
var Binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "touchstone-tests-")
	if err != nil {
		return "", err
	}
	onExit(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "touchstone")
	build := exec.Command("go", "build", "-o", path, "touchstone.example/cmd/touchstone")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// A Process is a server that runs on its own.
type Process struct {
	cmd    *exec.Cmd
	log    *logBuffer
	at     Addresses
	exited chan struct{}
	err    error // of Wait, once exited is closed
}

// logBuffer is what a process has written so far.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func startProcess(t T, o Options) (instance, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	return Exec(binary, t.TempDir(), o)
}

// Exec starts a built program and waits until it serves.
func Exec(binary, folder string, o Options) (*Process, error) {
	ready := filepath.Join(folder, fmt.Sprintf("ready-%d.json", time.Now().UnixNano()))
	p := &Process{cmd: exec.Command(binary, "serve"), log: &logBuffer{}, exited: make(chan struct{})}
	p.cmd.Dir = folder
	p.cmd.Env = append(os.Environ(), o.settings(ready)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	if err := p.awaitReady(ready); err != nil {
		p.cmd.Process.Kill()
		<-p.exited
		return nil, fmt.Errorf("%w; it said:\n%s", err, p.log)
	}
	return p, nil
}

// awaitReady looks for the ready file, which the server writes in one step.
func (p *Process) awaitReady(file string) error {
	deadline := time.After(startTimeout)
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(file); err == nil {
			return json.Unmarshal(text, &p.at)
		}
		select {
		case <-p.exited:
			return fmt.Errorf("it ended: %w", p.err)
		case <-deadline:
			return errors.New("it was not ready in time")
		case <-tick.C:
		}
	}
}

func (p *Process) addresses() Addresses { return p.at }

// ClientURL returns the base of the client-server API.
func (p *Process) ClientURL() string { return p.at.Client }

// Log returns what the process has written to its log so far.
func (p *Process) Log() string { return p.log.String() }

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Kill ends the process with no time to tidy up.
func (p *Process) Kill() error { return p.kill() }

func (p *Process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.exited
	return nil
}

func (p *Process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("it did not stop; it said:\n%s", p.log)
	}
	if p.err != nil {
		return fmt.Errorf("%w; it said:\n%s", p.err, p.log)
	}
	return nil
}
