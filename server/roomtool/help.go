// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"flag"
	"fmt"
	"slices"
)

// A command is a subcommand of "touchstone room".
type command struct {
	name    string
	args    string
	summary string
	text    string // its description, printed by help
	// examples are command lines with a description; tests run them all.
	examples [][2]string
	// prepare declares the flags and returns the function that runs the command
	// with the other arguments. That function reports whether everything was
	// good.
	prepare func(r *run, fs *flag.FlagSet) func(args []string) (bool, error)
}

// commands returns all commands, in the order in which help lists them.
func commands() []*command {
	return []*command{
		&checkCommand, &resolveCommand, &graphCommand, &hashCommand, &redactCommand, &signCommand, &verifyCommand, &buildCommand,
	}
}

func find(name string) *command {
	all := commands()
	i := slices.IndexFunc(all, func(c *command) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}

const exitCodes = `Exit codes:
  0  everything is good
  1  an event was rejected, or a check failed
  2  the command line is wrong
  3  the input cannot be read; the message names file and line
`

func (r *run) help(args []string) error {
	if len(args) > 0 {
		c := find(args[0])
		if c == nil {
			return usagef("there is no command %q", args[0])
		}
		r.helpOn(c)
		return nil
	}
	fmt.Fprint(r.out, "The room engine for people who read and write specifications.\n\n",
		"Usage: touchstone room COMMAND [flags] [file ...]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(r.out, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprintf(r.out, "  %-8s %s\n\n", "help", "say more about a command")
	fmt.Fprint(r.out, "Events are read as JSON lines: one event in the federation format (PDU) a line,\n",
		"from the files, or from standard input if there are none.\n\n", exitCodes)
	return nil
}

func (r *run) helpOn(c *command) {
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.prepare(&run{}, fs)
	fmt.Fprintf(r.out, "touchstone room %s: %s\n\nUsage: touchstone room %s [flags] %s\n\n%s\n\n", c.name, c.summary, c.name, c.args, c.text)
	fmt.Fprint(r.out, "Flags:\n")
	fs.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		if value != "" {
			value = " " + value
		}
		fmt.Fprintf(r.out, "  --%-22s %s\n", f.Name+value, usage)
	})
	fmt.Fprint(r.out, "\nExamples:\n")
	for _, e := range c.examples {
		fmt.Fprintf(r.out, "  # %s\n  %s\n", e[1], e[0])
	}
	fmt.Fprint(r.out, "\n", exitCodes)
}

// flagVersion declares --room-version.
func (r *run) flagVersion(fs *flag.FlagSet) {
	fs.StringVar(&r.version, "room-version", "", "the room `VERSION` (default: what the create event says)")
}

// flagJSON declares --json.
func (r *run) flagJSON(fs *flag.FlagSet) {
	fs.BoolVar(&r.json, "json", false, "write JSON")
}
