// SPDX-License-Identifier: Apache-2.0

//go:build unix

package storagetest

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// A Cluster is a PostgreSQL for one test alone, which the test may kill. What
// it has answered is on the disk, and what it need not write yet it writes late,
// so that a crash loses as much as ever it may.
type Cluster struct {
	bin, dir string
	who      *syscall.Credential
	server   *exec.Cmd
}

// NewCluster makes a cluster and starts it; it is gone with the test. Where
// there is no initdb the test is skipped, saying so.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	bin := findCluster()
	if bin == "" {
		t.Skip("NOT RUN: a test that kills PostgreSQL needs initdb on this machine")
	}
	who, err := credential()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("/tmp", "touchstone-pg-")
	require.NoError(t, err)
	c := &Cluster{bin: bin, dir: dir, who: who}
	if who != nil {
		require.NoError(t, os.Chown(dir, int(who.Uid), int(who.Gid)))
	}
	out, err := c.command("initdb", "-D", dir+"/data", "-U", "touchstone", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", out)
	c.Start(t)
	t.Cleanup(func() {
		c.Kill(t)
		require.NoError(t, os.RemoveAll(dir))
	})
	return c
}

func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr = c.dir, &syscall.SysProcAttr{Credential: c.who, Setpgid: true}
	return cmd
}

// URL names the cluster's database.
func (c *Cluster) URL() string {
	u := url.URL{Scheme: "postgres", User: url.User("touchstone"), Path: "/postgres", RawQuery: url.Values{"host": {c.dir}}.Encode()}
	return u.String()
}

// Start starts the cluster and waits until it answers: after a crash it may
// refuse for as long as processes of before are there.
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ended := make(chan error, 1)
	start := func() {
		c.server = c.command("postgres", "-D", c.dir+"/data", "-k", c.dir, "-c", "listen_addresses=",
			"-c", "wal_writer_delay=10s", "-c", "autovacuum=off", "-c", "max_connections=200", "-c", "timezone=UTC")
		require.NoError(t, c.server.Start())
		server := c.server
		go func() { ended <- server.Wait() }()
	}
	for start(); ; {
		conn, err := pgx.Connect(ctx, c.URL())
		if err == nil {
			require.NoError(t, conn.Close(ctx))
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.NoError(t, err)
		}
		select {
		case <-ended:
			start()
		default:
		}
	}
}

// Kill ends PostgreSQL as a machine that loses its power would, but for what the
// operating system has in its buffers.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	pid := c.server.Process.Pid
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	require.NoError(t, err)
	_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(fields[0])
			require.NoError(t, err)
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
	}
}

// Promote makes the cluster a standby and promotes it, so that it goes on in a
// timeline of its own, as one that took over from another.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	c.Kill(t)
	require.NoError(t, os.WriteFile(c.dir+"/data/standby.signal", nil, 0o600))
	if c.who != nil {
		require.NoError(t, os.Chown(c.dir+"/data/standby.signal", int(c.who.Uid), int(c.who.Gid)))
	}
	c.Start(t)
	conn, err := pgx.Connect(t.Context(), c.URL())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var promoted bool
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT pg_promote()`).Scan(&promoted))
	require.True(t, promoted)
}
