// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"touchstone.example/api/id"
	"touchstone.example/storage"
)

// MaxTries is how often a commit begins.
const MaxTries = maxAttempts

var errForget = errors.New("the head is not to be remembered")

// Hold keeps a room's lane until release is called. What comes to the room
// meanwhile waits, and is one batch then, which is planned on the head that this
// process remembers, or on what the database has if it is to forget that.
func (r *Rooms) Hold(ctx context.Context, nid int64, forget bool) (release func()) {
	held, let, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, err := r.runAlone(ctx, nid, func(context.Context, *head) (int64, error) {
			close(held)
			<-let
			if forget {
				return 0, errForget
			}
			return 0, nil
		})
		if err != nil && !errors.Is(err, errForget) {
			panic(err)
		}
	}()
	<-held
	return func() { close(let); <-done }
}

// Meanwhile runs a function once, when the batch that it is in has been planned up
// to it.
func (r *Rooms) Meanwhile(ctx context.Context, nid int64, fn func()) error {
	var once sync.Once
	_, err := r.runJob(ctx, nid, func(context.Context, *head) (*Plan, error) {
		once.Do(fn)
		return &Plan{}, nil
	})
	return err
}

// Queued waits until n jobs wait in a room's lane.
func (r *Rooms) Queued(nid int64, n int) {
	for {
		r.queues.mu.Lock()
		q := r.queues.rooms[nid]
		waiting := q != nil && len(q.waiting) == n
		r.queues.mu.Unlock()
		if waiting {
			return
		}
		runtime.Gosched()
	}
}

// Plan adds events to a room, each behind the one before, with rows of their own.
func (r *Rooms) Plan(ctx context.Context, nid int64, alone bool, also func(context.Context, *storage.Writer) error, drafts ...Draft) ([]id.EventID, error) {
	return r.runJob(ctx, nid, func(ctx context.Context, h *head) (*Plan, error) {
		out, h := &Plan{ExtraWrites: also, Alone: alone}, h.cloneForBatch()
		for _, d := range drafts {
			p, err := r.buildEvent(ctx, h, d)
			if err != nil {
				return nil, err
			}
			h.applyPlanned(p)
			out.Events = append(out.Events, p)
		}
		return out, nil
	})
}
