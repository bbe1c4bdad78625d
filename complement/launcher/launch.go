// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// imageName is the only image that exists at the start.
const imageName = "launcher"

// maxSocket is the maximum length of a socket's path in Linux, including a
// terminating zero byte.
const maxSocket = 108

// launch starts the engine, runs the command and returns its exit status, or an
// error if it has none.
func launch(ctx context.Context, opts options) (code int, err error) {
	rootfs, err := checkRootfs(opts.rootfs, opts.entry)
	if err != nil {
		return 2, err
	}
	starter := newStarter()
	if err := starter.probe(); err != nil {
		return 2, err
	}
	block, err := reserveBlock()
	if err != nil {
		return 2, err
	}
	defer block.release()
	dir, err := workFolder(opts.dir)
	if err != nil {
		return 2, err
	}
	if opts.keep {
		fmt.Fprintln(os.Stderr, "launcher: the servers' files and logs stay in", dir)
	} else {
		defer os.RemoveAll(dir)
	}

	e := newEngine(dir, opts.entry, block, starter)
	e.keep = opts.keep
	e.addImage(&image{id: imageName, tags: []string{imageName + ":latest"}, dir: rootfs})
	defer e.close()
	socket := filepath.Join(dir, "docker.sock")
	if len(socket) >= maxSocket {
		return 2, fmt.Errorf("%s is too long a name for a socket: choose a shorter -dir", socket)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return 2, fmt.Errorf("listen for the command: %w", err)
	}
	srv := &http.Server{Handler: e.handler(), ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(l) }()
	defer func() { srv.Close(); <-served }()

	return runCommand(ctx, opts.command, append(os.Environ(),
		"DOCKER_HOST=unix://"+socket,
		"COMPLEMENT_BASE_IMAGE="+imageName))
}

// workFolder makes the folder for the containers' files.
func workFolder(parent string) (string, error) {
	if parent != "" {
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(parent, "launcher-")
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// runCommand runs the command on this terminal and passes termination signals
// on to it.
func runCommand(ctx context.Context, command, env []string) (code int, err error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 2, err
	case exit.ExitCode() < 0:
		return 1, fmt.Errorf("%s: %w", command[0], exit) // killed by a signal
	}
	return exit.ExitCode(), nil
}
