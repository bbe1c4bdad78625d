// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

func TestResolveMatchesModel(t *testing.T) {
	for v, rules := range roomver.All() {
		t.Run(rules.Version, func(t *testing.T) {
			conflicts := 0
			for i := range 80 {
				seed := uint64(v*1000000 + i)
				r, sets := randomRoom(t, rules, seed)
				want := newModel(rules, r.source).resolve(sets)
				var trace stateres.Trace
				got, err := stateres.Resolve(rules, sets, r.source, &trace)
				require.NoError(t, err)
				require.Equal(t, want, got, "seed %d\n%s", seed, &trace)
				conflicts += len(trace.Conflicts)

				for range 3 {
					i, j := r.d.Roll(len(sets)), r.d.Roll(len(sets))
					sets[i], sets[j] = sets[j], sets[i]
				}
				again, err := stateres.Resolve(rules, slices.Concat(sets, sets[:1]), r.source, nil)
				require.NoError(t, err)
				require.Equal(t, got, again)
				again, err = stateres.Resolve(rules, []stateres.State{got, got}, r.source, nil)
				require.NoError(t, err)
				require.Equal(t, got, again)
			}
			require.Greater(t, conflicts, 150)
		})
	}
}

func TestRandomRoomsAreReproducible(t *testing.T) {
	for i := range 60 {
		rules := roomver.All()[i%12]
		a, of := randomRoom(t, rules, uint64(i))
		b, again := randomRoom(t, rules, uint64(i))
		require.Equal(t, a.list, b.list)
		require.Equal(t, a.source, b.source)
		require.Equal(t, of, again)
	}
}
