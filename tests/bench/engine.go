// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"touchstone.example/tests/comparebench"
)

// The room engine is measured by the benchmarks of its packages, because
// gomatrixserverlib may be linked only into tests.
const enginePart = "engine"

var enginePackages = []string{"./server/stateres", "./server/eventauth", "./server/event", "./api/canonjson"}

// A pair is one operation measured in both implementations.
type pair struct {
	What   string `json:"what"`
	Ours   *cost  `json:"ours"`
	Theirs *cost  `json:"gomatrixserverlib,omitempty"`
}

// A cost is the cost of one operation.
type cost struct {
	NS     float64 `json:"ns"`
	Bytes  int64   `json:"bytes"`
	Allocs int64   `json:"allocs"`
}

// rounds is how often all benchmarks run. We use the fastest round of each,
// because other load on the machine has affected it the least.
const rounds = 3

func measurePairs(t *benchTB) []pair {
	var text strings.Builder
	for range rounds {
		args := append([]string{"test", "-count", "1", "-p", "1", "-run", "^$", "-bench", "^BenchmarkCompare$", "-benchtime", "300ms"}, enginePackages...)
		cmd := exec.CommandContext(t.ctx, "go", args...)
		cmd.Stderr = os.Stderr
		cmd.Stdout = &text
		if err := cmd.Run(); err != nil {
			t.Errorf("%s%v", &text, err)
		}
	}
	pairs, err := readPairs(strings.NewReader(text.String()))
	t.must(err)
	return pairs
}

var compareLine = regexp.MustCompile(`^BenchmarkCompare/(.+)/(` + comparebench.Ours + `|` + comparebench.Theirs + `)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op\s+(\d+) B/op\s+(\d+) allocs/op`)

// readPairs parses the output of go test.
func readPairs(r io.Reader) ([]pair, error) {
	var pairs []pair
	at := map[string]int{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		m := compareLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		what := strings.ReplaceAll(m[1], "_", " ")
		i, ok := at[what]
		if !ok {
			i = len(pairs)
			at[what] = i
			pairs = append(pairs, pair{What: what})
		}
		c, err := costOf(m[3], m[4], m[5])
		if err != nil {
			return nil, err
		}
		of := &pairs[i].Ours
		if m[2] == comparebench.Theirs {
			of = &pairs[i].Theirs
		}
		if *of == nil || c.NS < (*of).NS {
			*of = c
		}
	}
	return pairs, lines.Err()
}

func costOf(ns, bytes, allocs string) (c *cost, err error) {
	c = &cost{}
	if c.NS, err = strconv.ParseFloat(ns, 64); err != nil {
		return nil, err
	}
	if c.Bytes, err = strconv.ParseInt(bytes, 10, 64); err != nil {
		return nil, err
	}
	c.Allocs, err = strconv.ParseInt(allocs, 10, 64)
	return c, err
}

// writePairs writes the table. It marks pairs that miss the aim: three times as
// fast with a third of the allocations.
func writePairs(w io.Writer, pairs []pair) {
	if len(pairs) == 0 {
		return
	}
	fmt.Fprintf(w, "\nROOM ENGINE\tOURS\t%s\tFASTER\tALLOCATIONS\t%s\tFEWER\n", comparebench.Theirs, comparebench.Theirs)
	for _, p := range pairs {
		if p.Ours == nil {
			continue
		}
		if p.Theirs == nil {
			fmt.Fprintf(w, "%s\t%s\t\t\t%d\t\t\n", p.What, p.Ours.time(), p.Ours.Allocs)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", p.What, p.Ours.time(), p.Theirs.time(), times(p.Theirs.NS, p.Ours.NS),
			p.Ours.Allocs, p.Theirs.Allocs, times(float64(p.Theirs.Allocs), float64(p.Ours.Allocs)))
	}
	fmt.Fprintf(w, "\nThe aim is 3 times, in both; < marks where it is missed. The fastest of %d rounds counts.\n", rounds)
}

func (c *cost) time() string {
	d := time.Duration(c.NS)
	switch {
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", c.NS/1e6)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", c.NS/1e6)
	case d >= 10*time.Microsecond:
		return fmt.Sprintf("%.0f µs", c.NS/1e3)
	}
	return fmt.Sprintf("%.1f µs", c.NS/1e3)
}

// times formats the ratio of two values.
func times(theirs, ours float64) string {
	switch ratio := theirs / max(ours, 1); {
	case ratio < 3:
		return fmt.Sprintf("%.1f <", ratio)
	case ratio < 10:
		return fmt.Sprintf("%.1f", ratio)
	default:
		return fmt.Sprintf("%.0f", ratio)
	}
}
