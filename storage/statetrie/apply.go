// SPDX-License-Identifier: Apache-2.0

package statetrie

import "slices"

// A Fresh is a new node with its encoding. The store may already have an
// identical one.
type Fresh struct {
	ID   NodeID
	Node *Node
	Body []byte
}

// Apply sets entries, or removes those whose NID is 0. It returns the new root
// and the nodes that the new tree has in addition to the old one. If a key
// occurs twice, the last entry counts.
func Apply(root NodeID, set []Entry, load Loader) (NodeID, []Fresh, error) {
	latest := make(map[Key]int64, len(set))
	for _, e := range set {
		latest[e.Key] = e.NID
	}
	a := &applier{load: load, nodes: map[NodeID]*Node{}, fresh: map[NodeID]Fresh{}}
	keys := make([]Key, 0, len(latest))
	set = make([]Entry, 0, len(latest))
	for k, nid := range latest {
		keys = append(keys, k)
		set = append(set, Entry{k, nid})
	}
	sortEntries(set)
	if err := descend(root, keys, load, func(id NodeID, n *Node, _ []Key) { a.nodes[id] = n }); err != nil {
		return NodeID{}, nil, err
	}
	id, err := a.apply(root, set, 0)
	if err != nil {
		return NodeID{}, nil, err
	}
	return id, a.needed(id), nil
}

func sortEntries(list []Entry) {
	slices.SortFunc(list, func(a, b Entry) int { return a.Key.compare(b.Key) })
}

type applier struct {
	load  Loader
	nodes map[NodeID]*Node // nodes of the old tree on the paths to the keys
	fresh map[NodeID]Fresh
}

// apply changes the subtree of one node; set must be sorted and not empty.
func (a *applier) apply(id NodeID, set []Entry, depth int) (NodeID, error) {
	n := a.nodes[id]
	if n == nil || n.isLeaf() {
		var entries []Entry
		if n != nil {
			entries = n.entries
		}
		return a.build(update(entries, set), depth), nil
	}
	changed := *n
	for len(set) > 0 {
		step := set[0].Key.step(depth)
		end := 1
		for end < len(set) && set[end].Key.step(depth) == step {
			end++
		}
		before, err := a.count(n.kids[step])
		if err != nil {
			return NodeID{}, err
		}
		kid, err := a.apply(n.kids[step], set[:end], depth+1)
		if err != nil {
			return NodeID{}, err
		}
		after, err := a.count(kid)
		if err != nil {
			return NodeID{}, err
		}
		changed.kids[step] = kid
		changed.count += after - before
		set = set[end:]
	}
	if changed.count > maxLeaf {
		return a.put(&changed), nil
	}
	var entries []Entry
	for _, kid := range changed.kids {
		more, err := a.collect(kid)
		if err != nil {
			return NodeID{}, err
		}
		entries = append(entries, more...)
	}
	return a.build(entries, depth), nil
}

// update merges sorted changes into sorted entries.
func update(entries, set []Entry) []Entry {
	merged := make([]Entry, 0, len(entries)+len(set))
	for len(entries) > 0 || len(set) > 0 {
		if len(set) == 0 || len(entries) > 0 && entries[0].Key.compare(set[0].Key) < 0 {
			merged = append(merged, entries[0])
			entries = entries[1:]
			continue
		}
		if len(entries) > 0 && entries[0].Key == set[0].Key {
			entries = entries[1:]
		}
		if set[0].NID != 0 {
			merged = append(merged, set[0])
		}
		set = set[1:]
	}
	return merged
}

// build makes a tree of sorted entries.
func (a *applier) build(entries []Entry, depth int) NodeID {
	if len(entries) == 0 {
		return NodeID{}
	}
	if len(entries) <= maxLeaf {
		return a.put(leaf(entries))
	}
	if depth == maxDepth {
		panic("statetrie: more equal keys than a leaf holds")
	}
	n := &Node{count: len(entries)}
	for len(entries) > 0 {
		step := entries[0].Key.step(depth)
		end := 1
		for end < len(entries) && entries[end].Key.step(depth) == step {
			end++
		}
		n.kids[step] = a.build(entries[:end:end], depth+1)
		entries = entries[end:]
	}
	return a.put(n)
}

func (a *applier) put(n *Node) NodeID {
	body := n.encode()
	id := hash(body)
	if a.nodes[id] == nil {
		a.nodes[id] = n
		a.fresh[id] = Fresh{id, n, body}
	}
	return id
}

// node loads a node that is not on the paths, which is needed only when a
// branch becomes a leaf.
func (a *applier) node(id NodeID) (*Node, error) {
	if n := a.nodes[id]; n != nil {
		return n, nil
	}
	nodes, err := a.load.load([]NodeID{id})
	if err != nil {
		return nil, err
	}
	a.nodes[id] = nodes[id]
	return nodes[id], nil
}

func (a *applier) count(id NodeID) (int, error) {
	if id == (NodeID{}) {
		return 0, nil
	}
	n, err := a.node(id)
	if err != nil {
		return 0, err
	}
	return n.count, nil
}

// collect returns all entries of a small tree.
func (a *applier) collect(id NodeID) ([]Entry, error) {
	if id == (NodeID{}) {
		return nil, nil
	}
	n, err := a.node(id)
	if err != nil {
		return nil, err
	}
	if n.isLeaf() {
		return n.entries, nil
	}
	var entries []Entry
	for _, kid := range n.kids {
		more, err := a.collect(kid)
		if err != nil {
			return nil, err
		}
		entries = append(entries, more...)
	}
	return entries, nil
}

// needed returns those new nodes that are part of the new tree, parents first.
// A subtree that became a leaf leaves nodes that are not.
func (a *applier) needed(root NodeID) (list []Fresh) {
	var visit func(id NodeID)
	visit = func(id NodeID) {
		f, ok := a.fresh[id]
		if !ok {
			return
		}
		delete(a.fresh, id)
		list = append(list, f)
		for _, kid := range f.Node.kids {
			if kid != (NodeID{}) {
				visit(kid)
			}
		}
	}
	visit(root)
	return list
}
