// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
)

// coverage is what TestOperations saw of each operation.
type coverage struct{ rows []coverageRow }

type coverageRow struct {
	op     *api.Operation
	state  string
	failed bool
}

func (cov *coverage) add(op *api.Operation, state string, failed bool) {
	cov.rows = append(cov.rows, coverageRow{op, state, failed})
}

// A coverageFile is one spec file's row of the table.
type coverageFile struct {
	api, file             string
	served, total, failed int
	missing               []string
}

func (cov *coverage) files() []coverageFile {
	var files []coverageFile
	for _, r := range cov.rows {
		if n := len(files); n == 0 || files[n-1].api != r.op.API || files[n-1].file != r.op.File {
			files = append(files, coverageFile{api: r.op.API, file: r.op.File})
		}
		f := &files[len(files)-1]
		f.total++
		switch {
		case r.failed:
			f.failed++
		case r.state == stateServed:
			f.served++
			continue
		}
		f.missing = append(f.missing, r.op.ID)
	}
	return files
}

// text is the table for a terminal.
func (cov *coverage) text() string {
	var b strings.Builder
	counts := map[string]int{}
	for _, r := range cov.rows {
		state := r.state
		if r.failed {
			state = "FAILED"
		}
		counts[state]++
		fmt.Fprintf(&b, "%-12s %-10s %-6s %s (%s)\n", state, r.op.API, r.op.Method, r.op.Path, r.op.ID)
	}
	fmt.Fprintf(&b, "%d operations: %d served, %d UNFINISHED, %d not reached, %d FAILED\n", len(cov.rows),
		counts[stateServed], counts[stateUnfinished], counts[stateUnreached], counts["FAILED"])
	return b.String()
}

// markdown is the table in the README.
func (cov *coverage) markdown() string {
	var b strings.Builder
	names := map[string]string{"clientapi": "client-server", "fedapi": "server-server"}
	total := coverageFile{}
	b.WriteString("\n| API | spec file | served | of | not yet |\n|---|---|--:|--:|---|\n")
	for _, f := range cov.files() {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s |\n", names[f.api], f.file, f.served, f.total, strings.Join(f.missing, ", "))
		total.served += f.served
		total.total += f.total
	}
	return fmt.Sprintf("**%d of %d** operations are served.\n\n<details>\n<summary>By file of the specification</summary>\n%s\n</details>\n",
		total.served, total.total, b.String())
}

const (
	coverageBegin = "<!-- coverage: made by TestOperations -->\n"
	coverageEnd   = "<!-- coverage ends -->\n"
)

// between puts a table between the marks of a text, or at its end, marks
// included, where it has none.
func between(text, table string) string {
	before, rest, marked := strings.Cut(text, coverageBegin)
	_, after, closed := strings.Cut(rest, coverageEnd)
	if !marked || !closed {
		before, after = text, ""
	}
	return before + coverageBegin + table + coverageEnd + after
}

func TestCoverageTable(t *testing.T) {
	cov := &coverage{}
	file := func(name, id, state string, failed bool) {
		cov.add(&api.Operation{API: "clientapi", File: name, ID: id, Method: "GET", Path: "/" + id}, state, failed)
	}
	file("sync", "sync", stateServed, false)
	file("rooms", "a", stateServed, false)
	file("rooms", "b", stateUnfinished, false)
	file("rooms", "c", stateServed, true)
	table := cov.markdown()
	require.Contains(t, table, "| client-server | sync | 1 | 1 |  |\n")
	require.Contains(t, table, "| client-server | rooms | 1 | 3 | b, c |\n")
	require.Contains(t, table, "**2 of 4** operations are served.\n")
	require.Contains(t, cov.text(), "4 operations: 2 served, 1 UNFINISHED, 0 not reached, 1 FAILED")

	once := between("before\n", "old\n") + "after\n"
	require.Equal(t, "before\n"+coverageBegin+"new\n"+coverageEnd+"after\n", between(once, "new\n"))
}
