// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"cmp"
	"slices"
	"sync"

	"touchstone.example/api"
)

// What a violation is made of stands in api, whose decoders make some too.
type (
	Violation = api.Violation
	Where     = api.Where
	Sender    = api.Sender
	Direction = api.Direction
	Setting   = api.Setting
)

// Which way the judged bytes went.
const (
	Request = api.DirectionRequest
	Answer  = api.DirectionAnswer
	Event   = api.DirectionEvent
)

// What becomes of a violation.
const (
	Off     = api.SettingOff
	Report  = api.SettingReport
	Enforce = api.SettingEnforce
)

// A Count is a violation and how often it was seen. The pointer is that of
// the first time.
type Count struct {
	Violation
	Times int `json:"times"`
}

// maxKinds bounds how many different violations a Log holds.
const maxKinds = 4096

// kind is what makes two violations the same. Where there is a place in a
// schema, it stands for the pointer, which may lead there through a thousand
// room ids.
type kind struct {
	rule, operation, event, place, expected string
	direction                               Direction
	status                                  int
}

// A Log counts violations. Its zero value is ready.
type Log struct {
	mu    sync.Mutex
	seen  map[kind]*Count
	first []*Count
	lost  int
}

// Add counts a violation.
func (l *Log) Add(v Violation) {
	k := kind{v.Rule, v.Operation, v.Event, cmp.Or(v.Schema, v.Where.String()), v.Expected, v.Direction, v.Status}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.seen[k]; c != nil {
		c.Times++
		return
	}
	if len(l.first) == maxKinds {
		l.lost++
		return
	}
	if l.seen == nil {
		l.seen = map[kind]*Count{}
	}
	c := &Count{v, 1}
	l.seen[k] = c
	l.first = append(l.first, c)
}

// All returns the violations in order of their rule, operation and pointer.
func (l *Log) All() []Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Count, len(l.first))
	for i, c := range l.first {
		out[i] = *c
	}
	slices.SortStableFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Event, b.Event),
			cmp.Compare(a.Status, b.Status), cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Expected, b.Expected))
	})
	return out
}

// Enforced returns the violations of rules that are enforced in one
// direction: what makes a run fail.
func (l *Log) Enforced(d Direction) []Count {
	return slices.DeleteFunc(l.All(), func(c Count) bool { return c.Direction != d || c.Setting != Enforce })
}

// Lost returns how many violations of further kinds were not kept.
func (l *Log) Lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// Reset forgets everything.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.first, l.lost = nil, nil, 0
}
