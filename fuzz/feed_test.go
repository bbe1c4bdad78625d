// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
)

// FuzzToken checks that every accepted token is in canonical form: it is
// written back unchanged.
func FuzzToken(f *testing.F) {
	for _, s := range []string{"s1_1_6g_0", "p1_1_6g_w_da", "p1_1_f_1y2p0ij32e8e7_1y2p0ij32e8e7", "s1_1_-1_0", "s1_1_01_0", "s2_1_1_0", "s1_1_1", "x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := feed.ParseToken(text)
		if err != nil {
			require.ErrorIs(t, err, feed.ErrToken)
			return
		}
		require.Equal(t, text, token.String())
		require.GreaterOrEqual(t, token.Pos, int64(0))
	})
}
