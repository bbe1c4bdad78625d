// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"context"
	"sync"
	"time"

	"touchstone.example/api"
)

const (
	// maxPages and maxFullStates are how many large answers one caller gets at a time:
	// pages, and complete answers.
	maxPages      = 4
	maxFullStates = 2
	// turnTimeout is how long a request waits for its turn. Together with the write
	// timeout it is less than a minute.
	turnTimeout = 20 * time.Second
	// maxHeld bounds the bytes in memory for one caller: bodies being received and
	// answers being sent. A single one may be larger, since some answers cannot be cut.
	maxHeld = 16 << 20
)

// turns lets each caller do a few things at a time. It stores nothing for inactive
// callers.
type turns struct {
	atOnce int

	mu    sync.Mutex
	queue map[string]*queue
}

// A queue is the turns of one caller: those in use and those waited for.
type queue struct {
	slots chan struct{}
	users int // with a turn or waiting
}

func (t *turns) take(ctx context.Context, caller string) (done func(), err error) {
	q := t.join(caller)
	select {
	case q.slots <- struct{}{}:
		return t.ender(caller, q), nil
	default:
	}
	patience := time.NewTimer(turnTimeout)
	defer patience.Stop()
	select {
	case q.slots <- struct{}{}:
		return t.ender(caller, q), nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-patience.C:
		err = api.LimitExceeded(time.Second)
	}
	t.leave(caller, q)
	return nil, err
}

func (t *turns) ender(caller string, q *queue) func() {
	return func() {
		<-q.slots
		t.leave(caller, q)
	}
}

func (t *turns) join(caller string) *queue {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queue[caller]
	if q == nil {
		q = &queue{slots: make(chan struct{}, t.atOnce)}
		if t.queue == nil {
			t.queue = map[string]*queue{}
		}
		t.queue[caller] = q
	}
	q.users++
	return q
}

func (t *turns) leave(caller string, q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(t.queue, caller)
	}
}

// heldBytes counts the bytes in memory by caller. The zero value is ready.
type heldBytes struct {
	mu    sync.Mutex
	bytes map[string]int64
}

func (h *heldBytes) take(caller string, n int64) (done func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.bytes[caller]
	if now > 0 && now+n > maxHeld {
		return nil, false
	}
	if h.bytes == nil {
		h.bytes = map[string]int64{}
	}
	h.bytes[caller] = now + n
	return func() { h.give(caller, n) }, true
}

func (h *heldBytes) give(caller string, n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bytes[caller] -= n; h.bytes[caller] == 0 {
		delete(h.bytes, caller)
	}
}
