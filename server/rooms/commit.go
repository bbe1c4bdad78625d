// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/storage"
)

// A plan is what one job adds to its room, in one transaction with what other
// jobs of the batch add.
type plan struct {
	events []*planned
	same   id.EventID // in place of events: what is wanted is there already
	also   also
}

// also writes rows besides the room's own. With storage.ErrConflict, everything is
// planned again.
type also func(ctx context.Context, tx *storage.Writer) error

// planned is an event that is built and allowed, not yet written.
type planned struct {
	*stored
	auth     []*stored // its auth events
	replaces *stored   // the state event that it replaces
	redacts  *stored   // the event that it redacts
	unread   unread
	pos      int64
	txn      *storage.TxnKey // the client's transaction id, if the request has one
}

// tries bounds how often a commit starts over. That another process was first is
// no failure: it has got on. A row that is there already should be settled by
// looking at it.
type tries struct{ late, met int }

const (
	maxLate = 1000
	maxMet  = 16
)

// again tells whether to start over after an error.
func (t *tries) again(err error) bool {
	switch {
	case errors.Is(err, storage.ErrConflict):
		t.late++
	case errors.Is(err, storage.ErrExists):
		t.met++
	default:
		return false
	}
	return t.late <= maxLate && t.met <= maxMet
}

// add runs a job in its room's lane and returns the ids of the events that are
// in the room when it returns: the job's own, or those of the request that it
// repeats.
func (r *Rooms) add(ctx context.Context, nid int64, build func(context.Context, *head) (*plan, error)) ([]id.EventID, error) {
	return r.run(ctx, nid, &job{build: build})
}

// addApart is add for a plan that may fail for reasons of its own: it shares no
// transaction with those of others.
func (r *Rooms) addApart(ctx context.Context, nid int64, build func(context.Context, *head) (*plan, error)) ([]id.EventID, error) {
	return r.run(ctx, nid, &job{build: build, apart: true})
}

func (r *Rooms) run(ctx context.Context, nid int64, j *job) ([]id.EventID, error) {
	if err := r.lanes.run(ctx, nid, j, func(ctx context.Context, jobs []*job) { r.commit(ctx, nid, jobs) }); err != nil {
		return nil, err
	}
	// Whoever has written reads it at once, wherever reading goes by the feed.
	return j.ids, r.feed.WaitFor(ctx, j.pos)
}

// commit runs the jobs of a batch: those that come alone, and what lies between
// them together. Jobs that go together are planned one after the other on the
// room's head and written in one transaction; one that may not do what it wants
// fails by itself.
func (r *Rooms) commit(ctx context.Context, nid int64, jobs []*job) {
	for _, j := range jobs {
		j.err = errors.New("rooms: the commit did not finish")
	}
	for len(jobs) > 0 {
		n := slices.IndexFunc(jobs, func(j *job) bool { return j.alone != nil || j.apart })
		switch {
		case n == 0 && jobs[0].apart:
			n = 1
			r.commitTogether(ctx, nid, jobs[:1:1])
		case n == 0:
			jobs[0].err = r.commitAlone(ctx, nid, jobs[0].alone)
			n = 1
		case n < 0:
			n = len(jobs)
			fallthrough
		default:
			r.commitTogether(ctx, nid, jobs[:n:n])
		}
		jobs = jobs[n:]
	}
}

// isConflict tells whether another process has changed the room first: the
// room's version shows it, or a row that it has written already.
func isConflict(err error) bool {
	return errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrExists)
}

// alone runs a function in a room's lane, on the room's head and in no batch.
// It commits by itself, and leaves a head that is true afterwards; it may run
// again after a conflict.
func (r *Rooms) alone(ctx context.Context, nid int64, fn func(context.Context, *head) error) error {
	j := &job{alone: fn}
	return r.lanes.run(ctx, nid, j, func(ctx context.Context, jobs []*job) { r.commit(ctx, nid, jobs) })
}

func (r *Rooms) commitAlone(ctx context.Context, nid int64, fn func(context.Context, *head) error) error {
	for tries := (tries{}); ; {
		h := r.heads.take(nid)
		if h == nil {
			var err error
			if h, err = r.loadHead(ctx, nid); err != nil {
				return err
			}
		}
		err := fn(ctx, h)
		switch {
		case err == nil:
			r.heads.put(h)
			return nil
		case !tries.again(err):
			return err
		}
	}
}

func (r *Rooms) commitTogether(ctx context.Context, nid int64, jobs []*job) {
	for tries := (tries{}); len(jobs) > 0; {
		left, err := r.tryCommit(ctx, nid, jobs)
		if errors.Is(err, storage.ErrExists) {
			if fresh, failed := r.settleRepeats(ctx, left); failed != nil {
				err = failed
			} else if len(fresh) < len(left) {
				left, err = fresh, nil
			}
		}
		if jobs = left; err != nil && !tries.again(err) {
			for _, j := range jobs {
				j.err = err
			}
			return
		}
	}
}

// settleRepeats answers the jobs whose transaction ids were used before with
// what was sent then, and returns the others.
func (r *Rooms) settleRepeats(ctx context.Context, jobs []*job) (fresh []*job, err error) {
	err = r.db.Read(ctx, func(tx *storage.Reader) error {
		for _, j := range jobs {
			key := j.txn()
			if key == nil {
				fresh = append(fresh, j)
				continue
			}
			switch eventID, err := sentBefore(ctx, tx, key); {
			case err == nil:
				j.ids, j.pos, j.err = []id.EventID{eventID}, 0, nil
			case errors.Is(err, storage.ErrNotFound):
				fresh = append(fresh, j)
			default:
				return err
			}
		}
		return nil
	})
	return fresh, err
}

// txn is the transaction id of a job that is planned, nil without one.
func (j *job) txn() *storage.TxnKey {
	if j.plan == nil {
		return nil
	}
	for _, p := range j.plan.events {
		if p.txn != nil {
			return p.txn
		}
	}
	return nil
}

// repeats tells whether one of these jobs has the same transaction id.
func (j *job) repeats(jobs []*job) bool {
	key := j.txn()
	return key != nil && slices.ContainsFunc(jobs, func(other *job) bool {
		k := other.txn()
		return k != nil && *k == *key
	})
}

// tryCommit plans and writes once, and returns the jobs that are not settled:
// with an error those that were to be written, else those that repeat another
// one of the batch. Jobs that are refused while planning have their error.
func (r *Rooms) tryCommit(ctx context.Context, nid int64, jobs []*job) (left []*job, err error) {
	h := r.heads.take(nid)
	cached := h != nil
	if !cached {
		if h, err = r.loadHead(ctx, nid); err != nil {
			return jobs, err
		}
	}
	if h.isWide() {
		return r.commitWide(ctx, h, jobs)
	}
	tips := h.tips
	var planned []*job
	settled := false
	for _, j := range jobs {
		if j.plan, j.err = j.build(ctx, h); j.err != nil {
			settled = true
			continue
		}
		if len(j.plan.events) == 0 { // nothing to do, and that is done
			j.ids, settled = []id.EventID{j.plan.same}, true
			continue
		}
		if j.repeats(planned) {
			left = append(left, j)
			continue
		}
		planned = append(planned, j)
		for _, p := range j.plan.events {
			h.apply(p)
		}
	}
	if cached && settled {
		if err := r.stillAt(ctx, h.room); err != nil {
			return jobs, err // what settled a job may no longer be so
		}
	}
	if len(planned) == 0 {
		r.heads.put(h)
		return left, nil
	}
	if err := r.write(ctx, h, tips, planned); err != nil {
		return append(planned, left...), err // h is dropped: it holds what is not in the database
	}
	for _, j := range planned {
		j.ids = nil
		for _, p := range j.plan.events {
			j.ids, j.pos = append(j.ids, p.ID), p.pos
		}
		j.err = nil
	}
	r.heads.put(h)
	return left, nil
}

// stillAt reports a conflict when another process has moved the room on.
func (r *Rooms) stillAt(ctx context.Context, room *storage.Room) error {
	return r.db.Read(ctx, func(tx *storage.Reader) error {
		now, err := roomByNID(ctx, tx, room.NID)
		if err == nil && now.Version != room.Version {
			err = storage.ErrConflict
		}
		return err
	})
}

// apply moves the head past an event that extends it.
func (h *head) apply(p *planned) {
	h.tips = []*stored{p.stored}
	if p.StateKey != nil {
		h.state[p.Key()] = p.stored
	}
	if p.redacts != nil {
		h.strip(p.redacts)
	}
}
