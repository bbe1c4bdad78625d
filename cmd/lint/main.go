// SPDX-License-Identifier: Apache-2.0

// Command lint checks the rules of this project that no general linter knows:
// which packages may read the clock, draw random bytes or start goroutines,
// that files have a licence header and stay short, and that no test is skipped
// silently.
//
//	go run ./cmd/lint [folder]
//
// It prints broken rules as file:line: rule: reason, and then exits with status
// 1. Lines that begin with "note" are advice and do not change the status. A
// line that must break a rule needs a comment with a reason:
//
//	start := time.Now() //house:allow clock the kernel's deadline is real time
//
// It parses files without type information, so it needs no build and is fast.
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

// run checks the files under root and returns the exit status.
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
