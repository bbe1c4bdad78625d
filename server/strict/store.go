// SPDX-License-Identifier: Apache-2.0

package strict

import "sync"

// DefaultStored is how many violations a Store keeps.
const DefaultStored = 10_000

// A Store keeps the newest violations, one by one, for who asks for those of a
// client. It is bounded: the oldest make room for new ones. Its zero value is
// ready and keeps DefaultStored.
type Store struct {
	Size int // how many it keeps; 0 for DefaultStored

	mu    sync.Mutex
	ring  []Violation
	start int // of the oldest, once the ring is full
	seq   int64
	lost  int64
}

// A Query selects violations: those that match every field that is set.
type Query struct {
	User      string // the sender's user ID
	Device    string
	Operation string // clientapi.sendMessage
	Rule      string
	Since     int64 // only those after this Seq
	Limit     int   // at most so many; 0 for all
}

func (q *Query) matches(v *Violation) bool {
	return v.Seq > q.Since && (q.User == "" || v.Who.User == q.User) && (q.Device == "" || v.Who.Device == q.Device) &&
		(q.Operation == "" || v.Operation == q.Operation) && (q.Rule == "" || v.Rule == q.Rule)
}

// Add stores a violation and returns its Seq.
func (s *Store) Add(v Violation) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	v.Seq = s.seq
	size := s.Size
	if size == 0 {
		size = DefaultStored
	}
	if len(s.ring) < size {
		s.ring = append(s.ring, v)
		return v.Seq
	}
	s.ring[s.start] = v
	s.start = (s.start + 1) % size
	s.lost++
	return v.Seq
}

// List returns what a query selects, oldest first, and what to put into Since
// for those that come after: the Seq of the last one looked at.
func (s *Store) List(q Query) (found []Violation, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found = []Violation{}
	for i := range s.ring {
		v := &s.ring[(s.start+i)%len(s.ring)]
		if !q.matches(v) {
			continue
		}
		if q.Limit > 0 && len(found) == q.Limit {
			return found, found[q.Limit-1].Seq
		}
		found = append(found, *v)
	}
	return found, max(s.seq, q.Since)
}

// Clear forgets what a query selects and returns how many that were. Seq goes
// on from where it was. Limit does not count here.
func (s *Store) Clear(q Query) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest []Violation
	for i := range s.ring {
		if v := &s.ring[(s.start+i)%len(s.ring)]; !q.matches(v) {
			rest = append(rest, *v)
		}
	}
	gone := len(s.ring) - len(rest)
	s.ring, s.start = rest, 0
	return gone
}

// Reset forgets everything, and begins to count anew.
func (s *Store) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring, s.start, s.seq, s.lost = nil, 0, 0, 0
}

// Lost returns how many violations had to make room for newer ones.
func (s *Store) Lost() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}
