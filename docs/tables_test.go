// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/config"
	"touchstone.example/server/strict"
)

var update = flag.Bool("update", false, "rewrite the tables that are made from the code")

// TestStrictnessTable compares the table of rules with the rules.
//
//	go test ./docs -run TestStrictnessTable -update
func TestStrictnessTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("| rule | what it says | strict | lenient | synapse |\n|---|---|---|---|---|\n")
	for _, r := range strict.Rules() {
		fmt.Fprintf(&b, "| [%s](%s) | %s | %s | %s | %s |\n", r.ID, r.Link(), r.Says, r.Strict, r.Lenient, r.Synapse)
	}
	between(t, "docs/strictness.md", "rules", b.String())

	b.Reset()
	b.WriteString("| rule | what it says |\n|---|---|\n")
	for _, r := range strict.DecoderRules() {
		fmt.Fprintf(&b, "| [%s](%s) | %s |\n", r.ID, r.Link(), r.Says)
	}
	between(t, "docs/strictness.md", "decoders", b.String())

	b.Reset()
	b.WriteString("| code | expects | departure |\n|---|---|---|\n")
	for _, r := range strict.CodeRules() {
		departure := "no"
		if r.Strict == strict.Enforce {
			departure = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.ID, r.Says, departure)
	}
	between(t, "docs/strictness.md", "codes", b.String())
}

// between sees that a document has a table between its marks.
func between(t *testing.T, name, mark, table string) {
	begin, end := "<!-- "+mark+" begin -->\n", "<!-- "+mark+" end -->\n"
	text := read(t, name)
	before, rest, opened := strings.Cut(text, begin)
	have, after, closed := strings.Cut(rest, end)
	require.True(t, opened && closed, "%s has the marks of %s", name, mark)
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(before+begin+table+end+after), 0o644))
		return
	}
	require.Equal(t, table, have, "%s: run go test ./docs -update", name)
}

var (
	metricInCode = regexp.MustCompile(`"(touchstone_[a-z_]+)"`)
	metricInDocs = regexp.MustCompile("`(touchstone_[a-z_]+)`")
)

// TestMetricsAreListed compares the metrics in the server's source with those
// that the page for operators lists.
func TestMetricsAreListed(t *testing.T) {
	var inCode []string
	for name := range readRepository(t).paths {
		if strings.HasPrefix(name, "server/") && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			for _, m := range metricInCode.FindAllStringSubmatch(read(t, name), -1) {
				inCode = append(inCode, m[1])
			}
		}
	}
	var inDocs []string
	for _, m := range metricInDocs.FindAllStringSubmatch(read(t, "docs/operations.md"), -1) {
		inDocs = append(inDocs, m[1])
	}
	slices.Sort(inCode)
	slices.Sort(inDocs)
	require.NotEmpty(t, inCode)
	require.Equal(t, slices.Compact(inCode), slices.Compact(inDocs))
}

var (
	settingLine  = regexp.MustCompile(`^( *)#?([a-z_]+):`)
	dotted       = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)
	variable     = regexp.MustCompile(`TOUCHSTONE_[A-Z_]+\b`)
	notASetting  = []string{"TOUCHSTONE_CONFIG"} // which names the file
	testVariable = "TOUCHSTONE_TEST_"
)

// settings are the paths of all settings, as the example file has them.
func settings(t *testing.T) (paths []string) {
	var b bytes.Buffer
	require.NoError(t, config.Generate(&b))
	var stack []string
	for line := range strings.Lines(b.String()) {
		m := settingLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		depth := len(m[1]) / 2
		stack = append(stack[:min(depth, len(stack))], m[2])
		paths = append(paths, strings.Join(stack, "."))
	}
	require.Contains(t, paths, "listeners.client.tls_cert_file")
	return paths
}

// TestSettingsExist looks for every setting and variable that a document names.
func TestSettingsExist(t *testing.T) {
	known := settings(t)
	var variables, sections []string
	for _, p := range known {
		variables = append(variables, "TOUCHSTONE_"+strings.ToUpper(strings.ReplaceAll(p, ".", "_")))
		first, _, _ := strings.Cut(p, ".")
		sections = append(sections, first)
	}
	for _, d := range documents(t) {
		for _, span := range d.spans() {
			first, _, _ := strings.Cut(span, ".")
			if dotted.MatchString(span) && slices.Contains(sections, first) && !strings.HasSuffix(span, ".go") {
				require.Contains(t, known, span, "%s names the setting %s", d.name, span)
			}
		}
		for _, name := range variable.FindAllString(d.text, -1) {
			if !strings.HasPrefix(name, testVariable) && !slices.Contains(notASetting, name) {
				require.Contains(t, variables, name, "%s names the variable %s", d.name, name)
			}
		}
	}
}

// firstCell is the name at the beginning of a table's row.
var firstCell = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\|")

// TestPackagesAreOnTheMap sees that the map of packages has each of them, and
// none that is not there.
func TestPackagesAreOnTheMap(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", "{{if .GoFiles}}{{.ImportPath}}{{end}}", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	var have []string
	for _, p := range strings.Fields(string(out)) {
		if _, below, ok := strings.Cut(p, "/"); ok && !strings.Contains(p, "/testdata/") {
			have = append(have, below)
		}
	}
	_, section, _ := strings.Cut(read(t, "docs/architecture.md"), "\n## Every package\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var listed []string
	for _, m := range firstCell.FindAllStringSubmatch(section, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	slices.Sort(have)
	require.Equal(t, have, listed, "docs/architecture.md has every package in its table \"Every package\"")
}

var decisionTitle = regexp.MustCompile(`^# (\d{4}): \S.*\n`)

// TestDecisionsKeepTheirForm reads every decision: its number is that of its
// file and its own, it says context, decision and consequence, it is short, and
// the index has it.
func TestDecisionsKeepTheirForm(t *testing.T) {
	index := read(t, "docs/README.md")
	seen := map[string]string{}
	for _, d := range documents(t) {
		if !strings.HasPrefix(d.name, "docs/decisions/") {
			continue
		}
		file := path.Base(d.name)
		title := decisionTitle.FindStringSubmatch(d.text)
		require.NotNil(t, title, "%s begins with its number and title", d.name)
		require.Equal(t, file[:4], title[1], d.name)
		require.Empty(t, seen[title[1]], "%s has the number of another", d.name)
		seen[title[1]] = d.name
		for _, part := range []string{"\n**Context.** ", "\n**Decision.**", "\n**Consequence.** "} {
			require.Contains(t, d.text, part, d.name)
		}
		require.LessOrEqual(t, strings.Count(d.text, "\n"), 40, "%s is short", d.name)
		require.Contains(t, index, "(decisions/"+file+")", "docs/README.md lists %s", file)
	}
	require.NotEmpty(t, seen)
}

// TestTheFirstScreenCountsWhatTheTableCounts: the number that people read first
// is that of the table which a test makes.
func TestTheFirstScreenCountsWhatTheTableCounts(t *testing.T) {
	text := read(t, "README.md")
	made := regexp.MustCompile(`\*\*(\d+ of \d+)\*\* operations are served`).FindStringSubmatch(text)
	require.NotNil(t, made)
	require.Contains(t, text, "**Status: unfinished.** "+made[1]+" operations work.")
}
