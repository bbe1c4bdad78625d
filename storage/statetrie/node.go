// SPDX-License-Identifier: Apache-2.0

// Package statetrie stores the state of rooms, a map from (type, state key) to
// an event's number, as trees that share nodes. The shape of a tree depends
// only on its contents, and a node is named by the hash of its encoding. Equal
// states therefore have equal root IDs, a change adds only the nodes on one
// path, and two states can be compared without reading the nodes that they
// share.
//
// The package is pure: the caller passes a function that loads nodes, and
// stores the new nodes that it gets back. Events are only numbers here.
package statetrie

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// A NodeID is the hash of a node's encoding, and so names the whole subtree.
// The zero NodeID is the empty tree.
type NodeID [16]byte

// String returns the ID as 22 characters of base64url, "" for the empty tree.
func (id NodeID) String() string {
	if id == (NodeID{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// ParseNodeID parses the result of String.
func ParseNodeID(s string) (id NodeID, err error) {
	if s == "" {
		return id, nil
	}
	if base64.RawURLEncoding.DecodedLen(len(s)) != len(id) {
		return id, fmt.Errorf("state node id of %d letters", len(s))
	}
	_, err = base64.RawURLEncoding.Strict().Decode(id[:], []byte(s))
	return id, err
}

// A Class is the first step of a key's path. Members have a subtree of their
// own, so that the other state of a large room needs few nodes.
type Class byte

// The classes.
const (
	Other  Class = 0
	Member Class = 1
)

// A Key is a (type, state key) hashed: the class, then 16 bytes of SHA-256.
type Key [17]byte

// KeyOf hashes a type and state key.
func KeyOf(typ, stateKey string) (k Key) {
	var buf [128]byte
	text := append(append(append(buf[:0], typ...), 0), stateKey...)
	sum := sha256.Sum256(text)
	if typ == "m.room.member" {
		k[0] = byte(Member)
	}
	copy(k[1:], sum[:])
	return k
}

// Class returns the subtree of the key.
func (k Key) Class() Class { return Class(k[0]) }

// maxDepth is the number of steps a key has: its class and 32 nibbles.
const maxDepth = 33

// step returns the index of the child that leads to the key at a depth.
func (k Key) step(depth int) int {
	if depth == 0 {
		return int(k[0])
	}
	b := k[1+(depth-1)/2]
	if depth%2 == 1 {
		return int(b >> 4)
	}
	return int(b & 15)
}

func (k Key) compare(other Key) int { return bytes.Compare(k[:], other[:]) }

// An Entry is a key of the state with the number of its event.
type Entry struct {
	Key Key
	NID int64
}

// maxLeaf is the maximum number of entries of a leaf; a tree with more is a
// branch. So the shape depends on the contents alone.
const maxLeaf = 16

// A Node is a decoded leaf or branch. It is immutable.
type Node struct {
	entries []Entry    // of a leaf, sorted by key
	kids    [16]NodeID // of a branch; zero for no child
	count   int        // number of entries in the subtree
}

// Count returns the number of entries in the subtree.
func (n *Node) Count() int { return n.count }

func leaf(entries []Entry) *Node { return &Node{entries: entries, count: len(entries)} }

func (n *Node) isLeaf() bool { return n.count <= maxLeaf }

// encode returns the encoding: a leaf is 0 and its entries; a branch is 1, the
// bitmap of its children, the count, and the IDs of the children.
func (n *Node) encode() []byte {
	if n.isLeaf() {
		b := make([]byte, 1, 1+len(n.entries)*(len(Key{})+5))
		for _, e := range n.entries {
			b = append(b, e.Key[:]...)
			b = binary.AppendUvarint(b, uint64(e.NID))
		}
		return b
	}
	b := make([]byte, 3, 3+5+len(n.kids)*len(NodeID{}))
	b[0] = 1
	var bitmap uint16
	b = binary.AppendUvarint(b, uint64(n.count))
	for i, kid := range n.kids {
		if kid != (NodeID{}) {
			bitmap |= 1 << i
			b = append(b, kid[:]...)
		}
	}
	binary.BigEndian.PutUint16(b[1:], bitmap)
	return b
}

func hash(encoded []byte) (id NodeID) {
	sum := sha256.Sum256(encoded)
	copy(id[:], sum[:])
	return id
}

var errNode = errors.New("state node does not decode")

// Decode decodes a node.
func Decode(b []byte) (*Node, error) {
	if len(b) == 0 {
		return nil, errNode
	}
	switch b[0] {
	case 0:
		return decodeLeaf(b[1:])
	case 1:
		return decodeBranch(b[1:])
	}
	return nil, errNode
}

func decodeLeaf(b []byte) (*Node, error) {
	var entries []Entry
	for len(b) > 0 {
		var e Entry
		if len(b) <= len(e.Key) {
			return nil, errNode
		}
		copy(e.Key[:], b)
		nid, n := binary.Uvarint(b[len(e.Key):])
		if n <= 0 || nid == 0 || int64(nid) < 0 || e.Key[0] > 15 {
			return nil, errNode
		}
		if last := len(entries) - 1; last >= 0 && entries[last].Key.compare(e.Key) >= 0 {
			return nil, errNode
		}
		e.NID = int64(nid)
		entries, b = append(entries, e), b[len(e.Key)+n:]
	}
	if len(entries) == 0 || len(entries) > maxLeaf {
		return nil, errNode
	}
	return leaf(entries), nil
}

func decodeBranch(b []byte) (*Node, error) {
	if len(b) < 2 {
		return nil, errNode
	}
	bitmap := binary.BigEndian.Uint16(b)
	count, n := binary.Uvarint(b[2:])
	if n <= 0 || count <= maxLeaf || count > 1<<40 {
		return nil, errNode
	}
	b = b[2+n:]
	if len(b) != bits.OnesCount16(bitmap)*len(NodeID{}) || bitmap == 0 {
		return nil, errNode
	}
	node := &Node{count: int(count)}
	for i := range node.kids {
		if bitmap&(1<<i) == 0 {
			continue
		}
		copy(node.kids[i][:], b)
		if node.kids[i] == (NodeID{}) {
			return nil, errNode
		}
		b = b[len(NodeID{}):]
	}
	return node, nil
}
