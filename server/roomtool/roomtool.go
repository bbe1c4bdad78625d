// SPDX-License-Identifier: Apache-2.0

// Package roomtool implements "touchstone room": room versions on the command
// line, for people who read and write specifications. It reads rooms as JSON
// lines and applies the rules of their version. All rules are in other
// packages, and it accesses only the streams that the caller passes.
package roomtool

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"touchstone.example/server/roomver"
)

// The exit codes.
const (
	ExitGood    = 0 // everything is good
	ExitFailed  = 1 // an event was rejected, or a check failed
	ExitUsage   = 2 // the command line is wrong
	ExitNoInput = 3 // the input cannot be read
)

// Streams are the input and output of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Open     func(name string) (io.ReadCloser, error) // opens files named in arguments
}

// Run runs a command and returns its exit code. args[0] is the name of the
// command.
func Run(args []string, s Streams) int {
	r := &run{Streams: s, out: bufio.NewWriter(s.Out)}
	good, err := r.dispatch(args)
	if e := r.out.Flush(); err == nil {
		err = e
	}
	switch {
	case err == nil && good, errors.Is(err, flag.ErrHelp):
		return ExitGood
	case err == nil:
		return ExitFailed
	}
	fmt.Fprintf(s.Err, "touchstone room: %s\n", printable(err.Error()))
	switch {
	case errors.As(err, new(*usageError)):
		hint := "help"
		if r.command != nil {
			hint = r.command.name + " --help"
		}
		fmt.Fprintf(s.Err, "Run \"touchstone room %s\" to see how it is used.\n", hint)
		return ExitUsage
	case errors.As(err, new(*inputError)):
		return ExitNoInput
	}
	return ExitFailed
}

// A run is one execution of a command.
type run struct {
	Streams
	out     *bufio.Writer
	command *command
	rules   *roomver.Rules // nil: to be determined from the input
	version string
	json    bool
}

// A usageError is an error of the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func (r *run) dispatch(args []string) (good bool, err error) {
	if len(args) == 0 {
		return false, usagef("say which command")
	}
	name, args := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return true, r.help(args)
	}
	c := find(name)
	if c == nil {
		return false, usagef("there is no command %q", name)
	}
	r.command = c
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	perform := c.prepare(r, fs)
	files, err := parseArgs(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		r.helpOn(c)
		return true, nil
	case err != nil:
		return false, &usageError{err.Error()}
	}
	if r.version != "" {
		var known bool
		if r.rules, known = roomver.Get(r.version); !known {
			return false, usagef("there is no room version %q: they are 1 to %s", r.version, roomver.All()[len(roomver.All())-1].Version)
		}
	}
	return perform(files)
}

// parseArgs parses flags at any position, and returns the other arguments.
func parseArgs(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		parsed := len(args) - fs.NArg()
		if fs.NArg() == 0 || parsed > 0 && args[parsed-1] == "--" {
			return append(rest, fs.Args()...), nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// readFiles reads the JSON lines of the named files one after another, or
// standard input if there are none. "-" also means standard input.
func (r *run) readFiles(files []string, each func(at position, object []byte) error) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, file := range files {
		err := r.readFile(file, func(name string, in io.Reader) error { return readObjects(name, in, each) })
		if err != nil {
			return err
		}
	}
	return nil
}

// stdin is the name of standard input in messages.
const stdin = "<stdin>"

func (r *run) readFile(file string, read func(name string, in io.Reader) error) error {
	if file == "-" {
		return read(stdin, r.In)
	}
	in, err := r.Open(file)
	if err != nil {
		return &inputError{position{file: file}, reason(err)}
	}
	defer in.Close()
	return read(file, in)
}

// reason returns an error about a file without the file name, because the
// message already has it.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// nameOf returns a name for the whole input.
func nameOf(files []string) string {
	if len(files) == 0 {
		return stdin
	}
	return strings.Join(files, ", ")
}
