// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command launcher runs a command, usually go test in a checkout of Complement,
// with DOCKER_HOST set to an imitation of the Docker Engine API. It starts
// homeservers as plain processes on loopback addresses instead of containers,
// so that Complement runs unchanged on machines without Docker, and about twice
// as fast.
//
//	launcher -rootfs DIR -- go test ./tests/csapi
//
// The file system of a server is a copy of the image, in which the server runs
// by chroot. Each network is a separate /24 in 127.64.0.0/10, in which hs1 has
// address .2, hs2 .3 and so on; the names are in /etc/hosts of each server.
// Parts of the API that Complement does not use return an error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: launcher -rootfs DIR [flags] -- COMMAND [ARG ...]

Runs COMMAND with DOCKER_HOST set to an imitation of the Docker Engine API that
starts homeservers as plain processes on loopback addresses, and with
COMPLEMENT_BASE_IMAGE set to the image whose files are in DIR. Exits as COMMAND
does.

DIR is the unpacked root of a FROM scratch image. The program in it must be
statically linked, and must heed these variables:
  SERVER_NAME    the server's name, set by Complement
  BIND_ADDRESS   the only address to listen on, ports 8008 (HTTP) and 8448 (HTTPS)
It finds /complement/ca, /complement/appservice and a lasting /data as it would
in a container.

Needs Linux; root, or a kernel that lets users make user namespaces; and that no
other program listens on ports 8008 or 8448 of all addresses.

Flags:
`

// options are the options of the command line.
type options struct {
	rootfs  string
	entry   string
	dir     string
	keep    bool
	command []string
}

func main() {
	opts, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "launcher:", err)
		os.Exit(2)
	}
	// A terminal sends its interrupt to the command as well. The command then
	// ends, and the launcher after it.
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	code, err := launch(ctx, opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "launcher:", err)
	}
	stop()
	os.Exit(code)
}

func parse(args []string, out io.Writer) (options, error) {
	var opts options
	fs := flag.NewFlagSet("launcher", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&opts.rootfs, "rootfs", "", "folder with the files of the image (`DIR`)")
	fs.StringVar(&opts.entry, "entry", "/bin/entry", "the `program` of the image, as a path inside it")
	fs.StringVar(&opts.dir, "dir", "", "`folder` for the servers' files, best on the file system of -rootfs (default: a temporary one)")
	fs.BoolVar(&opts.keep, "keep", false, "keep the servers' files and logs, and say where")
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return opts, err
	}
	opts.command = fs.Args()
	if opts.rootfs == "" {
		return opts, errors.New("-rootfs is missing; -h explains")
	}
	if len(opts.command) == 0 {
		return opts, errors.New("there is no command after the flags; -h explains")
	}
	return opts, nil
}
