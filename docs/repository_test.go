// SPDX-License-Identifier: Apache-2.0

// Package docs sees that the documents for people are true: what they name is
// there, their excerpts and tables are those of the code, their commands work.
package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the top of the repository, seen from this folder.
const root = ".."

// A document is a Markdown file of the repository.
type document struct {
	name   string // below root, with slashes
	text   string
	blocks []block
	prose  string // the text without its blocks
}

// A block is fenced code. What stands behind its opening fence is its info.
type block struct {
	lang, info string
	line       int
	lines      []string
}

var fence = regexp.MustCompile("^ *```+ *([a-z]*) *(.*)$")

func parse(name, text string) *document {
	d := &document{name: name, text: text}
	var prose strings.Builder
	open := false
	for n, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && !open:
			d.blocks = append(d.blocks, block{lang: m[1], info: strings.TrimSpace(m[2]), line: n + 1})
			open = true
		case m != nil:
			open = false
		case open:
			b := &d.blocks[len(d.blocks)-1]
			b.lines = append(b.lines, line)
		default:
			prose.WriteString(line)
		}
		if !open {
			prose.WriteByte('\n')
		}
	}
	d.prose = prose.String()
	return d
}

// documents are all Markdown files that people are meant to read.
func documents(t *testing.T) []*document {
	var list []*document
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "spec/README.md", "spec/extra/README.md", "complement/README.md"} {
		names, err := fs.Glob(os.DirFS(root), pattern)
		require.NoError(t, err)
		require.NotEmpty(t, names, pattern)
		for _, name := range names {
			list = append(list, parse(name, read(t, name)))
		}
	}
	return list
}

func read(t *testing.T, name string) string {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(text)
}

// A repository knows what files there are.
type repository struct {
	paths map[string]bool // files and folders below root
	bases map[string]bool // names of files
	top   []string        // what stands at the top
	tests map[string]bool // names of tests, benchmarks and fuzz targets
}

var testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)

// notOurs are folders that programs make.
var notOurs = []string{"bin", "touchstone-data", "node_modules", ".git"}

func readRepository(t *testing.T) *repository {
	r := &repository{paths: map[string]bool{}, bases: map[string]bool{}, tests: map[string]bool{}}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(notOurs, d.Name()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case name == ".":
			return nil
		}
		r.paths[name] = true
		if path.Dir(name) == "." {
			r.top = append(r.top, name)
		}
		if !d.IsDir() {
			r.bases[path.Base(name)] = true
		}
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range testFunc.FindAllStringSubmatch(read(t, name), -1) {
				r.tests[m[1]] = true
			}
		}
		return nil
	})
	require.NoError(t, err)
	return r
}

// has reports whether a path is there; a star stands for any part of a name.
func (r *repository) has(name string) bool {
	name = strings.TrimSuffix(name, "/")
	if r.paths[name] {
		return true
	}
	if !strings.Contains(name, "*") {
		return false
	}
	found, err := fs.Glob(os.DirFS(root), name)
	return err == nil && len(found) > 0
}
