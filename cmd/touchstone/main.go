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

	_ "golang.org/x/crypto/x509roots/fallback" // embeds certificate authorities, for images without them
)

// about says what each subcommand does.
var about = [][2]string{
	{"serve", "run the server (the default)"},
	{"check-config", "check the settings, print every problem and exit"},
	{"generate-config", "print a settings file in which every setting is explained"},
	{"register-user", "create an account on a running server"},
	{"health", "check whether a running server is healthy"},
	{"room", "check, resolve and draw rooms given as JSON lines"},
	{"version", "print the version of this program"},
	{"help", "print this help, or that of a command"},
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

// run dispatches to a subcommand. The exit statuses are 0 for success, 1 for
// failure and 2 for a wrong command line; "room" has more.
func run(ctx context.Context, args []string) int {
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && isHelp(args[0]) {
		name, args = "help", nil
	}
	if name == "help" {
		if len(args) == 0 || args[0] == "help" {
			usage(os.Stdout)
			return 0
		}
		name, args = args[0], []string{"--help"}
	}
	command, ok := commands[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "touchstone: unknown command %q\n\n", name)
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
	case errors.As(err, new(missingFlag)):
		fmt.Fprintf(os.Stderr, "touchstone %s: %s\nRun \"touchstone help %s\" for its flags.\n", name, err, name)
		return 2
	}
	fmt.Fprintf(os.Stderr, "touchstone %s: %s\n", name, err)
	return 1
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// A usageError has already been printed.
type usageError struct{ error }

// A missingFlag is a required flag that is not on the command line.
type missingFlag string

func (f missingFlag) Error() string { return "missing required flag --" + string(f) }

// An exitCode is the exit status of a subcommand that has printed its own messages.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func usage(w io.Writer) {
	fmt.Fprint(w, "Touchstone is a Matrix homeserver.\n\nUsage: touchstone [command] [flags]\n\nCommands:\n")
	for _, c := range about {
		fmt.Fprintf(w, "  %-16s %s\n", c[0], c[1])
	}
	fmt.Fprint(w, "\nRun \"touchstone help COMMAND\" for the flags of a command.\n")
}

// flags returns the flag set of a subcommand.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(os.Stderr)
	fs.Usage = func() {
		i := slices.IndexFunc(about, func(c [2]string) bool { return c[0] == name })
		fmt.Fprintf(fs.Output(), "touchstone %s: %s\n\nFlags:\n", name, about[i][1])
		fs.PrintDefaults()
	}
	return fs
}

func parse(fs *flag.FlagSet, args []string) error {
	if slices.ContainsFunc(args, isHelp) {
		fs.SetOutput(os.Stdout) // help was requested: no error
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err}
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(fs.Output(), "touchstone %s: unexpected argument %q\n", fs.Name(), fs.Arg(0))
		return usageError{errors.New("argument")}
	}
	return nil
}
