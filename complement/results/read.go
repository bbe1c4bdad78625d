// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// A status is the result of a test, in the words of go test.
type status string

const (
	pass status = "pass"
	fail status = "fail"
	skip status = "skip"
)

// A packageRun is the results of one package from one or more runs. A crash of
// a test ends the run, so the remaining tests need another run.
type packageRun struct {
	name             string // as "tests/csapi"
	tests            map[string]status
	started          map[string]int             // number of starts per test
	running          map[string]bool            // tests that were started in the last run and did not end
	calledUnfinished map[string]map[string]bool // by test: the unfinished operations that it called
	firstFailure     map[string]string          // the first failed assertion of each test
	result           status                     // result of the last run as a whole; empty if it did not end
	seconds          float64                    // total time of all runs
	output           []string                   // output outside of tests, such as compiler errors
}

// runs is packageRuns by package name.
type runs map[string]*packageRun

// An event is one line of go test -json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

func readRuns(files []string) (runs, error) {
	r := runs{}
	for _, name := range files {
		if err := r.readFile(name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r runs) readFile(name string) error {
	if name == "-" {
		return r.read(os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := r.read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r runs) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) == nil {
				r.add(e)
			} // other lines are output of programs that go test ran
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// module is the prefix of all package paths in a checkout of Complement.
const module = "github.com/matrix-org/complement/"

func (r runs) add(e event) {
	name := e.Package
	if name == "" { // a build says for which package it was: "path [path.test]"
		name, _, _ = strings.Cut(e.ImportPath, " ")
	}
	name = strings.TrimPrefix(name, module)
	if name == "" {
		return
	}
	p := r[name]
	if p == nil {
		p = &packageRun{name: name, tests: map[string]status{}, started: map[string]int{}, running: map[string]bool{}, calledUnfinished: map[string]map[string]bool{}, firstFailure: map[string]string{}}
		r[name] = p
	}
	switch e.Action {
	case "run":
		p.tests[e.Test] = fail // unless a later event says otherwise
		p.started[e.Test]++
		p.running[e.Test] = true
	case "output", "build-output":
		if e.Test == "" {
			p.output = append(p.output, e.Output)
		} else if m := unfinished.FindStringSubmatch(e.Output); m != nil {
			p.recordUnfinished(e.Test, m[1])
		} else if m := complaint.FindStringSubmatch(e.Output); m != nil && p.firstFailure[e.Test] == "" {
			p.firstFailure[e.Test] = m[1] + m[2]
		}
	case "pass", "fail", "skip":
		if e.Test != "" {
			p.tests[e.Test] = status(e.Action)
			delete(p.running, e.Test)
			return
		}
		p.result = status(e.Action)
		p.seconds += e.Elapsed
	}
}

// unfinished matches the header of our responses, as printed with
// COMPLEMENT_DEBUG, that says that an operation is not implemented yet.
var unfinished = regexp.MustCompile(`(?i)\bTouchstone-Unfinished: (\w+)`)

// complaint matches a failed assertion, which Complement prints in red.
var complaint = regexp.MustCompile(`^\s+(\w+\.go:\d+: )\x1b\[31m([^\x1b\n]{1,160})`)

func (p *packageRun) recordUnfinished(test, operation string) {
	if p.calledUnfinished[test] == nil {
		p.calledUnfinished[test] = map[string]bool{}
	}
	p.calledUnfinished[test][operation] = true
}

// waitsFor returns the unfinished operations that a test called, itself or in
// its subtests; if there are none, those that its parent tests called.
func (p *packageRun) waitsFor(test string) []string {
	found := map[string]bool{}
	for other, operations := range p.calledUnfinished {
		if other == test || strings.HasPrefix(other, test+"/") {
			maps.Copy(found, operations)
		}
	}
	for around := test; len(found) == 0 && !isTop(around); {
		around = around[:strings.LastIndexByte(around, '/')]
		maps.Copy(found, p.calledUnfinished[around])
	}
	return slices.Sorted(maps.Keys(found))
}

func (r runs) names() []string { return slices.Sorted(maps.Keys(r)) }

// attempts is how often a test must have crashed to be considered the cause.
const attempts = 2

// unfinished reports whether a test may have been interrupted by the crash of
// another.
func (p *packageRun) unfinished(test string) bool {
	_, ran := p.tests[test]
	return !ran || p.running[test] && p.started[test] < attempts
}

// broken reports whether the package did not run to its end, or failed without
// a failed test: it did not build, or exceeded its time limit.
func (p *packageRun) broken() bool {
	for test := range p.running {
		if isTop(test) && p.unfinished(test) {
			return true
		}
	}
	if p.result == pass || p.result == skip {
		return false
	}
	return p.result == "" || !slices.Contains(slices.Collect(maps.Values(p.tests)), fail)
}

func isTop(test string) bool { return !strings.Contains(test, "/") }

// count returns how many tests had this result: at the top level, and including
// subtests.
func (p *packageRun) count(s status) (top, all int) {
	for name, got := range p.tests {
		if got != s {
			continue
		}
		all++
		if isTop(name) {
			top++
		}
	}
	return top, all
}

func (p *packageRun) summary(out io.Writer) {
	topPass, allPass := p.count(pass)
	topFail, allFail := p.count(fail)
	topSkip, allSkip := p.count(skip)
	fmt.Fprintf(out, "%s: tests %d passed, %d failed, %d skipped; with subtests %d, %d, %d; %.0f s\n",
		p.name, topPass, topFail, topSkip, allPass, allFail, allSkip, p.seconds)
	if p.broken() {
		fmt.Fprintf(out, "  the package itself failed:\n")
		for _, line := range last(p.output, 30) {
			fmt.Fprintf(out, "    %s\n", strings.TrimRight(line, "\n"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.tests)) {
		s := p.tests[name]
		if s == pass {
			continue
		}
		fmt.Fprintf(out, "  %s %s", s, name)
		if p.running[name] {
			fmt.Fprint(out, " (it crashed, or another test did)")
		}
		why := p.reason(name)
		if why != "" {
			fmt.Fprint(out, "  # ", why)
		}
		fmt.Fprintln(out)
		if said := p.firstFailure[name]; said != "" && why == "" {
			fmt.Fprintf(out, "       %s\n", said)
		}
	}
}

// reason returns what a failed test waits for, as far as its output shows.
func (p *packageRun) reason(test string) string {
	operations := p.waitsFor(test)
	if p.tests[test] != fail || len(operations) == 0 {
		return ""
	}
	return waits + strings.Join(operations, ", ")
}

const waits = "waits for "

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }
