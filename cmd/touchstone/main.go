// SPDX-License-Identifier: Apache-2.0

// Command touchstone is a Matrix homeserver. Without a subcommand it serves.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // certificate authorities for images that have none
)

// about says what each subcommand does.
var about = [][2]string{
	{"serve", "serve clients and other servers (the default)"},
	{"check-config", "read the settings, say what is wrong with them and exit"},
	{"generate-config", "print a settings file with every setting explained"},
	{"register-user", "make an account on a running server"},
	{"health", "ask a running server whether it is well"},
	{"room", "judge, resolve and draw rooms, for authors of specifications"},
	{"version", "print what program this is"},
}

var commands = map[string]func(ctx context.Context, args []string) error{
	"serve": serve, "check-config": checkConfig, "generate-config": generateConfig,
	"register-user": registerUser, "health": health, "version": version, "room": room,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:]))
}

// run dispatches to a subcommand. The exit codes are 0 for success, 1 for
// failure and 2 for a command line that makes no sense; "room" has more.
func run(ctx context.Context, args []string) int {
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		name = "help"
	}
	if name == "help" {
		usage(os.Stdout)
		return 0
	}
	command, ok := commands[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "touchstone: there is no command %q\n\n", name)
		usage(os.Stderr)
		return 2
	}
	err := command(ctx, args)
	var code exitCode
	switch {
	case errors.As(err, &code):
		return int(code)
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		return 2
	}
	fmt.Fprintf(os.Stderr, "touchstone %s: %s\n", name, err)
	return 1
}

// A usageError was already explained on the terminal.
type usageError struct{ error }

// An exitCode is that of a subcommand which has said all itself.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func usage(w io.Writer) {
	fmt.Fprint(w, "Touchstone is a Matrix homeserver.\n\nUsage: touchstone [command] [flags]\n\nCommands:\n")
	for _, c := range about {
		fmt.Fprintf(w, "  %-16s %s\n", c[0], c[1])
	}
	fmt.Fprint(w, "\nRun \"touchstone COMMAND -h\" for a command's flags.\n")
}

// flags returns the flag set of a subcommand.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.Usage = func() {
		i := slices.IndexFunc(about, func(c [2]string) bool { return c[0] == name })
		fmt.Fprintf(fs.Output(), "touchstone %s: %s\n\nFlags:\n", name, about[i][1])
		fs.PrintDefaults()
	}
	return fs
}

func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err}
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(fs.Output(), "touchstone %s: %q is not a flag\n", fs.Name(), fs.Arg(0))
		return usageError{errors.New("argument")}
	}
	return nil
}
