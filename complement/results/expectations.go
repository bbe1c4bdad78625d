// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An expectation is the expected result of a test, with a reason if it is not
// "pass".
type expectation struct {
	status status
	reason string
}

// expectations are those of one package: a file of lines
//
//	fail TestName/subtest  # what it waits for
type expectations struct {
	pkg     string
	heading []string // the comments at the top, kept
	tests   map[string]expectation
}

func expectationsFile(folder, pkg string) string {
	return filepath.Join(folder, filepath.Base(pkg)+".txt")
}

func readExpectations(folder, pkg string) (*expectations, error) {
	x := &expectations{pkg: pkg, tests: map[string]expectation{}}
	file := expectationsFile(folder, pkg)
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			if len(x.tests) == 0 {
				x.heading = append(x.heading, line)
			}
			continue
		}
		rest, reason, _ := strings.Cut(line, "  # ")
		word, name, ok := strings.Cut(strings.TrimSpace(rest), " ")
		if !ok || !slices.Contains([]status{pass, fail, skip}, status(word)) {
			return nil, fmt.Errorf("%s:%d: want pass, fail or skip, and a test", file, n)
		}
		if _, twice := x.tests[name]; twice {
			return nil, fmt.Errorf("%s:%d: %s stands here twice", file, n, name)
		}
		x.tests[name] = expectation{status(word), reason}
	}
	return x, lines.Err()
}

// A difference is the list of tests whose result differs from the expected one.
type difference struct {
	broken    bool
	regressed []string // expected to pass, but did not
	missing   []string // expected, but not run
	improved  []string // not expected to pass, but passed
	changed   []string // from fail to skip, or the reverse
	unknown   []string // without an expectation, and did not pass
}

func (x *expectations) compare(p *packageRun, partial bool) difference {
	d := difference{broken: p.broken()}
	for _, name := range slices.Sorted(maps.Keys(p.tests)) {
		got := p.tests[name]
		want, known := x.tests[name]
		switch {
		case !known && got != pass:
			d.unknown = append(d.unknown, string(got)+" "+name)
		case !known || got == want.status:
		case want.status == pass:
			d.regressed = append(d.regressed, string(got)+" "+name)
		case got == pass:
			d.improved = append(d.improved, name)
		default:
			d.changed = append(d.changed, fmt.Sprintf("%s, not %s: %s", got, want.status, name))
		}
	}
	if partial {
		return d
	}
	for _, name := range slices.Sorted(maps.Keys(x.tests)) {
		if _, ran := p.tests[name]; !ran && !x.underFailed(p, name) {
			d.missing = append(d.missing, name)
		}
	}
	return d
}

// underFailed reports whether a parent of this test failed, which may be why
// the test did not run.
func (x *expectations) underFailed(p *packageRun, name string) bool {
	for i, c := range name {
		if c == '/' && p.tests[name[:i]] == fail {
			return true
		}
	}
	return false
}

func (d difference) hasRegressions() bool {
	return d.broken || len(d.regressed)+len(d.missing)+len(d.unknown) > 0
}

func (d difference) print(out io.Writer) {
	for _, part := range []struct {
		title string
		names []string
	}{
		{"expected to pass", d.regressed},
		{"expected to run, and did not", d.missing},
		{"not in the expectations", d.unknown},
		{"failed otherwise than expected", d.changed},
		{"better than expected (-update writes it down)", d.improved},
	} {
		if len(part.names) == 0 {
			continue
		}
		fmt.Fprintf(out, "  %s: %d\n", part.title, len(part.names))
		for _, name := range part.names {
			fmt.Fprintf(out, "    %s\n", name)
		}
	}
}

// update returns expectations that match the run. A test that still does not
// pass keeps its reason, except for operations that it no longer waits for.
// After a partial run, the tests that did not run keep their expectations.
func (x *expectations) update(p *packageRun, partial bool) *expectations {
	next := &expectations{pkg: x.pkg, heading: x.heading, tests: map[string]expectation{}}
	if partial {
		maps.Copy(next.tests, x.tests)
	}
	for name, got := range p.tests {
		e := expectation{status: got}
		if got != pass {
			e.reason = x.tests[name].reason
			if why := p.reason(name); e.reason == "" || why != "" && strings.HasPrefix(e.reason, waits) {
				e.reason = why
			}
		}
		next.tests[name] = e
	}
	return next
}

func (x *expectations) write(folder string) error {
	var b strings.Builder
	heading := x.heading
	if len(heading) == 0 {
		heading = []string{"# What is expected of Complement's " + x.pkg + "; complement/README.md explains.", ""}
	}
	for _, line := range heading {
		b.WriteString(line + "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(x.tests)) {
		e := x.tests[name]
		fmt.Fprintf(&b, "%s %s", e.status, name)
		if e.reason != "" {
			b.WriteString("  # " + e.reason)
		}
		b.WriteString("\n")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(expectationsFile(folder, x.pkg), []byte(b.String()), 0o644)
}
