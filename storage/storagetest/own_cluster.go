// SPDX-License-Identifier: Apache-2.0

//go:build linux

package storagetest

import (
	"context"
	"fmt"
	"io"
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

// A Cluster is a PostgreSQL of a test's own, which can be killed and whose disk
// can be full. What it has acknowledged survives that.
type Cluster struct {
	bin, dir string
	who      *syscall.Credential // nil: this process's own
	settings []string            // more arguments of postgres
	url      *url.URL
	cmd      *exec.Cmd
	input    io.Closer
	// NoDisk says why FillDisk does not work, empty where it does.
	NoDisk string
}

// ownWatch runs PostgreSQL for as long as its input stays open.
const ownWatch = `trap '' INT TERM
bin=$1 dir=$2
shift 2
"$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=200 \
	-c shared_buffers=64MB -c max_wal_size=128MB -c timezone=UTC "$@" 2>>"$dir/log" &
exec >&-
read -r _
kill -QUIT $!
wait $!`

// roomy is the size of the disk while it is not full.
const roomy = "8g"

// NewCluster makes and starts one, with settings of PostgreSQL such as
// "autovacuum=off". It is gone with the test. Where the machine has no
// PostgreSQL, the test is skipped and says so.
func NewCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	bin := findCluster()
	if bin == "" {
		t.Skip("NOT RUN: a PostgreSQL of the test's own needs initdb, and this machine has none")
	}
	who, err := credential()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("/tmp", "touchstone-pg-") // short, see startCluster
	require.NoError(t, err)
	c := &Cluster{bin: bin, dir: dir, who: who}
	for _, s := range settings {
		c.settings = append(c.settings, "-c", s)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+roomy); err != nil {
		c.NoDisk = fmt.Sprintf("a disk of its own for PostgreSQL needs the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		c.Kill(t)
		if c.NoDisk == "" {
			require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH))
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	if who != nil {
		require.NoError(t, os.Chown(dir, int(who.Uid), int(who.Gid)))
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", dir+"/data", "-U", "touchstone",
		"--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = c.attributes(), dir
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, string(out))
	c.url = &url.URL{Scheme: "postgres", User: url.User("touchstone"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	c.Start(t)
	return c
}

func (c *Cluster) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: c.who, Setpgid: true}
}

// URL is that of its database.
func (c *Cluster) URL() string { return c.url.String() }

// Start starts it and waits until it answers.
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	// One whose predecessor's processes have not all ended yet gives up at once.
	for try := 0; !c.start(t); try++ {
		log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
		require.Less(t, try, 100, "PostgreSQL does not start: %s", log[max(0, len(log)-3000):])
	}
}

// start returns false when PostgreSQL has ended before it answered.
func (c *Cluster) start(t testing.TB) bool {
	c.cmd = exec.Command("/bin/sh", append([]string{"-c", ownWatch, "sh", c.bin, c.dir}, c.settings...)...)
	c.cmd.SysProcAttr, c.cmd.Dir = c.attributes(), c.dir
	input, err := c.cmd.StdinPipe()
	require.NoError(t, err)
	output, err := c.cmd.StdoutPipe() // ends with PostgreSQL
	require.NoError(t, err)
	c.input = input
	require.NoError(t, c.cmd.Start())
	ended, ready := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, output)
	}()
	go func() { ready <- answers(c.url) }()
	select {
	case err := <-ready:
		require.NoError(t, err)
		return true
	case <-ended:
		c.input.Close()
		_ = c.cmd.Wait() // its status says nothing more
		return false
	}
}

// Kill ends all its processes with no time to tidy up.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	for _, pid := range c.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // or it has ended by itself
	}
	c.input.Close()
	_ = c.cmd.Wait()
}

// processes are the ids of PostgreSQL's main process and, after it, of its
// children, each of which leads a group of its own.
func (c *Cluster) processes() (pids []int) {
	text, err := os.ReadFile(filepath.Join(c.dir, "data", "postmaster.pid"))
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(text), "\n")
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%s/task/%[1]s/children", first))
	for _, field := range append([]string{first}, strings.Fields(string(children))...) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// FillDisk leaves no room on its disk.
func (c *Cluster) FillDisk(t testing.TB) {
	t.Helper()
	var st syscall.Statfs_t
	require.NoError(t, syscall.Statfs(c.dir, &st))
	used := (st.Blocks - st.Bfree) * uint64(st.Bsize)
	c.resize(t, fmt.Sprint(used+uint64(4*st.Bsize)))
}

// FreeDisk takes FillDisk back. Where PostgreSQL could not write its log of
// changes it has ended meanwhile: then it is started again.
func (c *Cluster) FreeDisk(t testing.TB) {
	t.Helper()
	c.resize(t, roomy)
	if answersWithin(c.url, 5*time.Second) == nil {
		return
	}
	c.Kill(t)
	c.Start(t)
}

func (c *Cluster) resize(t testing.TB, size string) {
	t.Helper()
	err := syscall.Mount("tmpfs", c.dir, "tmpfs", syscall.MS_REMOUNT, "size="+size)
	require.NoError(t, err)
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
