// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"slices"
	"sync"

	"touchstone.example/api/id"
)

// maxBatch bounds how many queued jobs of a room share one commit.
const maxBatch = 64

// roomQueues are keyed first-in, first-out queues: one room's writes go one after the
// other, and those that have queued up are committed together. No request to another
// server is made while a queue's leader works.
type roomQueues struct {
	mu    sync.Mutex
	rooms map[int64]*roomQueue
}

type roomQueue struct{ waiting []*job }

// A job is one caller's change of a room. build runs on a room's head and returns what
// to commit, alone commits by itself and returns the last position; both may run
// several times. done is closed when all jobs that the lane's leader has taken are
// finished.
type job struct {
	build    func(ctx context.Context, h *head) (*Plan, error)
	alone    func(ctx context.Context, h *head) (int64, error) // in place of build
	single   bool                                              // must have its own transaction
	plan     *Plan
	finished bool // ids, pos and err are final
	ids      []id.EventID
	pos      int64 // of the last event
	err      error
	done     chan struct{}
	lead     chan struct{} // closed when this caller must lead the next batch
}

// run queues j and returns when it is committed or refused. The first caller
// in an empty lane leads: commit receives its job together with those queued
// behind it. Leadership then passes to the first that still waits.
func (l *roomQueues) run(ctx context.Context, room int64, j *job, commit func(context.Context, int64, []*job)) error {
	j.done, j.lead = make(chan struct{}), make(chan struct{})
	l.mu.Lock()
	if l.rooms == nil {
		l.rooms = map[int64]*roomQueue{}
	}
	q := l.rooms[room]
	leader := q == nil
	if leader {
		q = &roomQueue{}
		l.rooms[room] = q
	}
	q.waiting = append(q.waiting, j)
	l.mu.Unlock()
	if !leader {
		select {
		case <-j.done:
			return j.err
		case <-j.lead:
		case <-ctx.Done():
			if l.cancel(q, j) {
				return ctx.Err()
			}
			select { // already taken by a leader, or made one
			case <-j.done:
				return j.err
			case <-j.lead:
			}
		}
	}
	l.runBatch(ctx, room, q, commit)
	return j.err
}

// cancel takes j out of the queue, unless a leader has it already.
func (l *roomQueues) cancel(q *roomQueue, j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-j.lead:
		return false
	default:
	}
	for i, w := range q.waiting {
		if w == j {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// runBatch commits the jobs at the head of the queue and passes the lane on. The
// batch runs to its end even if the leader's client goes away: others' jobs
// are in it.
func (l *roomQueues) runBatch(ctx context.Context, room int64, q *roomQueue, commit func(context.Context, int64, []*job)) {
	l.mu.Lock()
	n := min(len(q.waiting), maxBatch)
	jobs := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		if len(q.waiting) > 0 {
			close(q.waiting[0].lead)
		} else {
			delete(l.rooms, room)
		}
		l.mu.Unlock()
		for _, j := range jobs {
			close(j.done)
		}
	}()
	commit(context.WithoutCancel(ctx), room, slices.Clone(jobs))
}
