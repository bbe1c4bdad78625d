// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"flag"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	var out bytes.Buffer
	opts, err := parse(strings.Fields("-rootfs r -entry /e -dir d -keep -- go test -run x"), &out)
	require.NoError(t, err)
	require.Equal(t, options{rootfs: "r", entry: "/e", dir: "d", keep: true, command: []string{"go", "test", "-run", "x"}}, opts)
	require.Empty(t, out.String())

	_, err = parse([]string{"go", "test"}, &out)
	require.ErrorContains(t, err, "-rootfs is missing")
	_, err = parse([]string{"-rootfs", "r"}, &out)
	require.ErrorContains(t, err, "no command")
	_, err = parse([]string{"-h"}, &out)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, said := range []string{"BIND_ADDRESS", "SERVER_NAME", "user namespaces", "8448", "-entry program"} {
		require.Contains(t, out.String(), said)
	}
}

func TestCheckRootfs(t *testing.T) {
	dir := t.TempDir()
	place := func(name string, content []byte, perm os.FileMode) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, perm))
	}
	place("text", []byte("#!/bin/sh\n"), 0o755)
	place("plain", program(t, ""), 0o644)
	place("static", program(t, ""), 0o755)
	place("dynamic", program(t, "/lib/ld.so"), 0o755)
	for entry, want := range map[string]string{
		"/none":    "the image's program (-entry)",
		"/":        "is not an executable file",
		"/plain":   "is not an executable file",
		"/text":    "is not a Linux program",
		"/dynamic": "needs /lib/ld.so, which the image lacks",
	} {
		_, err := checkRootfs(dir, entry)
		require.ErrorContains(t, err, want, entry)
	}
	got, err := checkRootfs(dir, "/static")
	require.NoError(t, err)
	require.Equal(t, dir, got)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lib"), 0o755))
	place("lib/ld.so", nil, 0o755)
	_, err = checkRootfs(dir, "/dynamic")
	require.NoError(t, err, "an image may bring its own loader")
}

// program returns a minimal ELF file, with or without a loader.
func program(t *testing.T, loader string) []byte {
	t.Helper()
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	var b bytes.Buffer
	if loader == "" {
		require.NoError(t, binary.Write(&b, binary.LittleEndian, h))
		return b.Bytes()
	}
	h.Phnum = 1
	require.NoError(t, binary.Write(&b, binary.LittleEndian, h))
	size := uint64(len(loader) + 1)
	require.NoError(t, binary.Write(&b, binary.LittleEndian,
		elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 64 + 56, Filesz: size, Memsz: size}))
	b.WriteString(loader + "\x00")
	return b.Bytes()
}

func TestBlocksAreNotShared(t *testing.T) {
	one, err := reserveBlock()
	require.NoError(t, err)
	defer one.release()
	two, err := reserveBlock()
	require.NoError(t, err)
	require.NotEqual(t, one.octet, two.octet)
	two.release()
	again, err := reserveBlock()
	require.NoError(t, err)
	defer again.release()
	require.Equal(t, two.octet, again.octet)
}

// launchSelf launches the test program as the command. An environment variable
// says what it should do.
func launchSelf(t *testing.T, ctx context.Context, what string) (int, error) {
	t.Helper()
	newTestEngine(t) // skips where servers cannot be started
	dir, err := rootfs()
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv("LAUNCHER_TEST_COMMAND", what)
	parent := t.TempDir()
	code, launchErr := launch(ctx, options{rootfs: dir, entry: "/bin/entry", dir: parent, command: []string{self}})
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Empty(t, left, "nothing stays behind")
	return code, launchErr
}

// testCommand is what the test program does when it runs as the command.
func testCommand() int {
	switch os.Getenv("LAUNCHER_TEST_COMMAND") {
	case "ping":
		socket, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://")
		if !ok || os.Getenv("COMPLEMENT_BASE_IMAGE") != imageName {
			return 1
		}
		c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}
		resp, err := c.Get("http://docker/_ping")
		if err != nil || resp.StatusCode != 200 {
			return 1
		}
		return 42
	case "wait":
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM)
		syscall.Kill(os.Getppid(), syscall.SIGUSR1)
		<-end
		return 43
	case "die":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return 1
}

func TestTheCommandFindsTheEngine(t *testing.T) {
	code, err := launchSelf(t, t.Context(), "ping")
	require.NoError(t, err)
	require.Equal(t, 42, code)
}

func TestARequestToEndGoesToTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := make(chan os.Signal, 1)
	signal.Notify(ready, syscall.SIGUSR1)
	defer signal.Stop(ready)
	go func() { <-ready; cancel() }()
	code, err := launchSelf(t, ctx, "wait")
	require.NoError(t, err)
	require.Equal(t, 43, code)
}

func TestACommandThatIsKilledFails(t *testing.T) {
	code, err := launchSelf(t, t.Context(), "die")
	require.ErrorContains(t, err, "killed")
	require.Equal(t, 1, code)
}

func TestAFolderWithTooLongAName(t *testing.T) {
	newTestEngine(t) // skips where servers cannot be started
	dir, err := rootfs()
	require.NoError(t, err)
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	_, err = launch(t.Context(), options{rootfs: dir, entry: "/bin/entry", dir: long, command: []string{"true"}})
	require.ErrorContains(t, err, "choose a shorter -dir")
}

func TestACommandThatDoesNotExist(t *testing.T) {
	code, err := runCommand(t.Context(), []string{filepath.Join(t.TempDir(), "none")}, nil)
	require.Error(t, err)
	require.Equal(t, 2, code)
}
