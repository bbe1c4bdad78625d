// SPDX-License-Identifier: Apache-2.0

//go:build unix

package storagetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// findCluster looks for the folder of initdb: in PATH, then where Debian, the
// PostgreSQL project's packages and Homebrew put it, newest version first.
func findCluster() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin/initdb",
		"/usr/pgsql-*/bin/initdb",
		"/opt/homebrew/opt/postgresql@*/bin/initdb",
		"/usr/local/opt/postgresql@*/bin/initdb",
	} {
		paths, err := filepath.Glob(pattern)
		if err == nil {
			found = append(found, paths...)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// watch runs PostgreSQL for as long as its input stays open, and then removes
// the folder: however the test process ends, its end of that pipe closes.
const watch = `trap '' INT TERM
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
	-c synchronous_commit=off -c max_connections=400 -c shared_buffers=64MB -c timezone=UTC >"$2/log" 2>&1 &
read -r _
kill -QUIT $!
wait $!
rm -rf "$2"`

// startCluster makes a cluster in a temporary folder and starts it on a unix
// socket there, as another user when we are root, since PostgreSQL refuses that.
func startCluster(bin string) (*url.URL, error) {
	who, err := credential()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "touchstone-pg-") // short: a socket's path has 107 bytes at most
	if err != nil {
		return nil, err
	}
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, err
		}
	}
	attr := func() *syscall.SysProcAttr { return &syscall.SysProcAttr{Credential: who, Setpgid: true} }
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", dir+"/data", "-U", "touchstone",
		"--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr(), dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", initdb, err, out)
	}
	server := exec.Command("/bin/sh", "-c", watch, "sh", bin, dir)
	server.SysProcAttr, server.Dir = attr(), dir
	if err := startForLife(server); err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: "postgres", User: url.User("touchstone"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	return u, answers(u)
}

// answers waits until the server takes connections.
func answers(u *url.URL) error { return answersWithin(u, time.Minute) }

func answersWithin(u *url.URL, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, u.String())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
	}
}

// credential is nil unless we are root: then it is somebody else's.
func credential() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("running as root, and neither a user postgres nor nobody to run PostgreSQL as")
}
