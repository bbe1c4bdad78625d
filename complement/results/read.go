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

// A status is how a test ended, in the words of go test.
type status string

const (
	pass status = "pass"
	fail status = "fail"
	skip status = "skip"
)

// A packageRun is what happened in one package, in one run or in several: a
// test that crashes takes the whole run with it, and the rest runs again.
type packageRun struct {
	name    string // as "tests/csapi"
	tests   map[string]status
	started map[string]int             // how often
	open    map[string]bool            // started last time, and did not end
	met     map[string]map[string]bool // unfinished operations by the test that called them
	said    map[string]string          // the first complaint of each test
	ended   status                     // of the last run as a whole, empty if it never ended
	seconds float64                    // of all runs
	output  []string                   // what belongs to no test, such as the compiler's errors
}

// runs are packages by name.
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
			} // else a line of something that go test ran
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// module is what the packages of a checkout have before their folder.
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
		p = &packageRun{name: name, tests: map[string]status{}, started: map[string]int{}, open: map[string]bool{}, met: map[string]map[string]bool{}, said: map[string]string{}}
		r[name] = p
	}
	switch e.Action {
	case "run":
		p.tests[e.Test] = fail // unless it ends otherwise
		p.started[e.Test]++
		p.open[e.Test] = true
	case "output", "build-output":
		if e.Test == "" {
			p.output = append(p.output, e.Output)
		} else if m := unfinished.FindStringSubmatch(e.Output); m != nil {
			p.meet(e.Test, m[1])
		} else if m := complaint.FindStringSubmatch(e.Output); m != nil && p.said[e.Test] == "" {
			p.said[e.Test] = m[1] + m[2]
		}
	case "pass", "fail", "skip":
		if e.Test != "" {
			p.tests[e.Test] = status(e.Action)
			delete(p.open, e.Test)
			return
		}
		p.ended = status(e.Action)
		p.seconds += e.Elapsed
	}
}

// unfinished is a header of our answers that COMPLEMENT_DEBUG prints: the
// operation is not written yet.
var unfinished = regexp.MustCompile(`(?i)\bTouchstone-Unfinished: (\w+)`)

// complaint is how Complement prints a failed assertion: in red.
var complaint = regexp.MustCompile(`^\s+(\w+\.go:\d+: )\x1b\[31m([^\x1b\n]{1,160})`)

func (p *packageRun) meet(test, operation string) {
	if p.met[test] == nil {
		p.met[test] = map[string]bool{}
	}
	p.met[test][operation] = true
}

// waitsFor names the unfinished operations that a test called, itself or in its
// subtests, or else those of the tests around it, which prepared it.
func (p *packageRun) waitsFor(test string) []string {
	found := map[string]bool{}
	for other, operations := range p.met {
		if other == test || strings.HasPrefix(other, test+"/") {
			maps.Copy(found, operations)
		}
	}
	for around := test; len(found) == 0 && !isTop(around); {
		around = around[:strings.LastIndexByte(around, '/')]
		maps.Copy(found, p.met[around])
	}
	return slices.Sorted(maps.Keys(found))
}

func (r runs) names() []string { return slices.Sorted(maps.Keys(r)) }

// attempts is how often a test is started before its crash is believed to be
// its own.
const attempts = 2

// unfinished reports whether a test may have been cut off by the crash of
// another.
func (p *packageRun) unfinished(test string) bool {
	_, ran := p.tests[test]
	return !ran || p.open[test] && p.started[test] < attempts
}

// broken reports whether the package did not run to its end, or failed without
// a test that did: it did not build, or ran out of time.
func (p *packageRun) broken() bool {
	for test := range p.open {
		if isTop(test) && p.unfinished(test) {
			return true
		}
	}
	if p.ended == pass || p.ended == skip {
		return false
	}
	return p.ended == "" || !slices.Contains(slices.Collect(maps.Values(p.tests)), fail)
}

func isTop(test string) bool { return !strings.Contains(test, "/") }

// count returns how many tests ended so, of the top level and in all.
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
		if p.open[name] {
			fmt.Fprint(out, " (it crashed, or another test did)")
		}
		why := p.reason(name)
		if why != "" {
			fmt.Fprint(out, "  # ", why)
		}
		fmt.Fprintln(out)
		if said := p.said[name]; said != "" && why == "" {
			fmt.Fprintf(out, "       %s\n", said)
		}
	}
}

// reason says what a failed test waits for, as far as its output tells.
func (p *packageRun) reason(test string) string {
	operations := p.waitsFor(test)
	if p.tests[test] != fail || len(operations) == 0 {
		return ""
	}
	return waits + strings.Join(operations, ", ")
}

const waits = "waits for "

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }
