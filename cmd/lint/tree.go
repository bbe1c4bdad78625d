// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A finding is a broken rule, or a note.
type finding struct {
	File string
	Line int
	Rule rule
	Text string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Text)
}

// skippedDirs have no hand-written files of this project.
var skippedDirs = []string{"testdata", "node_modules", "vendor", "bin", "touchstone-data"}

// checkTree checks all files under root, sorted by name.
func checkTree(root fs.FS) ([]finding, error) {
	var found []finding
	uses := newCalls(root)
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			hidden := strings.HasPrefix(name, ".") && name != "." && name != ".ci"
			if hidden || slices.Contains(skippedDirs, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		more, err := checkFile(root, file, uses)
		found = append(found, more...)
		return err
	})
	found = append(found, uses.unused()...)
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return found, err
}

func checkFile(root fs.FS, file string, uses *calls) ([]finding, error) {
	src, err := fs.ReadFile(root, file)
	if err != nil {
		return nil, err
	}
	var found []finding
	generated := isGenerated(src)
	if !generated && wantsLicence(file, src) && !hasLicence(src) {
		found = append(found, finding{file, 1, ruleSPDX, "no SPDX-License-Identifier at the top"})
	}
	if path.Ext(file) != ".go" {
		return found, nil
	}
	if lines := bytes.Count(src, []byte("\n")); !generated {
		switch {
		case lines > maxFileLines:
			found = append(found, finding{file, lines, ruleSize, fmt.Sprintf("%d lines; the limit is %d", lines, maxFileLines)})
		case lines > longFileLines:
			found = append(found, finding{file, lines, ruleNote, fmt.Sprintf("%d lines; aim under %d", lines, longFileLines)})
		}
	}
	more, err := checkGo(file, src, generated, uses)
	return append(found, more...), err
}

// wantsLicence reports whether a file needs a licence header: Go, SQL, make,
// Docker and scripts.
func wantsLicence(file string, src []byte) bool {
	switch path.Ext(file) {
	case ".go", ".sql", ".sh":
		return true
	}
	switch path.Base(file) {
	case "Makefile", "Dockerfile":
		return true
	}
	return bytes.HasPrefix(src, []byte("#!"))
}

// hasLicence checks the first three lines, since a script begins with #! and a
// Go file may begin with a build constraint.
func hasLicence(src []byte) bool {
	top := bytes.SplitN(src, []byte("\n"), 4)
	if len(top) == 4 {
		top = top[:3]
	}
	return slices.ContainsFunc(top, func(line []byte) bool {
		return bytes.Contains(line, []byte("SPDX-License-Identifier: "))
	})
}

// isGenerated checks for the marker line of go generate.
func isGenerated(src []byte) bool {
	for line := range bytes.Lines(src) {
		if bytes.HasPrefix(line, []byte("package ")) {
			return false
		}
		if bytes.HasPrefix(line, []byte("// Code generated ")) && bytes.HasSuffix(bytes.TrimSpace(line), []byte(" DO NOT EDIT.")) {
			return true
		}
	}
	return false
}
