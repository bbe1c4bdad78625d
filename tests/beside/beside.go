// SPDX-License-Identifier: Apache-2.0

// Package beside measures the room engine and another implementation in one
// run and on the same input. A package's BenchmarkBeside is made of these pairs;
// "make bench" makes a table of them.
package beside

import (
	"strings"
	"testing"
)

// Names of the two of a pair.
const (
	Ours   = "ours"
	Theirs = "gomatrixserverlib"
)

// Run measures one thing, by ours and by the other implementation. The latter
// is nil if it has nothing like it.
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
