// SPDX-License-Identifier: Apache-2.0

package statetrie_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage/statetrie"
)

// A store keeps encoded nodes in memory.
type store struct {
	bodies map[statetrie.NodeID][]byte
	loads  int // number of calls
	loaded int // number of nodes
}

func newStore() *store { return &store{bodies: map[statetrie.NodeID][]byte{}} }

func (s *store) load(ids []statetrie.NodeID) (map[statetrie.NodeID]*statetrie.Node, error) {
	s.loads++
	nodes := map[statetrie.NodeID]*statetrie.Node{}
	for _, id := range ids {
		s.loaded++
		if body, ok := s.bodies[id]; ok {
			n, err := statetrie.Decode(body)
			if err != nil {
				return nil, err
			}
			nodes[id] = n
		}
	}
	return nodes, nil
}

func (s *store) apply(t testing.TB, root statetrie.NodeID, set ...statetrie.Entry) (statetrie.NodeID, []statetrie.Fresh) {
	id, fresh, err := statetrie.Apply(root, set, s.load)
	require.NoError(t, err)
	for _, f := range fresh {
		s.bodies[f.ID] = f.Body
	}
	return id, fresh
}

func member(i int) statetrie.Key {
	return statetrie.KeyOf("m.room.member", fmt.Sprintf("@user%d:example.org", i))
}

func entries(m map[statetrie.Key]int64) []statetrie.Entry {
	list := []statetrie.Entry{}
	for _, k := range slices.SortedFunc(maps.Keys(m), func(a, b statetrie.Key) int { return slices.Compare(a[:], b[:]) }) {
		list = append(list, statetrie.Entry{Key: k, NID: m[k]})
	}
	return list
}

var classes = []statetrie.Class{statetrie.Other, statetrie.Member}

func TestTreeMatchesMapAndRootIDMatchesContents(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 7))
		s, root, model := newStore(), statetrie.NodeID{}, map[statetrie.Key]int64{}
		size := 1 + random.IntN(400)
		for range 60 {
			before, old := root, maps.Clone(model)
			var set []statetrie.Entry
			for range 1 + random.IntN(30) {
				e := statetrie.Entry{Key: member(random.IntN(size)), NID: int64(random.IntN(4))}
				if random.IntN(4) == 0 {
					e.Key = statetrie.KeyOf("m.other", fmt.Sprint(random.IntN(size)))
				}
				set = append(set, e)
				model[e.Key] = e.NID
				if e.NID == 0 {
					delete(model, e.Key)
				}
			}
			root, _ = s.apply(t, root, set...)

			all, err := statetrie.Walk(root, s.load, classes...)
			require.NoError(t, err)
			require.Equal(t, entries(model), append([]statetrie.Entry{}, all...))
			anew, _ := newStore().apply(t, statetrie.NodeID{}, all...)
			require.Equal(t, anew, root, "the way a state came about does not matter")

			keys := []statetrie.Key{member(-1)}
			for range 10 {
				keys = append(keys, member(random.IntN(size)))
			}
			got, err := statetrie.Get(root, keys, s.load)
			require.NoError(t, err)
			want := map[statetrie.Key]int64{}
			for _, k := range keys {
				if nid, ok := model[k]; ok {
					want[k] = nid
				}
			}
			require.Equal(t, want, got)

			requireDiff(t, s, before, root, old, model)
			requireDiff(t, s, statetrie.NodeID{}, root, nil, model)
		}
		root, _ = s.apply(t, root, gone(model)...)
		require.Zero(t, root, "nothing left is the empty tree")
	}
}

func gone(model map[statetrie.Key]int64) (set []statetrie.Entry) {
	for k := range model {
		set = append(set, statetrie.Entry{Key: k})
	}
	return set
}

func requireDiff(t *testing.T, s *store, a, b statetrie.NodeID, old, now map[statetrie.Key]int64) {
	t.Helper()
	for range 2 {
		changes, err := statetrie.Diff(a, b, s.load)
		require.NoError(t, err)
		changed := map[statetrie.Key]statetrie.Change{}
		for k, nid := range old {
			if now[k] != nid {
				changed[k] = statetrie.Change{Key: k, Old: nid, New: now[k]}
			}
		}
		for k, nid := range now {
			if old[k] != nid {
				changed[k] = statetrie.Change{Key: k, Old: old[k], New: nid}
			}
		}
		got := map[statetrie.Key]statetrie.Change{}
		for _, c := range changes {
			got[c.Key] = c
		}
		require.Len(t, got, len(changes))
		require.Equal(t, changed, got)
		a, b, old, now = b, a, now, old
	}
}

func TestOperationsLoadOnlyNeededNodes(t *testing.T) {
	s := newStore()
	var set []statetrie.Entry
	for i := range 50_000 {
		set = append(set, statetrie.Entry{Key: member(i), NID: int64(i + 1)})
	}
	for i := range 10 {
		set = append(set, statetrie.Entry{Key: statetrie.KeyOf(fmt.Sprint("m.room.", i), ""), NID: int64(100_000 + i)})
	}
	root, _ := s.apply(t, statetrie.NodeID{}, set...)

	s.loads, s.loaded = 0, 0
	_, err := statetrie.Get(root, []statetrie.Key{member(1), member(2), member(3)}, s.load)
	require.NoError(t, err)
	require.LessOrEqual(t, s.loads, 6, "one a level")
	require.LessOrEqual(t, s.loaded, 16)

	s.loads, s.loaded = 0, 0
	other, err := statetrie.Walk(root, s.load, statetrie.Other)
	require.NoError(t, err)
	require.Len(t, other, 10)
	require.LessOrEqual(t, s.loaded, 2, "members are in a subtree of their own")

	bytes := 0
	changed, fresh := s.apply(t, root, statetrie.Entry{Key: member(77), NID: 1})
	for _, f := range fresh {
		bytes += len(f.Body)
	}
	require.LessOrEqual(t, len(fresh), 6)
	require.Less(t, bytes, 2000)

	s.loads, s.loaded = 0, 0
	changes, err := statetrie.Diff(root, changed, s.load)
	require.NoError(t, err)
	require.Equal(t, []statetrie.Change{{Key: member(77), Old: 78, New: 1}}, changes)
	require.LessOrEqual(t, s.loaded, 12)

	same, fresh := s.apply(t, changed, statetrie.Entry{Key: member(77), NID: 78})
	require.Equal(t, root, same)
	require.NotEmpty(t, fresh, "whoever stores them finds them there already")
	same, fresh = s.apply(t, root, statetrie.Entry{Key: member(77), NID: 78})
	require.Equal(t, root, same)
	require.Empty(t, fresh)
}

func TestAMissingNodeIsAnError(t *testing.T) {
	s := newStore()
	id, err := statetrie.ParseNodeID("AAECAwQFBgcICQoLDA0ODw")
	require.NoError(t, err)
	require.Equal(t, "AAECAwQFBgcICQoLDA0ODw", id.String())
	_, err = statetrie.Get(id, []statetrie.Key{member(1)}, s.load)
	require.ErrorContains(t, err, "AAECAwQFBgcICQoLDA0ODw is missing")
	_, err = statetrie.Walk(id, s.load, classes...)
	require.Error(t, err)
	_, err = statetrie.Diff(id, statetrie.NodeID{}, s.load)
	require.Error(t, err)
	_, _, err = statetrie.Apply(id, []statetrie.Entry{{Key: member(1), NID: 1}}, s.load)
	require.Error(t, err)
	for _, text := range []string{"A", "AAECAwQFBgcICQoLDA0ODx", "AAECAwQFBgcICQoLDA0OD!", "AAECAwQFBgcICQoLDA0ODwAA"} {
		_, err := statetrie.ParseNodeID(text)
		require.Error(t, err, text)
	}
}

func FuzzDecode(f *testing.F) {
	s := newStore()
	for i := range 40 {
		_, fresh := s.apply(f, statetrie.NodeID{}, func() (set []statetrie.Entry) {
			for j := range i + 1 {
				set = append(set, statetrie.Entry{Key: member(j), NID: int64(j + 1)})
			}
			return set
		}()...)
		f.Add(fresh[0].Body)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := statetrie.Decode(b)
		if err == nil && n.Count() <= 0 {
			t.Fatal("a node holds something")
		}
	})
}
