// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"sync"

	"touchstone.example/server/feed"
)

// A memo remembers facts about rooms, each until anything changes in its room:
// all members are told of a change at about the same time, and what is the same
// for all of them is read once. Nobody changes a value that is in it.
type memo[V any] struct {
	mu    sync.Mutex
	facts map[int64]fact[V] // by the row of what they are about
}

type fact[V any] struct {
	value V
	room  int64
	asOf  int64
}

// maxFacts bounds the memory that a memo takes.
const maxFacts = 2048

// look returns the facts that still hold, and what there is none of.
func (m *memo[V]) look(f *feed.Feed, nids []int64) (known map[int64]V, unknown []int64) {
	known = make(map[int64]V, len(nids))
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, nid := range nids {
		if of, ok := m.facts[nid]; ok && !f.Changed(of.asOf, feed.Room(of.room)) {
			known[nid] = of.value
		} else {
			unknown = append(unknown, nid)
		}
	}
	return known, unknown
}

// note remembers what was read on a snapshot in which all up to asOf is there.
func (m *memo[V]) note(nid int64, value V, room, asOf int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.facts == nil || len(m.facts) >= maxFacts {
		m.facts = map[int64]fact[V]{}
	}
	m.facts[nid] = fact[V]{value, room, asOf}
}
