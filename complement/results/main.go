// SPDX-License-Identifier: Apache-2.0

// Command results summarises the output of "go test -json" for packages of
// Complement, lists failed tests, and compares the results with the
// expectations.
//
//	go run ./complement/results run.json ...
//
// It exits with status 1 if a result is worse than expected: a test that should
// pass failed, was skipped or did not run, or a package did not build. It also
// prints results that are better than expected, with exit status 0; record them
// with -update.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	expect := flag.String("expect", "complement/expectations", "`folder` with what is expected, one file a package")
	update := flag.Bool("update", false, "write what happened as what is expected; reasons are kept")
	partial := flag.Bool("partial", false, "not every test was run (go test -run), so none is missed")
	remaining := flag.String("remaining", "", "only print, as a pattern for go test -run, which tests of those listed in this `file` did not end")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "usage: results [flags] FILE...\n\nFILE is the output of go test -json, - the standard input.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *remaining != "" {
		if err := printRemaining(os.Stdout, *remaining, flag.Args()); err != nil {
			fmt.Fprintln(os.Stderr, "results:", err)
			os.Exit(2)
		}
		return
	}
	worse, err := run(os.Stdout, *expect, *update, *partial, flag.Args())
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(2)
	case worse:
		os.Exit(1)
	}
}

// run reports on the files. worse is true if something is worse than expected.
func run(out io.Writer, expect string, update, partial bool, files []string) (worse bool, err error) {
	seen, err := readRuns(files)
	if err != nil {
		return false, err
	}
	for _, pkg := range seen.names() {
		p := seen[pkg]
		want, err := readExpectations(expect, pkg)
		if err != nil {
			return false, err
		}
		p.summary(out)
		diff := want.compare(p, partial)
		diff.print(out)
		worse = worse || diff.hasRegressions()
		if !update {
			continue
		}
		if p.broken() {
			return true, fmt.Errorf("%s did not run to its end: nothing is written", pkg)
		}
		if err := want.update(p, partial).write(expect); err != nil {
			return false, err
		}
	}
	return worse && !update, nil
}

// printRemaining prints a pattern for the tests that have not run yet, or
// nothing. list is the output of go test -list for the single package of files.
func printRemaining(out io.Writer, list string, files []string) error {
	seen, err := readRuns(files)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	var left []string
	for _, test := range strings.Fields(string(text)) {
		if !strings.HasPrefix(test, "Test") {
			continue
		}
		for _, p := range seen {
			if p.unfinished(test) {
				left = append(left, test)
			}
		}
	}
	if len(left) > 0 {
		fmt.Fprintf(out, "^(%s)$\n", strings.Join(left, "|"))
	}
	return nil
}
