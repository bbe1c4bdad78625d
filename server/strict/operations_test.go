// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/generated/ops"
)

// TestEveryOperationIsKnown compares what the judge reads in the documents
// with what was generated from them, and compiles every schema.
func TestEveryOperationIsKnown(t *testing.T) {
	lib := newLibrary()
	for _, op := range ops.All {
		_, o, err := lib.operation(op)
		require.NoError(t, err)
		var want []string
		for _, status := range op.Statuses {
			name := fmt.Sprint(status)
			if all := fmt.Sprintf("%dXX", status/100); status%100 == 0 {
				if _, ok := o.responses[all]; ok {
					name = all
				}
			}
			want = append(want, name)
		}
		slices.Sort(want)
		require.Equal(t, slices.Sorted(maps.Keys(o.responses)), want, "%s.%s", op.API, op.ID)
		for _, s := range append(slices.Collect(maps.Values(o.responses)), o.request) {
			if s != nil {
				_, err := s.compiled()
				require.NoError(t, err, "%s.%s", op.API, op.ID)
			}
		}
	}
}
