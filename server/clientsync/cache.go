// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"sync"

	"touchstone.example/server/feed"
)

// A roomCache remembers facts about rooms, each until anything changes in its room:
// all members are told of a change at about the same time, and what is the same
// for all of them is read once. Nobody changes a value that is in it.
type roomCache[V any] struct {
	mu      sync.Mutex
	entries map[int64]cacheEntry[V] // by the row of what they are about
}

type cacheEntry[V any] struct {
	value V
	room  int64
	asOf  int64
}

// maxEntries bounds the memory that a memo takes.
const maxEntries = 2048

// get returns the facts that still hold, and what there is none of.
func (m *roomCache[V]) get(f *feed.Feed, nids []int64) (known map[int64]V, unknown []int64) {
	known = make(map[int64]V, len(nids))
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, nid := range nids {
		if of, ok := m.entries[nid]; ok && !f.Changed(of.asOf, feed.Room(of.room)) {
			known[nid] = of.value
		} else {
			unknown = append(unknown, nid)
		}
	}
	return known, unknown
}

// put remembers what was read on a snapshot in which all up to asOf is there.
func (m *roomCache[V]) put(nid int64, value V, room, asOf int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil || len(m.entries) >= maxEntries {
		m.entries = map[int64]cacheEntry[V]{}
	}
	m.entries[nid] = cacheEntry[V]{value, room, asOf}
}
