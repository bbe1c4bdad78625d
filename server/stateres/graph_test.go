// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

// A numberedRoom has row numbers for its events, as storage has.
type numberedRoom struct {
	stateres.Events
	number map[id.EventID]int64
	ids    map[int64]id.EventID
	sets   []stateres.State
	asked  int
	fail   error
}

func newNumberedRoom(r *room, sets []stateres.State) *numberedRoom {
	n := &numberedRoom{Events: r.source, number: map[id.EventID]int64{}, ids: map[int64]id.EventID{}, sets: sets}
	for i, e := range r.list {
		if r.source[e.ID].Event != nil {
			n.number[e.ID], n.ids[int64(i+1)] = int64(i+1), e.ID
		}
	}
	return n
}

func (n *numberedRoom) AuthEvents(numbers []int64, into [][]int64) error {
	n.asked += len(numbers)
	for i, number := range numbers {
		for _, a := range n.Events[n.ids[number]].Event.AuthEvents {
			if n.number[a] != 0 {
				into[i] = append(into[i], n.number[a])
			}
		}
	}
	return n.fail
}

func (n *numberedRoom) numbers(ids []id.EventID) []int64 {
	var numbers []int64
	for _, eventID := range ids {
		if number := n.number[eventID]; number != 0 {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

func (n *numberedRoom) eventIDs(numbers []int64, err error) ([]id.EventID, error) {
	ids := make([]id.EventID, len(numbers))
	for i, number := range numbers {
		ids[i] = n.ids[number]
	}
	return ids, err
}

// split returns the entries that all sets share, and for each set its other
// entries.
func (n *numberedRoom) split() (stateres.State, []stateres.State) {
	same := stateres.State{}
	for k, v := range n.sets[0] {
		if !slices.ContainsFunc(n.sets, func(s stateres.State) bool { return s[k] != v }) {
			same[k] = v
		}
	}
	rest := make([]stateres.State, len(n.sets))
	for i, set := range n.sets {
		rest[i] = maps.Clone(set)
		maps.DeleteFunc(rest[i], func(k event.StateKey, _ id.EventID) bool { return same[k] != "" })
	}
	return same, rest
}

func (n *numberedRoom) Shared(keys []event.StateKey, into []id.EventID) error {
	same, _ := n.split()
	for i, k := range keys {
		into[i] = same[k]
	}
	return n.fail
}

func (n *numberedRoom) AuthDifference() ([]id.EventID, error) {
	same, rest := n.split()
	states := make([][]int64, len(rest))
	for i, set := range rest {
		states[i] = n.numbers(slices.Collect(maps.Values(set)))
	}
	return n.eventIDs(stateres.AuthDifference(n, n.numbers(slices.Collect(maps.Values(same))), states))
}

func (n *numberedRoom) Between(ids []id.EventID) ([]id.EventID, error) {
	return n.eventIDs(stateres.ConflictedSubgraph(n, n.numbers(ids)))
}

func keys(m ids) []id.EventID { return slices.Sorted(maps.Keys(m)) }

func TestAuthDifferenceMatchesModel(t *testing.T) {
	some, connected := 0, 0
	for v, rules := range roomver.All() {
		for i := range 100 {
			r, sets := randomRoom(t, rules, uint64(v*1000000+i))
			n, m := newNumberedRoom(r, sets), newModel(rules, r.source)

			got, err := n.AuthDifference()
			require.NoError(t, err)
			want := keys(m.authDifference(sets))
			require.ElementsMatch(t, want, got)
			some += len(want)

			_, conflicted := m.split(sets)
			got, err = n.Between(keys(conflicted))
			require.NoError(t, err)
			sub := keys(m.subgraph(conflicted))
			require.ElementsMatch(t, sub, got)
			connected += len(sub)
		}
	}
	require.Greater(t, some, 1000)
	require.Greater(t, connected, 1000)
}

func TestResolveForkMatchesResolve(t *testing.T) {
	for v, rules := range roomver.All() {
		for i := range 100 {
			r, sets := randomRoom(t, rules, uint64(v*1000000+i))
			want, err := stateres.Resolve(rules, sets, r.source, nil)
			require.NoError(t, err)
			n := newNumberedRoom(r, sets)
			same, rest := n.split()
			got, err := stateres.ResolveFork(rules, rest, n, nil)
			require.NoError(t, err)
			maps.Copy(got, same)
			require.Equal(t, want, got)
		}
	}
}

// A countedChain is a Graph of events that each cite the event before them and
// the first one. It counts how many events it is asked for.
type countedChain struct{ asked int }

func (c *countedChain) AuthEvents(numbers []int64, into [][]int64) error {
	c.asked += len(numbers)
	for i, number := range numbers {
		if number > 1 {
			into[i] = []int64{number - 1, 1}
		}
	}
	return nil
}

func TestAuthDifferenceStopsAtCommonHistory(t *testing.T) {
	var c countedChain
	got, err := stateres.AuthDifference(&c, []int64{99000}, [][]int64{{99990}, {99995}})
	require.NoError(t, err)
	require.Len(t, got, 5)
	require.Equal(t, []int64{99990, 99994}, []int64{got[0], got[4]})
	require.Less(t, c.asked, 1100)

	c.asked = 0
	got, err = stateres.ConflictedSubgraph(&c, []int64{99990, 99995, 99995})
	require.NoError(t, err)
	require.Equal(t, []int64{99990, 99991, 99992, 99993, 99994, 99995}, got)
	require.Less(t, c.asked, 10)
}

func TestSmallDifferences(t *testing.T) {
	var c countedChain
	for name, tc := range map[string]struct {
		shared []int64
		states [][]int64
		want   []int64
	}{
		"no states differ from no other":        {want: nil},
		"one state differs from no other":       {states: [][]int64{{5}}, want: nil},
		"equal states do not differ":            {states: [][]int64{{5}, {5}}, want: nil},
		"a state against an empty one":          {states: [][]int64{{3}, {}}, want: []int64{1, 2}},
		"what all share may be in some chains":  {shared: []int64{4}, states: [][]int64{{6}, {}}, want: []int64{4, 5}},
		"what a state adds may be in its chain": {states: [][]int64{{4}, {3, 4}}, want: nil},
	} {
		got, err := stateres.AuthDifference(&c, tc.shared, tc.states)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, got, name)
	}
	got, err := stateres.ConflictedSubgraph(&c, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = stateres.ConflictedSubgraph(&c, []int64{7})
	require.NoError(t, err)
	require.Empty(t, got, "no path leads from an event to itself")
}

type descendingNumbers struct{}

func (descendingNumbers) AuthEvents(numbers []int64, into [][]int64) error {
	for i, number := range numbers {
		into[i] = []int64{number}
	}
	return nil
}

func TestAuthDifferenceRefusesUnorderedNumbers(t *testing.T) {
	_, err := stateres.AuthDifference(descendingNumbers{}, nil, [][]int64{{5}, {}})
	require.ErrorContains(t, err, "no smaller number")
	_, err = stateres.ConflictedSubgraph(descendingNumbers{}, []int64{5})
	require.ErrorContains(t, err, "no smaller number")
}

type broken struct{ stateres.Events }

var errBroken = errors.New("broken")

func (broken) Load([]id.EventID, []stateres.Entry) error { return errBroken }

func TestResolveReturnsErrorsOfTheSource(t *testing.T) {
	for _, rules := range roomver.All() {
		r := newRoom(t, rules, 1)
		r.start()
		last := r.list[len(r.list)-1:]
		for _, topic := range []string{"a", "b"} {
			e := r.build(event.Draft{Type: "m.room.topic", StateKey: text(""), Sender: alice, Content: []byte(`{"topic":"` + topic + `"}`)},
				last, r.after[last[0].ID])
			r.addEvent(e, r.after[last[0].ID], false)
		}
		sets := []stateres.State{r.after[r.list[len(r.list)-1].ID], r.after[r.list[len(r.list)-2].ID]}
		_, err := stateres.Resolve(rules, sets, broken{}, nil)
		require.ErrorIs(t, err, errBroken)
		n := newNumberedRoom(r, sets)
		n.fail = errBroken
		_, rest := n.split()
		_, err = stateres.ResolveFork(rules, rest, n, nil)
		require.ErrorIs(t, err, errBroken)
		_, err = stateres.AuthDifference(n, nil, [][]int64{{5}, {}})
		require.ErrorIs(t, err, errBroken)
		_, err = stateres.ConflictedSubgraph(n, []int64{5})
		require.ErrorIs(t, err, errBroken)
	}
}
