// SPDX-License-Identifier: Apache-2.0

package statetrie

import (
	"fmt"
	"slices"
)

// A Loader returns nodes by ID. It is called once per level of the tree, so
// that it can fetch all nodes of a level with one query.
type Loader func(ids []NodeID) (map[NodeID]*Node, error)

// load loads the nodes of a level, each once, and returns an error if one is
// missing.
func (load Loader) load(ids []NodeID) (map[NodeID]*Node, error) {
	slices.SortFunc(ids, func(a, b NodeID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return nil, nil
	}
	nodes, err := load(ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if nodes[id] == nil {
			return nil, fmt.Errorf("state node %s is missing", id)
		}
	}
	return nodes, nil
}

// A visit is a node to read, with the keys to look up under it.
type visit struct {
	id   NodeID
	keys []Key
}

// Get looks up keys. Keys without an entry are not in the result.
func Get(root NodeID, keys []Key, load Loader) (map[Key]int64, error) {
	found := make(map[Key]int64, len(keys))
	err := descend(root, keys, load, func(_ NodeID, n *Node, keys []Key) {
		for _, k := range keys {
			if i, ok := slices.BinarySearchFunc(n.entries, k, func(e Entry, k Key) int { return e.Key.compare(k) }); ok {
				found[k] = n.entries[i].NID
			}
		}
	})
	return found, err
}

// descend calls at for every node on the paths to the keys, level by level;
// with the keys if the node is a leaf, without if it is a branch.
func descend(root NodeID, keys []Key, load Loader, at func(id NodeID, n *Node, keys []Key)) error {
	level := []visit{{root, keys}}
	for depth := 0; len(level) > 0; depth++ {
		ids := make([]NodeID, 0, len(level))
		for _, v := range level {
			if v.id != (NodeID{}) {
				ids = append(ids, v.id)
			}
		}
		nodes, err := load.load(ids)
		if err != nil {
			return err
		}
		var next []visit
		for _, v := range level {
			n := nodes[v.id]
			switch {
			case n == nil:
			case n.isLeaf():
				at(v.id, n, v.keys)
			default:
				at(v.id, n, nil)
				var under [16][]Key
				for _, k := range v.keys {
					under[k.step(depth)] = append(under[k.step(depth)], k)
				}
				for i, keys := range under {
					if len(keys) > 0 {
						next = append(next, visit{n.kids[i], keys})
					}
				}
			}
		}
		level = next
	}
	return nil
}

// Walk returns all entries of these classes, sorted by key.
func Walk(root NodeID, load Loader, classes ...Class) ([]Entry, error) {
	var entries []Entry
	level := []NodeID{root}
	if root == (NodeID{}) {
		level = nil
	}
	for depth := 0; len(level) > 0; depth++ {
		nodes, err := load.load(slices.Clone(level))
		if err != nil {
			return nil, err
		}
		var next []NodeID
		for _, id := range level {
			n := nodes[id]
			for _, e := range n.entries {
				if slices.Contains(classes, e.Key.Class()) {
					entries = append(entries, e)
				}
			}
			for i, kid := range n.kids {
				if kid != (NodeID{}) && (depth > 0 || slices.Contains(classes, Class(i))) {
					next = append(next, kid)
				}
			}
		}
		level = next
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Key.compare(b.Key) })
	return entries, nil
}

// A Change is a key with different events in two states; Old or New is 0 if
// that state has none.
type Change struct {
	Key      Key
	Old, New int64
}

// A side is a subtree of one of two trees: a node, or some entries of a leaf
// where the other tree has a branch.
type side struct {
	id      NodeID
	entries []Entry
}

// A pair is two subtrees, at the same position, that differ.
type pair struct{ a, b side }

// Diff returns the differences between two trees, sorted by key. It reads only
// nodes that they do not share.
func Diff(a, b NodeID, load Loader) ([]Change, error) {
	var changes []Change
	level := []pair{{side{id: a}, side{id: b}}}
	for depth := 0; len(level) > 0; depth++ {
		var ids []NodeID
		for _, p := range level {
			for _, s := range []side{p.a, p.b} {
				if s.id != (NodeID{}) && p.a.id != p.b.id {
					ids = append(ids, s.id)
				}
			}
		}
		nodes, err := load.load(ids)
		if err != nil {
			return nil, err
		}
		var next []pair
		for _, p := range level {
			if p.a.id == p.b.id && p.a.id != (NodeID{}) {
				continue
			}
			kidsA, leafA := p.a.children(nodes, depth)
			kidsB, leafB := p.b.children(nodes, depth)
			if leafA && leafB {
				changes = merge(changes, p.a.all(nodes), p.b.all(nodes))
				continue
			}
			for i := range kidsA {
				if !kidsA[i].empty() || !kidsB[i].empty() {
					next = append(next, pair{kidsA[i], kidsB[i]})
				}
			}
		}
		level = next
	}
	slices.SortFunc(changes, func(a, b Change) int { return a.Key.compare(b.Key) })
	return changes, nil
}

func (s side) empty() bool { return s.id == (NodeID{}) && len(s.entries) == 0 }

// all returns the entries of a side that has no branches.
func (s side) all(nodes map[NodeID]*Node) []Entry {
	if n := nodes[s.id]; n != nil {
		return n.entries
	}
	return s.entries
}

// children returns the sixteen children of a side, and whether it is a leaf.
func (s side) children(nodes map[NodeID]*Node, depth int) (kids [16]side, isLeaf bool) {
	if n := nodes[s.id]; n != nil && !n.isLeaf() {
		for i, id := range n.kids {
			kids[i].id = id
		}
		return kids, false
	}
	for _, e := range s.all(nodes) {
		kid := &kids[e.Key.step(depth)]
		kid.entries = append(kid.entries, e)
	}
	return kids, true
}

// merge appends the differences between two sorted lists of entries.
func merge(changes []Change, a, b []Entry) []Change {
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Key.compare(b[0].Key) < 0:
			changes = append(changes, Change{Key: a[0].Key, Old: a[0].NID})
			a = a[1:]
		case len(a) == 0 || b[0].Key.compare(a[0].Key) < 0:
			changes = append(changes, Change{Key: b[0].Key, New: b[0].NID})
			b = b[1:]
		default:
			if a[0].NID != b[0].NID {
				changes = append(changes, Change{Key: a[0].Key, Old: a[0].NID, New: b[0].NID})
			}
			a, b = a[1:], b[1:]
		}
	}
	return changes
}
