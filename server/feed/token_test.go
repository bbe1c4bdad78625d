// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

func TestTokensComeBackAsTheyWere(t *testing.T) {
	for _, token := range []feed.Token{
		{},
		{Epoch: 1, Pos: 232, ToDevice: 7},
		{Epoch: 3, Pos: math.MaxInt64, ToDevice: math.MaxInt64},
		{Epoch: 1, Pos: 232, ToDevice: 7, Server: 99},
		{Epoch: 1, Pos: 5, Room: true},
		{Epoch: 1, Pos: 5, Room: true, TopoPos: storage.TopoPos{Depth: math.MaxInt64, NID: math.MaxInt64}},
	} {
		got, err := feed.ParseToken(token.String())
		require.NoError(t, err, token)
		require.Equal(t, token, got)
	}
}

func TestWhatIsNoToken(t *testing.T) {
	for _, text := range []string{
		"", "s", "s1", "s1_1_1", "s1_1_1_1_0", "s1_1_1_1_1_1", "p1_1_1_1", "s2_1_1_0", "x1_1_1_0", "s1_1_-1_0", "s1_-1_1_0",
		"s1_1_01_0", "s1_1_+1_0", "s1_1_A_0", "s1_1_1_0 ", "s1_1_zzzzzzzzzzzzzz_0", "t123-456",
	} {
		_, err := feed.ParseToken(text)
		require.ErrorIs(t, err, feed.ErrToken, text)
	}
}
