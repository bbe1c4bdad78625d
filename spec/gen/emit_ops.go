// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ops writes the table of all operations.
func (w *writer) ops(all []*pkg) error {
	index := &source{}
	index.p("// All lists every operation, by API, file, path and method.\nvar All = []*api.Operation{")
	for _, p := range all {
		s := &source{}
		s.p("// Operations of %s.\nvar (", p.title)
		for _, o := range p.ops {
			s.p("%s%s = %s", p.prefix, o.name, o.literal(p))
			index.p("&%s%s,", p.prefix, o.name)
		}
		s.p(")")
		if err := w.add("ops", p.api.pkg, "", s.String()); err != nil {
			return err
		}
	}
	index.p("}")
	return w.add("ops", "ops", `// Package ops is the table of all operations: what the specification says of
// each besides its types. Tests, metrics and documents are made from it.
`, index.String())
}

// literal returns an operation's row in that table.
func (o *op) literal(p *pkg) string {
	var b strings.Builder
	fmt.Fprintf(&b, "api.Operation{API: %q, ID: %q, Method: %q, Path: %q, File: %q, Auth: api.%s", p.api.pkg, o.ID, o.method, o.path, o.File, o.auth)
	if o.RateLimited {
		b.WriteString(", RateLimited: true")
	}
	if o.Deprecated {
		b.WriteString(", Deprecated: true")
	}
	if o.Added != "" {
		fmt.Fprintf(&b, ", Added: %q", o.Added)
	}
	codes := map[string]bool{}
	for code := range o.Responses {
		codes[strings.ReplaceAll(code, "XX", "00")] = true
	}
	fmt.Fprintf(&b, ", Statuses: []int{%s}", strings.Join(slices.Sorted(maps.Keys(codes)), ", "))
	if o.When != "" {
		fmt.Fprintf(&b, ", When: %q", o.When)
	}
	return b.String() + "}"
}
