// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Direction says which way the judged bytes went.
type Direction string

const (
	Request Direction = "request" // somebody sent them to this server
	Answer  Direction = "answer"  // this server answered with them
	Event   Direction = "event"   // they are an event, whoever made it
)

// A Violation is one place where traffic departs from the specification. It
// holds no values from the traffic, only names and places.
type Violation struct {
	Rule      string    `json:"rule"`
	Setting   Setting   `json:"setting"`
	Direction Direction `json:"direction"`
	API       string    `json:"api,omitempty"`
	Operation string    `json:"operation,omitempty"` // or the type of the event
	Status    int       `json:"status,omitempty"`    // of an answer
	Pointer   string    `json:"pointer"`             // into the body; "" is the whole
	Keyword   string    `json:"keyword,omitempty"`   // of JSON Schema
	Schema    string    `json:"schema,omitempty"`    // where the keyword stands
	Expected  string    `json:"expected"`
	Link      string    `json:"link"`
	Who       string    `json:"who"` // sent the bytes
}

// Error says everything in one line.
func (v *Violation) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", v.Operation, v.Direction)
	if v.Status != 0 {
		fmt.Fprintf(&b, " %d", v.Status)
	}
	fmt.Fprintf(&b, " at %q: %s (%s, sent by the %s, %s)", v.Pointer, v.Expected, v.Rule, v.Who, v.Link)
	return b.String()
}

// RuleID names the rule, for the log.
func (v *Violation) RuleID() string { return v.Rule }

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
	rule, api, operation, place, expected string
	direction                             Direction
	status                                int
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
	k := kind{v.Rule, v.API, v.Operation, cmp.Or(v.Schema, v.Pointer), v.Expected, v.Direction, v.Status}
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
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.API, b.API), cmp.Compare(a.Operation, b.Operation),
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
