// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	codeSpan  = regexp.MustCompile("`([^`\n]+)`")
	pathLike  = regexp.MustCompile(`^\.{0,2}/?[\w.*-]+(/[\w.*-]+)*/?$`)
	testLike  = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w*$`)
	shellPath = regexp.MustCompile(`\./[\w./-]+`)
)

// spans are the pieces of code in a document's prose.
func (d *document) spans() []string {
	var list []string
	for _, m := range codeSpan.FindAllStringSubmatch(d.prose, -1) {
		list = append(list, m[1])
	}
	return list
}

// shell is every line that a document tells people to type.
func (d *document) shell() string {
	var b strings.Builder
	for _, block := range d.blocks {
		if block.lang == "sh" {
			b.WriteString(strings.Join(block.lines, "\n") + "\n")
		}
	}
	return b.String()
}

// TestNamedFilesExist fails when a file, folder or test that a document names
// has been moved or deleted.
func TestNamedFilesExist(t *testing.T) {
	repo := readRepository(t)
	for _, d := range documents(t) {
		if strings.HasPrefix(d.name, "complement/") {
			continue // names files of Complement's own repository
		}
		for _, span := range d.spans() {
			if problem := repo.check(d, span); problem != "" {
				t.Errorf("%s: %s", d.name, problem)
			}
		}
		for _, name := range shellPath.FindAllString(d.shell(), -1) {
			name = strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/...")
			if name != "..." && !repo.has(name) {
				t.Errorf("%s: a command names ./%s, which is not there", d.name, name)
			}
		}
	}
}

// check says what is wrong with a piece of code in a document, if it is the
// name of something in the repository.
func (r *repository) check(d *document, span string) string {
	if testLike.MatchString(span) && !r.tests[span] {
		return "there is no test " + span
	}
	if !pathLike.MatchString(span) || strings.Contains(span, "...") {
		return ""
	}
	first, _, deep := strings.Cut(span, "/")
	switch {
	case deep && slices.Contains(r.top, first) && !r.has(span) && !r.has(path.Join(path.Dir(d.name), span)):
		return "there is no " + span
	case !deep && strings.HasSuffix(span, ".go") && !strings.Contains(span, "*") && !r.bases[span]:
		return "no file is called " + span
	}
	return ""
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// slug is the anchor that Markdown viewers give a heading.
func slug(heading string) string {
	return strings.ReplaceAll(strings.ToLower(notSlug.ReplaceAllString(heading, "")), " ", "-")
}

// TestLinksLeadSomewhere follows the links between documents, and to files.
func TestLinksLeadSomewhere(t *testing.T) {
	repo := readRepository(t)
	for _, d := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(d.prose, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := d.name
			if target != "" {
				file = path.Join(path.Dir(d.name), target)
			}
			if !repo.has(file) {
				t.Errorf("%s: the link to %s leads nowhere", d.name, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s: %s has no heading #%s", d.name, file, anchor)
			}
		}
	}
}

func anchors(text string) (list []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		list = append(list, slug(m[1]))
	}
	return list
}

var makeTarget = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)

// TestMakeTargetsExist reads the commands of all documents.
func TestMakeTargetsExist(t *testing.T) {
	makefile := read(t, "Makefile")
	found := 0
	for _, d := range documents(t) {
		code := d.shell() + strings.Join(d.spans(), "\n")
		for _, m := range makeTarget.FindAllStringSubmatch(code, -1) {
			found++
			require.Contains(t, makefile, "\n"+m[1]+":", "%s names make %s", d.name, m[1])
		}
	}
	require.Greater(t, found, 10)
}

// TestExcerptsAreReal compares every block that names a file with that file:
// each run of its lines must stand there. A line of … leaves something out.
func TestExcerptsAreReal(t *testing.T) {
	found := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if b.info == "" || b.info == "lines" { // of JSON, not of a file
				continue
			}
			found++
			source := squeeze(strings.Split(read(t, b.info), "\n"))
			for _, run := range b.runs() {
				require.Contains(t, source, squeeze(run), fmt.Sprintf("%s:%d is not in %s", d.name, b.line, b.info))
			}
		}
	}
	require.Greater(t, found, 5)
}

// runs are the parts of an excerpt between its ellipses.
func (b *block) runs() (runs [][]string) {
	var run []string
	for _, line := range append(slices.Clone(b.lines), "…") {
		if strings.Trim(line, " \t/#-") != "…" {
			run = append(run, line)
			continue
		}
		if len(run) > 0 {
			runs = append(runs, run)
		}
		run = nil
	}
	return runs
}

// squeeze leaves out indentation, so that excerpts can be moved to the left.
func squeeze(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}
