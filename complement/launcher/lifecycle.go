// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const stopGrace = 10 * time.Second // Docker's default

// running reports whether the process exists, paused or not.
func (c *container) running() bool {
	status := c.status()
	return status == "running" || status == "paused"
}

// status returns Docker's name for the state of the container.
func (c *container) status() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.proc == nil:
		return "created"
	case c.proc.ended():
		return "exited"
	case c.paused:
		return "paused"
	}
	return "running"
}

// start runs the program of the image, with the files that the previous run
// left.
func (e *engine) start(c *container, _ *http.Request) (int, error) {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	return e.startLocked(c)
}

func (e *engine) startLocked(c *container) (int, error) {
	if c.running() {
		return http.StatusNotModified, nil
	}
	ip, hosts, err := e.prepareNetwork(c)
	if err != nil {
		return 0, err
	}
	if err := addSystemFiles(c.dir, hosts); err != nil {
		return 0, fmt.Errorf("prepare the files of %s: %w", c.name, err)
	}
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	env := slices.Concat([]string{"PATH=/bin", "HOME=/data", "HOSTNAME=" + c.id[:12], "BIND_ADDRESS=" + ip}, c.env)
	c.mu.Lock()
	defer c.mu.Unlock()
	forwards, err := forwardAll(ip, c.hostPorts)
	if err != nil {
		return 0, fmt.Errorf("publish the ports of %s: %w", c.name, err)
	}
	proc, err := e.starter.start(c.dir, e.entry, env, log)
	if err != nil {
		forwards.close()
		return 0, fmt.Errorf("start %s: %w", c.name, err)
	}
	proc.onEnd(forwards.close)
	c.proc, c.paused = proc, false
	return http.StatusNoContent, nil
}

// prepareNetwork makes sure that no other running container has the same
// address, and lists the names that the container can resolve. A failed test
// may leave a server running while the next test starts one of the same name;
// the name then resolves to the new server.
func (e *engine) prepareNetwork(c *container) (ip, hosts string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, other := range e.containers {
		if other != c && other.ip == c.ip && other.running() {
			if c.ip, err = c.net.move(c.aliases); err != nil {
				return "", "", err
			}
			break
		}
	}
	lines := append([]string{"127.0.0.1 localhost"}, c.hosts...)
	for name, ip := range c.net.names {
		lines = append(lines, ip+" "+name)
	}
	slices.Sort(lines)
	return c.ip, strings.Join(lines, "\n") + "\n", nil
}

// addSystemFiles adds the files that Docker adds to every container.
func addSystemFiles(dir, hosts string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, d := range []string{"etc", "tmp", "dev", "data"} {
		if err := root.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := root.Chmod("tmp", 0o777|os.ModeSticky); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"etc/hosts":       hosts,
		"etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", // so that look-ups of other names fail at once
		"dev/null":        "",
	} {
		if err := root.WriteFile(name, []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) stop(c *container, r *http.Request) (int, error) {
	grace, err := graceOf(r)
	if err != nil {
		return 0, err
	}
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	if !c.running() {
		return http.StatusNotModified, nil
	}
	c.stopLocked(grace)
	return http.StatusNoContent, nil
}

func (e *engine) restart(c *container, r *http.Request) (int, error) {
	grace, err := graceOf(r)
	if err != nil {
		return 0, err
	}
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	c.stopLocked(grace)
	return e.startLocked(c)
}

// graceOf parses ?t=seconds; a negative value means no time limit.
func graceOf(r *http.Request) (time.Duration, error) {
	text := r.FormValue("t")
	if text == "" {
		return stopGrace, nil
	}
	seconds, err := strconv.Atoi(text)
	if err != nil {
		return 0, errorf(http.StatusBadRequest, "t: %v", err)
	}
	if seconds < 0 {
		return 1 << 62, nil
	}
	return time.Duration(seconds) * time.Second, nil
}

// stopLocked asks the process to end, and kills it after the time limit.
func (c *container) stopLocked(grace time.Duration) {
	proc := c.current()
	if proc == nil {
		return
	}
	proc.signal(syscall.SIGTERM)
	c.resume(proc)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-proc.done:
	case <-timer.C:
		proc.signal(syscall.SIGKILL)
		<-proc.done
	}
}

// kill kills the process, if there is one. It does not wait for a stop in
// progress.
func (c *container) kill() {
	if proc := c.current(); proc != nil {
		proc.signal(syscall.SIGKILL)
		<-proc.done
	}
}

// current returns the running process, or nil.
func (c *container) current() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc == nil || c.proc.ended() {
		return nil
	}
	return c.proc
}

var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "ABRT": syscall.SIGABRT,
	"KILL": syscall.SIGKILL, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "TERM": syscall.SIGTERM,
}

func (e *engine) killRequest(c *container, r *http.Request) (int, error) {
	name := strings.TrimPrefix(strings.ToUpper(r.FormValue("signal")), "SIG")
	if name == "" {
		name = "KILL"
	}
	sig, ok := signals[name]
	if !ok {
		return 0, errorf(http.StatusBadRequest, "unknown signal %s", r.FormValue("signal"))
	}
	proc := c.current()
	if proc == nil {
		return 0, notRunning(c)
	}
	if sig == syscall.SIGKILL {
		c.kill()
	} else {
		proc.signal(sig)
	}
	return http.StatusNoContent, nil
}

func notRunning(c *container) error {
	return errorf(http.StatusConflict, "container %s is not running", c.name)
}

func (e *engine) pause(c *container, _ *http.Request) (int, error) {
	proc := c.current()
	if proc == nil {
		return 0, notRunning(c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	proc.signal(syscall.SIGSTOP)
	c.paused = true
	return http.StatusNoContent, nil
}

func (e *engine) unpause(c *container, _ *http.Request) (int, error) {
	proc := c.current()
	if proc == nil {
		return 0, notRunning(c)
	}
	c.resume(proc)
	return http.StatusNoContent, nil
}

func (c *container) resume(proc *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	proc.signal(syscall.SIGCONT)
	c.paused = false
}
