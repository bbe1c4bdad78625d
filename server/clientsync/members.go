// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"cmp"
	"slices"
	"sync"

	"touchstone.example/api"
	"touchstone.example/api/id"
)

// lazyMembers remembers which membership events the answers up to a token have sent to
// a device, so that they are not sent again. An answer counts only if the client comes
// back with its token. Members of an answer that was lost are sent again; so are all
// members by another process, or by this one after a restart.
//
// Spec: client-server "Lazy-loading room members".
type lazyMembers struct {
	mu      sync.Mutex
	devices map[device]*knownMembers
	size    int
	// forgotten is the last position of a token whose record was evicted: which members
	// were sent with it is not known.
	forgotten int64
}

type device struct {
	user id.UserID
	id   string
}

// knownMembers are the last tokens that a device was given, in the order of their
// positions.
type knownMembers struct {
	tokens    []memberToken
	forgotten int64 // as in lazyMembers
}

// A memberToken lists the membership events that a holder of the token has, by row,
// sorted. The list is not modified.
type memberToken struct {
	pos     int64
	members []int64
}

const (
	maxMemberTokens = 4       // of a device: the current one, the next one, and some of lost answers
	maxKnownMembers = 8192    // of a token; with more, all of them are sent again
	maxKnownSize    = 500_000 // rows and tokens in all
)

func deviceOf(who api.Caller) device { return device{who.User, string(who.Device)} }

// get returns the membership events that a device with the token of a position has.
func (l *lazyMembers) get(d device, pos int64) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if told := l.devices[d]; told != nil {
		if i, ok := told.get(pos); ok {
			return told.tokens[i].members
		}
	}
	return nil
}

// put stores the membership events that a device with the token of a position has. Of
// several answers with the same token, any may be the one that arrived, so that only
// members in all of them count.
func (l *lazyMembers) put(d device, pos int64, members []int64) {
	if len(members) > maxKnownMembers {
		members = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > maxKnownSize {
		l.evict()
	}
	told := l.devices[d]
	if told == nil {
		if l.devices == nil {
			l.devices = map[device]*knownMembers{}
		}
		told = &knownMembers{forgotten: l.forgotten}
		l.devices[d] = told
	}
	l.size += told.put(pos, members)
}

// evict starts over.
func (l *lazyMembers) evict() {
	for _, told := range l.devices {
		l.forgotten = max(l.forgotten, told.tokens[len(told.tokens)-1].pos)
	}
	l.devices, l.size = nil, 0
}

func (t *knownMembers) get(pos int64) (int, bool) {
	return slices.BinarySearchFunc(t.tokens, pos, func(of memberToken, pos int64) int { return cmp.Compare(of.pos, pos) })
}

// put returns by how much the record has grown.
func (t *knownMembers) put(pos int64, members []int64) (grown int) {
	i, known := t.get(pos)
	if known {
		before := len(t.tokens[i].members)
		t.tokens[i].members = inBoth(t.tokens[i].members, members)
		return len(t.tokens[i].members) - before
	}
	if pos <= t.forgotten {
		members = nil
	}
	t.tokens = slices.Insert(t.tokens, i, memberToken{pos, members})
	grown = 1 + len(members)
	if len(t.tokens) > maxMemberTokens {
		first := t.tokens[0]
		t.forgotten = max(t.forgotten, first.pos)
		t.tokens = slices.Delete(t.tokens, 0, 1)
		grown -= 1 + len(first.members)
	}
	return grown
}

// inBoth returns what two sorted lists have in common.
func inBoth(a, b []int64) []int64 {
	if slices.Equal(a, b) {
		return a
	}
	return slices.DeleteFunc(slices.Clone(a), func(n int64) bool {
		_, found := slices.BinarySearch(b, n)
		return !found
	})
}

// withMore returns a sorted list with more in it.
func withMore(list, more []int64) []int64 {
	if len(more) == 0 {
		return list
	}
	all := slices.Concat(list, more)
	slices.Sort(all)
	return slices.Compact(all)
}
