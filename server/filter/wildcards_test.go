// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/filter"
)

// TestWildcardsAreBounded: each event is held against each pattern, and both
// are for the client to choose.
func TestWildcardsAreBounded(t *testing.T) {
	for _, list := range []string{"types", "not_types"} {
		some := strings.TrimSuffix(strings.Repeat(`"m.room.*",`, 100), ",")
		many := strings.TrimSuffix(strings.Repeat(`"*b",`, 10_000), ",")
		long := `"` + strings.Repeat("*a", 1000) + `"`
		exact := strings.TrimSuffix(strings.Repeat(`"m.room.message",`, 1000), ",")
		for text, ok := range map[string]bool{some: true, exact: true, many: false, long: false} {
			_, err := filter.ParseRoomEvents(fmt.Appendf(nil, `{%q:[%s]}`, list, text))
			if ok {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, "wildcards")
			require.ErrorContains(t, err, "/"+list)
			_, err = filter.Parse(fmt.Appendf(nil, `{"room":{"timeline":{%q:[%s]}}}`, list, text))
			require.ErrorContains(t, err, "wildcards")
		}
	}
}
