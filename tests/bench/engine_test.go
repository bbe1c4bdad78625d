// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPairsAreReadAndWritten(t *testing.T) {
	pairs, err := readPairs(strings.NewReader(`goos: linux
BenchmarkCompare/check_a_join,_version_12/ours-2         	  396603	       600 ns/op	      15 B/op	       2 allocs/op
BenchmarkCompare/check_a_join,_version_12/ours-2         	  396603	       500.0 ns/op	      15 B/op	       2 allocs/op
BenchmarkCompare/check_a_join,_version_12/gomatrixserverlib-2            	    2697	    101506 ns/op	   24665 B/op	     466 allocs/op
BenchmarkCompare/resolve/ours         	  3	       20000000 ns/op	      15 B/op	       20 allocs/op
BenchmarkCompare/resolve/gomatrixserverlib            	    2697	    50000000 ns/op	   24665 B/op	     40 allocs/op
BenchmarkCompare/-_alone/ours-8         	  3	       2000 ns/op	      0 B/op	       0 allocs/op
PASS
`))
	require.NoError(t, err)
	require.Equal(t, []pair{
		{"check a join, version 12", &cost{500, 15, 2}, &cost{101506, 24665, 466}},
		{"resolve", &cost{2e7, 15, 20}, &cost{5e7, 24665, 40}},
		{"- alone", &cost{2000, 0, 0}, nil},
	}, pairs)
	var b strings.Builder
	writePairs(&b, pairs)
	require.Contains(t, b.String(), "check a join, version 12\t0.5 µs\t102 µs\t203\t2\t466\t233\n")
	require.Contains(t, b.String(), "resolve\t20.0 ms\t50.0 ms\t2.5 <\t20\t40\t2.0 <\n")
	require.Contains(t, b.String(), "- alone\t2.0 µs\t\t\t0\t\t\n")
}
