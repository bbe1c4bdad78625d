// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/stateres"
	"touchstone.example/tests/comparebench"
)

// BenchmarkCompare resolves a room of 10,000 members and 50 forks with both
// implementations. The algorithm 2.1 of gomatrixserverlib panics on this room,
// so for version 12 we measure its algorithm 2 instead, by a function that
// computes no auth difference.
func BenchmarkCompare(b *testing.B) {
	discardOutput(b)
	for _, version := range []string{"1", "2", "11", "12"} {
		r, sets := bigRoom(b, version, 10000, 50)
		what := "resolve 50 forks of 10,000 members, version " + version
		theirs := theirResolve(b, version, r, sets, 10000)
		comparebench.Run(b, what, ourResolve(r, sets, 10000), theirs)
		if version != "11" {
			continue
		}
		comparebench.Run(b, what+", states that are no copies", ourResolve(r, rebuilt(sets), 10000), theirs)
		fork := newStoredFork(r, sets)
		comparebench.Run(b, what+", what they share being known", func() error {
			_, err := stateres.ResolveFork(r.rules, fork.rest, fork, nil)
			return err
		}, theirs)
	}
	// Nearly every event is conflicted.
	r, sets := twoForksOfJoins(b, 4000)
	comparebench.Run(b, "resolve 2 forks of 4,000 joins, version 11", ourResolve(r, sets, 8000), theirResolve(b, "11", r, sets, 8000))
}

func ourResolve(r *room, sets []stateres.State, entries int) func() error {
	return func() error {
		state, err := stateres.Resolve(r.rules, sets, r.source, nil)
		if err == nil && len(state) < entries {
			err = fmt.Errorf("only %d entries", len(state))
		}
		return err
	}
}

func theirResolve(b *testing.B, version string, r *room, sets []stateres.State, entries int) func() error {
	pdus := pdusOf(b, version, r.source)
	all, given := slices.Collect(maps.Values(pdus)), lists(sets, pdus)
	return func() (err error) {
		var state []gmsl.PDU
		if version == "12" {
			state, err = gmsl.ResolveConflicts(gmsl.RoomVersion(version), slices.Concat(given...), all, sameSender, isRejected(r.source))
		} else {
			state, err = gmsl.ResolveConflictsNew(gmsl.RoomVersion(version), given, all, sameSender, isRejected(r.source))
		}
		if err == nil && len(state) < entries {
			err = fmt.Errorf("only %d entries", len(state))
		}
		return err
	}
}

// rebuilt copies each state entry by entry, so that each map has an iteration
// order of its own.
func rebuilt(sets []stateres.State) []stateres.State {
	all := make([]stateres.State, len(sets))
	for i, set := range sets {
		all[i] = stateres.State{}
		for k, v := range set {
			all[i][k] = v
		}
	}
	return all
}

// A storedFork is a fork as storage describes it: only the entries that differ
// are given, and auth events have row numbers.
type storedFork struct {
	*numberedRoom
	same   stateres.State
	rest   []stateres.State
	auth   map[int64][]int64
	shared []int64
	states [][]int64
}

func newStoredFork(r *room, sets []stateres.State) *storedFork {
	n := newNumberedRoom(r, sets)
	f := &storedFork{numberedRoom: n, auth: map[int64][]int64{}}
	f.same, f.rest = n.split()
	for number, eventID := range n.ids {
		f.auth[number] = n.numbers(r.source[eventID].Event.AuthEvents)
	}
	f.shared = n.numbers(slices.Collect(maps.Values(f.same)))
	for _, set := range f.rest {
		f.states = append(f.states, n.numbers(slices.Collect(maps.Values(set))))
	}
	return f
}

func (f *storedFork) AuthEvents(numbers []int64, into [][]int64) error {
	for i, number := range numbers {
		into[i] = f.auth[number]
	}
	return nil
}

func (f *storedFork) Shared(keys []event.StateKey, into []id.EventID) error {
	for i, k := range keys {
		into[i] = f.same[k]
	}
	return nil
}

func (f *storedFork) AuthDifference() ([]id.EventID, error) {
	return f.eventIDs(stateres.AuthDifference(f, f.shared, f.states))
}

func (f *storedFork) Between(ids []id.EventID) ([]id.EventID, error) {
	return f.eventIDs(stateres.ConflictedSubgraph(f, f.numbers(ids)))
}

func TestResolveForkMatchesResolveInBenchmarkRoom(t *testing.T) {
	r, sets := bigRoom(t, "11", 50, 5)
	want, err := stateres.Resolve(r.rules, sets, r.source, nil)
	require.NoError(t, err)
	f := newStoredFork(r, sets)
	got, err := stateres.ResolveFork(r.rules, f.rest, f, nil)
	require.NoError(t, err)
	maps.Copy(got, f.same)
	require.Equal(t, want, got)
}
