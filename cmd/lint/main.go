// SPDX-License-Identifier: Apache-2.0

// Command lint checks the house rules that no general linter knows: who may
// read the clock, draw random bytes or start goroutines, that files carry
// their licence and stay short, and that nothing is skipped in silence.
//
//	go run ./cmd/lint [folder]
//
// Broken rules are printed as file:line: rule: reason, and make it exit with
// status 1. Lines that begin with "note" are advice and change nothing. A line
// that must break a rule says so, with a reason:
//
//	start := time.Now() //house:allow clock the kernel's deadline is real time
//
// It reads syntax only, so it needs no build and takes a moment.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	quiet := flag.Bool("q", false, "print broken rules only, no notes")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: lint [-q] [folder]\n\n%s\n", describe())
		flag.PrintDefaults()
	}
	flag.Parse()
	root := "."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}
	os.Exit(run(root, *quiet, os.Stdout, os.Stderr))
}

// run checks the tree under root and returns the exit status.
func run(root string, quiet bool, out, errs io.Writer) int {
	found, err := checkTree(os.DirFS(root))
	if err != nil {
		fmt.Fprintf(errs, "lint %s: %v\n", root, err)
		return 2
	}
	broken := 0
	for _, f := range found {
		if f.Rule != ruleNote {
			broken++
		} else if quiet {
			continue
		}
		fmt.Fprintln(out, f)
	}
	if broken > 0 {
		fmt.Fprintf(errs, "lint: %d broken rules\n", broken)
		return 1
	}
	return 0
}
