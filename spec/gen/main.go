// SPDX-License-Identifier: Apache-2.0

// Command gen writes the packages of generated/ from the distilled
// specification in spec/.
//
//	go run ./spec/gen -spec spec -out generated
//
// It works in passes: load the documents and stop at unknown keywords (load,
// check), resolve references and allOf (merge), build the types and operations
// (model, operation), name them (name), find the types that several APIs share
// (share), and write Go (emit). Errors in the documents are corrected in
// overlays, never here. The tables here have only names, and facts for which
// there is no keyword.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	spec := flag.String("spec", "spec", "folder of the distilled specification")
	out := flag.String("out", "generated", "folder to write")
	mod := flag.String("mod", "go.mod", "file that names the module")
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	if err := run(*spec, *out, *mod); err != nil {
		log.Fatal(err)
	}
}

func run(spec, out, mod string) error {
	module, err := modulePath(mod)
	if err != nil {
		return err
	}
	files, err := generate(spec, module)
	if err != nil {
		return err
	}
	return write(out, files)
}

// modulePath reads the module's path from go.mod, so that the module can be
// renamed without a change here.
func modulePath(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(path), nil
		}
	}
	return "", fmt.Errorf("%s names no module", file)
}

// generate returns the generated files by their path below generated/.
func generate(spec, module string) (map[string][]byte, error) {
	version, err := os.ReadFile(filepath.Join(spec, "VERSION"))
	if err != nil {
		return nil, err
	}
	w := &writer{module: module, files: map[string][]byte{}}
	release := strings.TrimSpace(string(version))
	var all []*pkg
	for _, a := range apis {
		p := &pkg{api: a, release: release}
		if a == extra {
			p.doc, err = loadExtra(filepath.Join(spec, "extra"))
		} else {
			p.doc, err = load(filepath.Join(spec, release, a.file+".json"))
		}
		if err != nil {
			return nil, err
		}
		if err := p.passes(); err != nil {
			return nil, fmt.Errorf("%s: %w", a.file, err)
		}
		all = append(all, p)
	}
	share(all)
	for _, p := range all {
		if err := w.api(p); err != nil {
			return nil, err
		}
	}
	if err := w.ops(all); err != nil {
		return nil, err
	}
	p, list, err := loadEvents(filepath.Join(spec, release), release)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	if err := w.events(p, list); err != nil {
		return nil, err
	}
	return w.files, w.schemas(all, list)
}

// passes runs the passes that process a single API.
func (p *pkg) passes() error {
	for _, pass := range []func() error{p.check, p.build, p.name, p.mergeEqualStructs} {
		if err := pass(); err != nil {
			return err
		}
	}
	return nil
}

// write writes the files and removes generated files that no longer exist.
func write(out string, files map[string][]byte) error {
	stale, err := filepath.Glob(filepath.Join(out, "*", "*.gen.go"))
	if err != nil {
		return err
	}
	for _, name := range stale {
		rel, err := filepath.Rel(out, name)
		if err != nil {
			return err
		}
		if files[filepath.ToSlash(rel)] == nil {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	for rel, src := range files {
		name := filepath.Join(out, filepath.FromSlash(rel))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, src, 0o644); err != nil {
			return err
		}
	}
	return nil
}
