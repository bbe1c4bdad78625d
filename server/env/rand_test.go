// SPDX-License-Identifier: Apache-2.0

package env_test

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/env"
)

func TestSeededRandIsReproducible(t *testing.T) {
	r := env.Seeded("seed")
	require.True(t, r.Predictable())
	require.Equal(t, "f9fdf87275738c6e1784", hex.EncodeToString(r.Bytes("token", "@a:b", 10)), "a change here changes every transcript")

	other := env.Fixed("seed", nil).Rand
	require.Equal(t, env.Seeded("seed").Bytes("p", "k", 100), other.Bytes("p", "k", 100))
	require.Equal(t, env.Seeded("seed").Token("t", "k", 40), other.Token("t", "k", 40))
}

func TestEachCallReturnsOtherBytes(t *testing.T) {
	r := env.Seeded("seed")
	seen := map[string]string{}
	for _, pair := range [][2]string{{"p", "k"}, {"p", "k"}, {"pk", ""}, {"", "pk"}, {"q", "k"}, {"p", "l"}} {
		b := string(r.Bytes(pair[0], pair[1], 64))
		require.NotContains(t, seen, b, "%v", pair)
		require.NotEqual(t, b[:32], b[32:])
		seen[b] = pair[0]
	}
	require.NotContains(t, seen, string(env.Seeded("other").Bytes("p", "k", 64)))
}

func TestPairsAreIndependent(t *testing.T) {
	quiet, busy := env.Seeded("s"), env.Seeded("s")
	for i := range 5 {
		for j := range i {
			busy.Token("job", fmt.Sprint(j), 8)
		}
		require.Equal(t, quiet.Token("request", "@a:b", 16), busy.Token("request", "@a:b", 16))
	}
}

func TestResetRepeatsResults(t *testing.T) {
	r := env.Seeded("s")
	first, second := r.Token("p", "k", 16), r.Token("p", "k", 16)
	require.NotEqual(t, first, second)
	r.Reset()
	require.Equal(t, first, r.Token("p", "k", 16))
}

func TestACloneGoesOnWhereItWasMade(t *testing.T) {
	r := env.Seeded("s")
	r.Token("p", "k", 16)
	clone := r.Clone()
	want := r.Token("p", "k", 16)
	r.Token("p", "k", 16)
	require.Equal(t, want, clone.Token("p", "k", 16))
	require.False(t, env.Real().Rand.Clone().Predictable())
}

func TestCountersStayBoundedAndNeverRepeat(t *testing.T) {
	r := env.Seeded("s")
	const keys = 1<<16 + 1<<13
	seen := make(map[string]bool, 2*keys)
	for range 2 {
		for i := range keys {
			b := string(r.Bytes("p", fmt.Sprint(i), 16))
			require.False(t, seen[b])
			seen[b] = true
		}
	}
	require.LessOrEqual(t, r.Counters(), 1<<16+1<<12)
}

func TestTokensAreLettersAndDigits(t *testing.T) {
	shape := regexp.MustCompile(`^[A-Za-z0-9]*$`)
	for _, r := range []*env.Rand{env.Real().Rand, env.Seeded("s")} {
		for n := range 100 {
			tok := r.Token("p", "k", n)
			require.Len(t, tok, n)
			require.Regexp(t, shape, tok)
		}
	}
}

func TestZeroRandIsUnpredictable(t *testing.T) {
	r := env.Real().Rand
	require.False(t, r.Predictable())
	require.NotEqual(t, r.Bytes("p", "k", 32), r.Bytes("p", "k", 32))
	require.NotEqual(t, env.Real().Rand.Token("p", "k", 32), env.Real().Rand.Token("p", "k", 32))
	r.Reset()
}

func TestBelowStaysBelow(t *testing.T) {
	r := env.Seeded("s")
	seen := map[int64]bool{}
	for range 200 {
		n := r.Below("jitter", "k", 7)
		require.GreaterOrEqual(t, n, int64(0))
		require.Less(t, n, int64(7))
		seen[n] = true
	}
	require.Len(t, seen, 7)
	require.Panics(t, func() { r.Below("jitter", "k", 0) })
}
