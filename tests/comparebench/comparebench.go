// SPDX-License-Identifier: Apache-2.0

// Package comparebench runs benchmarks that compare the room engine with
// gomatrixserverlib, in one run and on the same input. They are the
// BenchmarkCompare of a package; "make bench" prints them as a table.
package comparebench

import (
	"strings"
	"testing"
)

// Names of the two implementations in a pair.
const (
	Ours   = "ours"
	Theirs = "gomatrixserverlib"
)

// Run measures one operation in both implementations. theirs is nil if
// gomatrixserverlib has no such operation.
func Run(b *testing.B, what string, ours, theirs func() error) {
	name := strings.ReplaceAll(what, "/", "_")
	one := func(who string, do func() error) {
		b.Run(name+"/"+who, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	one(Ours, ours)
	if theirs != nil {
		one(Theirs, theirs)
	}
}
