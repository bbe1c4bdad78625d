// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"hash/maphash"
	"slices"
	"sync"
)

const (
	shards = 64
	// keysPerShard bounds the remembered keys that have no waiter.
	keysPerShard = 1024
)

// waiters holds the waiters of each key and when each key last changed.
type waiters struct {
	seed   maphash.Seed
	shards [shards]shard
	all    shard // under the zero Key: waiters for any change
}

type shard struct {
	mu   sync.Mutex
	keys map[Key]*entry
	// floor is an upper bound of the last change of keys that are not in the map.
	floor int64
}

// An entry is one key: its last change, if that is after the floor, and the list of its
// waiters.
type entry struct {
	last int64
	head *link
}

// A waiter is one Wait.
type waiter struct {
	wake  chan struct{}
	links []link // one a key
}

// A link is a waiter's element in the list of one key.
type link struct {
	key        Key
	waiter     *waiter
	prev, next *link
}

func (t *waiters) init(floor int64) {
	t.seed = maphash.MakeSeed()
	t.all.keys = map[Key]*entry{}
	for i := range t.shards {
		t.shards[i].keys = map[Key]*entry{}
		t.shards[i].floor = floor
	}
}

func (t *waiters) shard(k Key) *shard {
	if k == (Key{}) {
		return &t.all
	}
	return &t.shards[maphash.Comparable(t.seed, k)%shards]
}

// register makes a waiter for the keys, or for anything when there are none.
func (t *waiters) register(keys []Key) *waiter {
	w := &waiter{wake: make(chan struct{}, 1), links: make([]link, max(1, len(keys)))}
	for i := range w.links {
		l := &w.links[i]
		l.waiter = w
		if len(keys) > 0 {
			l.key = keys[i]
		}
		t.shard(l.key).add(l)
	}
	return w
}

func (t *waiters) remove(w *waiter) {
	for i := range w.links {
		t.shard(w.links[i].key).remove(&w.links[i])
	}
}

func (s *shard) add(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.keys[l.key]
	if e == nil {
		e = &entry{}
		s.keys[l.key] = e
	}
	l.next = e.head
	if e.head != nil {
		e.head.prev = l
	}
	e.head = l
}

func (s *shard) remove(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.next != nil {
		l.next.prev = l.prev
	}
	if l.prev != nil {
		l.prev.next = l.next
		return
	}
	e := s.keys[l.key]
	e.head = l.next
	if e.head == nil && e.last <= s.floor {
		delete(s.keys, l.key)
	}
}

// last returns an upper bound of the keys' last change. It is exact if it is after
// since, or if no key was evicted.
func (t *waiters) last(keys []Key, since int64) (last int64) {
	for _, k := range keys {
		s := t.shard(k)
		s.mu.Lock()
		last = max(last, s.floor)
		if e := s.keys[k]; e != nil {
			last = max(last, e.last)
		}
		s.mu.Unlock()
		if last > since {
			return last
		}
	}
	return last
}

// recordChange records a change of a key and appends its waiters to the list.
func (t *waiters) recordChange(k Key, pos int64, woken []*waiter) []*waiter {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.keys[k]
	if e == nil {
		if len(s.keys) >= keysPerShard {
			s.evict()
		}
		e = &entry{}
		s.keys[k] = e
	}
	e.last = pos
	for l := e.head; l != nil; l = l.next {
		woken = append(woken, l.waiter)
	}
	return woken
}

// allWaiters appends the waiters for any change to the list.
func (t *waiters) allWaiters(woken []*waiter) []*waiter {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	if e := t.all.keys[Key{}]; e != nil {
		for l := e.head; l != nil; l = l.next {
			woken = append(woken, l.waiter)
		}
	}
	return woken
}

// evict removes the older half of the keys without waiters and raises the floor above
// their last changes.
func (s *shard) evict() {
	var idle []int64
	for _, e := range s.keys {
		if e.head == nil {
			idle = append(idle, e.last)
		}
	}
	if len(idle) == 0 {
		return
	}
	slices.Sort(idle)
	s.floor = max(s.floor, idle[len(idle)/2])
	for k, e := range s.keys {
		if e.head == nil && e.last <= s.floor {
			delete(s.keys, k)
		}
	}
}
