// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"touchstone.example/storage/statetrie"
)

// The state of a room at any time is named by a root: the id of a tree of
// shared nodes (package statetrie), "" for no state. Roots are compared with ==:
// equal states have equal roots.

// A StateKey is the key of a state event: its type and state key.
type StateKey struct{ Type, Key string }

// A StateClass is a part of a room's state.
type StateClass int

// The classes. Members are most of a large room's state and seldom needed.
const (
	StateAll StateClass = iota
	StateMembers
	StateOther // everything but m.room.member
)

func (c StateClass) classes() []statetrie.Class {
	switch c {
	case StateMembers:
		return []statetrie.Class{statetrie.Member}
	case StateOther:
		return []statetrie.Class{statetrie.Other}
	}
	return []statetrie.Class{statetrie.Other, statetrie.Member}
}

var (
	qStateNodes      = q("state_nodes", `SELECT node_id, body FROM state_nodes WHERE node_id = ANY($1)`)
	qInsertStateNode = q("insert_state_node", `INSERT INTO state_nodes (node_id, body) VALUES ($1, $2)
		ON CONFLICT (node_id) DO NOTHING`)
	qPutRoomState = q("put_room_state", `INSERT INTO room_state (room_nid, pos, root, by_resolution) VALUES ($1, $2, $3, $4)
		ON CONFLICT (room_nid, pos) DO UPDATE SET root = excluded.root, by_resolution = excluded.by_resolution`)
	qRoomStateAt  = q("room_state_at", `SELECT root FROM room_state WHERE room_nid = $1 AND pos <= $2 ORDER BY pos DESC LIMIT 1`)
	qRoomStatesAt = q("room_states_at", `SELECT r.nid, COALESCE((SELECT s.root FROM room_state s
			WHERE s.room_nid = r.nid AND s.pos <= $2 ORDER BY s.pos DESC LIMIT 1), '')
		FROM rooms r WHERE r.nid = ANY($1)`)
)

// StateGet looks up the events under some keys. Keys without one are missing.
func (r *Reader) StateGet(ctx context.Context, root string, keys ...StateKey) (map[StateKey]int64, error) {
	id, err := statetrie.ParseNodeID(root)
	if err != nil {
		return nil, err
	}
	hashed := make([]statetrie.Key, len(keys))
	for i, k := range keys {
		hashed[i] = statetrie.KeyOf(k.Type, k.Key)
	}
	found, err := statetrie.Get(id, hashed, r.loader(ctx, true))
	if err != nil {
		return nil, err
	}
	events := make(map[StateKey]int64, len(found))
	for i, k := range keys {
		if nid, ok := found[hashed[i]]; ok {
			events[k] = nid
		}
	}
	return events, nil
}

// StateLoad returns the events of a state or of a part of it, in an order that depends
// only on the state.
func (r *Reader) StateLoad(ctx context.Context, root string, class StateClass) ([]int64, error) {
	id, err := statetrie.ParseNodeID(root)
	if err != nil {
		return nil, err
	}
	entries, err := statetrie.Walk(id, r.loader(ctx, class == StateOther), class.classes()...)
	if err != nil {
		return nil, err
	}
	nids := make([]int64, len(entries))
	for i, e := range entries {
		nids[i] = e.NID
	}
	return nids, nil
}

// A StateChange is the difference of two states at one key. Old or New is 0 for no
// event.
type StateChange struct{ Old, New int64 }

// StateDiff returns the differences of two states, at a cost in proportion to their
// number. Its order depends only on the states.
func (r *Reader) StateDiff(ctx context.Context, a, b string) ([]StateChange, error) {
	if a == b {
		return nil, nil
	}
	from, err := statetrie.ParseNodeID(a)
	if err != nil {
		return nil, err
	}
	to, err := statetrie.ParseNodeID(b)
	if err != nil {
		return nil, err
	}
	diff, err := statetrie.Diff(from, to, r.loader(ctx, true))
	if err != nil {
		return nil, err
	}
	changes := make([]StateChange, len(diff))
	for i, c := range diff {
		changes[i] = StateChange{c.Old, c.New}
	}
	return changes, nil
}

// A StateSet sets the event at a key of a state; NID 0 removes it.
type StateSet struct {
	StateKey
	NID int64
}

// StateApply changes a state and returns the new state's root.
func (w *Writer) StateApply(ctx context.Context, root string, set ...StateSet) (string, error) {
	id, err := statetrie.ParseNodeID(root)
	if err != nil {
		return "", err
	}
	entries := make([]statetrie.Entry, len(set))
	for i, s := range set {
		entries[i] = statetrie.Entry{Key: statetrie.KeyOf(s.Type, s.Key), NID: s.NID}
	}
	id, fresh, err := statetrie.Apply(id, entries, w.loader(ctx, true))
	if err != nil {
		return "", err
	}
	nodes := make(map[statetrie.NodeID]*statetrie.Node, len(fresh))
	for _, f := range fresh {
		// Nodes in the cache are inserted too: the transaction that put them there may
		// have been, or may be, rolled back.
		if err := w.enqueue(ctx, qInsertStateNode, f.ID.String(), f.Body); err != nil {
			return "", err
		}
		nodes[f.ID] = f.Node
	}
	w.db.nodes.add(nodes)
	return id.String(), nil
}

// PutRoomState stores the root of a room's current state from a position on.
// byResolution says that state resolution changed more than the event at this position.
func (w *Writer) PutRoomState(ctx context.Context, roomNID, pos int64, root string, byResolution bool) error {
	return w.enqueue(ctx, qPutRoomState, roomNID, pos, root, byResolution)
}

// RoomStateAt returns the root of a room's current state as of a position, ""
// when the room was not known then.
func (r *Reader) RoomStateAt(ctx context.Context, roomNID, pos int64) (root string, err error) {
	err = r.row(ctx, qRoomStateAt, []any{roomNID, pos}, &root)
	if err == ErrNotFound {
		return "", nil
	}
	return root, err
}

// RoomStatesAt is RoomStateAt for several rooms.
func (r *Reader) RoomStatesAt(ctx context.Context, roomNIDs []int64, pos int64) (map[int64]string, error) {
	roots := make(map[int64]string, len(roomNIDs))
	err := r.rows(ctx, qRoomStatesAt, []any{roomNIDs, pos}, func(scan scanFunc) error {
		var roomNID int64
		var root string
		err := scan(&roomNID, &root)
		roots[roomNID] = root
		return err
	})
	return roots, err
}

// nodesAtOnce bounds the nodes of one query.
const nodesAtOnce = 2000

// loader reads nodes from the cache and the database. A walk through all members of a
// room would evict everything else from the cache, so it only reads the cache.
func (r *Reader) loader(ctx context.Context, keep bool) statetrie.Loader {
	return func(ids []statetrie.NodeID) (map[statetrie.NodeID]*statetrie.Node, error) {
		nodes, missing := r.db.nodes.get(ids)
		if len(missing) == 0 {
			return nodes, nil
		}
		read := make(map[statetrie.NodeID]*statetrie.Node, len(missing))
		for chunk := range slices.Chunk(missing, nodesAtOnce) {
			if err := r.stateNodes(ctx, chunk, read); err != nil {
				return nil, err
			}
		}
		for id, n := range read {
			nodes[id] = n
		}
		if keep {
			r.db.nodes.add(read)
		}
		return nodes, nil
	}
}

func (r *Reader) stateNodes(ctx context.Context, ids []statetrie.NodeID, into map[statetrie.NodeID]*statetrie.Node) error {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = id.String()
	}
	return r.rows(ctx, qStateNodes, []any{keys}, func(scan scanFunc) error {
		var key string
		var body []byte
		if err := scan(&key, &body); err != nil {
			return err
		}
		id, err := statetrie.ParseNodeID(key)
		if err != nil {
			return err
		}
		if into[id], err = statetrie.Decode(body); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
}

// nodeCache holds state nodes, which never change. When the younger half is
// full, the older is dropped and the younger takes its place.
type nodeCache struct {
	mu             sync.Mutex
	limit          int
	younger, older map[statetrie.NodeID]*statetrie.Node
}

func (c *nodeCache) get(ids []statetrie.NodeID) (found map[statetrie.NodeID]*statetrie.Node, missing []statetrie.NodeID) {
	found = make(map[statetrie.NodeID]*statetrie.Node, len(ids))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		n := c.younger[id]
		if n == nil {
			if n = c.older[id]; n != nil {
				c.put(id, n)
			}
		}
		if n == nil {
			missing = append(missing, id)
		} else {
			found[id] = n
		}
	}
	return found, missing
}

func (c *nodeCache) add(nodes map[statetrie.NodeID]*statetrie.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range nodes {
		c.put(id, n)
	}
}

func (c *nodeCache) put(id statetrie.NodeID, n *statetrie.Node) {
	if c.younger == nil || len(c.younger) >= c.limit/2 {
		c.older, c.younger = c.younger, make(map[statetrie.NodeID]*statetrie.Node)
	}
	c.younger[id] = n
}
