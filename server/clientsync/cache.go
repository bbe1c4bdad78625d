// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"sync"

	"touchstone.example/server/feed"
)

// A roomCache holds values about rooms, each valid until anything changes in its room.
// All members sync at about the same time after a change, so that what is the same for
// all of them is read once. Values in it are not modified.
type roomCache[V any] struct {
	mu      sync.Mutex
	entries map[int64]cacheEntry[V] // by the row of the value's subject
}

type cacheEntry[V any] struct {
	value V
	room  int64
	asOf  int64
}

// maxEntries bounds the memory of a cache.
const maxEntries = 2048

// get returns the valid values, and the rows for which there is none.
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

// put stores a value that was read from a snapshot with all changes up to asOf.
func (m *roomCache[V]) put(nid int64, value V, room, asOf int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil || len(m.entries) >= maxEntries {
		m.entries = map[int64]cacheEntry[V]{}
	}
	m.entries[nid] = cacheEntry[V]{value, room, asOf}
}
