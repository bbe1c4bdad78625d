// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

// TestEachDepartureAlone has one random room for each departure, in which that
// departure alone explains the disagreement. If randomRoom changes, new seeds
// must be found: those for which explain returns just this name.
func TestEachDepartureAlone(t *testing.T) {
	discardOutput(t)
	for _, tc := range []struct {
		departure string
		version   string
		second    int
		seed      uint64
	}{
		{"other authorization rules", "11", 0, 38654706610},
		{"the event stands in for its auth events", "12", 0, 38654716487},
		{"sorts from the end", "11", 0, 38654715862},
		{"mainline steps", "12", 1, 38654710547},
		{"power events add only conflicted neighbours", "2", 0, 38654712373},
		{"shared events stay out", "8", 0, 38654712067},
		{"creators without power levels", "8", 0, 38654715703},
		{"empty keys only", "8", 0, 42949682581},
		{"power levels left behind", "7", 0, 1288490275254},
		{"third-party invites first", "1", 0, 42949674870},
		{"the oldest wins if none is allowed", "1", 0, 42949673055},
	} {
		t.Run(tc.departure, func(t *testing.T) {
			rules, ok := roomver.Get(tc.version)
			require.True(t, ok)
			r, sets := randomRoom(t, rules, tc.seed)
			pdus := pdusOf(t, rules.Version, r.source)
			s := comparisons(rules)[tc.second]
			ours, err := stateres.Resolve(s.rules, sets, r.source, nil)
			require.NoError(t, err)
			theirs, ok := s.ask(t, sets, r.source, pdus)
			require.True(t, ok)
			require.False(t, agree(ours, theirs, r.source))

			m := newModel(s.rules, r.source)
			require.Equal(t, ours, m.resolve(sets))
			m.departures = s.base
			m.pdus = pdus
			require.Equal(t, tc.departure, explain(m, m.departures, sets, theirs))
		})
	}
}
