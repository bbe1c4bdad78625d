// SPDX-License-Identifier: Apache-2.0

//go:build linux

package storagetest

import (
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

	"github.com/stretchr/testify/require"
)

// A Cluster is a PostgreSQL of a test's own, which can be killed and whose disk
// can be full. What it has acknowledged survives that.
type Cluster struct {
	bin, dir string
	url      *url.URL
	attr     func() *syscall.SysProcAttr
	cmd      *exec.Cmd
	input    io.Closer
	// NoDisk says why FillDisk does not work, empty where it does.
	NoDisk string
}

// ownWatch runs PostgreSQL for as long as its input stays open.
const ownWatch = `trap '' INT TERM
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 \
	-c shared_buffers=64MB -c max_wal_size=128MB -c timezone=UTC 2>>"$2/log" &
exec >&-
read -r _
kill -QUIT $!
wait $!`

// roomy is the size of the disk while it is not full.
const roomy = "8g"

// OwnCluster makes and starts one. Where the machine has no PostgreSQL, the test
// is skipped and says so.
func OwnCluster(t testing.TB) *Cluster {
	bin := findCluster()
	if bin == "" {
		t.Skip("NOT RUN: a PostgreSQL of the test's own needs initdb, and this machine has none")
	}
	who, err := credential()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("/tmp", "touchstone-pg-") // short, see startCluster
	require.NoError(t, err)
	c := &Cluster{bin: bin, dir: dir, attr: func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: who, Setpgid: true}
	}}
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
	initdb.SysProcAttr, initdb.Dir = c.attr(), dir
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, string(out))
	c.url = &url.URL{Scheme: "postgres", User: url.User("touchstone"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	c.Start(t)
	return c
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
	c.cmd = exec.Command("/bin/sh", "-c", ownWatch, "sh", c.bin, c.dir)
	c.cmd.SysProcAttr, c.cmd.Dir = c.attr(), c.dir
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
