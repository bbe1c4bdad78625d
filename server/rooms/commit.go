// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// A Plan is what one job adds to its room. It is written in one transaction with the
// other plans of the batch.
type Plan struct {
	Events   []*Planned
	existing id.EventID // instead of events: the event that already has the wanted effect
	// Also writes rows besides the room's own, in the same transaction.
	// storage.ErrConflict from it means that the job must be planned again; any
	// other error is the job's answer.
	ExtraWrites ExtraWrites
	// Alone says that Also may fail independently of the room: such a plan has its own
	// transaction.
	Alone bool
}

// Also writes rows besides a room's own.
type ExtraWrites func(ctx context.Context, tx *storage.Writer) error

// writeExtra calls the plan's Also, and checks that the profiles in its events are
// still current.
func (p *Plan) writeExtra(ctx context.Context, tx *storage.Writer) error {
	for _, ev := range p.Events {
		if ev.shows == nil {
			continue
		}
		if err := ev.shows.checkUnchanged(ctx, tx); err != nil {
			return err
		}
	}
	if p.ExtraWrites == nil {
		return nil
	}
	return p.ExtraWrites(ctx, tx)
}

// mayConflict reports whether writeExtra may return ErrConflict.
func (p *Plan) mayConflict() bool {
	return p.ExtraWrites != nil || slices.ContainsFunc(p.Events, func(ev *Planned) bool { return ev.shows != nil })
}

// Planned is an event that is built and allowed, not yet written.
type Planned struct {
	*stored
	auth     []*stored     // its auth events
	replaces *stored       // the state event that it replaces, in the state before it
	redacts  *stored       // the event that it redacts
	delta    []stateChange // what it changes of the room's current state
	shows    *profile      // the profile in it, which the commit checks; nil: none
	branch   *branch       // nil for an event that follows all extremities
	unread   unread
	pos      int64
	txn      *storage.TxnKey // the client's transaction id, if the request has one
}

// add runs a job in its room's lane and returns the ids of the events that are
// in the room when it returns: the job's own, or those of the request that it
// repeats.
func (r *Rooms) runJob(ctx context.Context, nid int64, build func(context.Context, *head) (*Plan, error)) ([]id.EventID, error) {
	j := &job{build: build}
	if err := r.queues.run(ctx, nid, j, r.commit); err != nil {
		return nil, err
	}
	return j.ids, r.waitPublished(ctx, j.pos)
}

// published waits until everybody can read what is committed at a position, so that a
// client reads its own write. If another transaction delays the stream of changes, the
// answer does not wait for it.
func (r *Rooms) waitPublished(ctx context.Context, pos int64) error {
	if err := r.feed.WaitFor(ctx, pos); !errors.Is(err, feed.ErrBehind) {
		return err
	}
	return nil
}

// runAlone runs a function in a room's lane, on the room's head and in no batch. The
// function commits by itself, updates the head, and returns the last position that it
// used; the caller waits for that position after it has left the queue. It may run
// again after a conflict.
func (r *Rooms) runAlone(ctx context.Context, nid int64, fn func(context.Context, *head) (int64, error)) (int64, error) {
	j := &job{alone: fn}
	err := r.queues.run(ctx, nid, j, r.commit)
	return j.pos, err
}

var errUnfinished = errors.New("rooms: the commit did not finish")

// commit commits the jobs of a room in order, as many as possible in each transaction.
func (r *Rooms) commit(ctx context.Context, nid int64, jobs []*job) {
	for _, j := range jobs {
		j.err = errUnfinished
	}
	for t := r.newRetries(nid); len(jobs) > 0; {
		b := &batch{r: r}
		err := b.run(ctx, nid, jobs)
		switch {
		case err == nil:
		case errors.Is(err, storage.ErrConflict):
			b.retrySingly(func(j *job) bool { return j.plan != nil && j.plan.mayConflict() })
			if !t.next() {
				b.fail(jobs, t.busy(err))
			}
		case errors.Is(err, storage.ErrExists):
			found, failed := b.answerRepeats(ctx)
			switch {
			case failed != nil:
				b.fail(jobs, failed)
			case found:
			case len(b.planned) > 1:
				b.retrySingly(nil)
			case b.planned[0].plan != nil && b.planned[0].txn() == nil || !t.next():
				b.fail(jobs, err)
			}
		case b.rolledBack && len(b.planned) > 1 && !t.expired(): // one of them may be at fault
			b.retrySingly(nil)
		default:
			b.fail(jobs, err)
		}
		n := len(jobs)
		if jobs = slices.DeleteFunc(jobs, func(j *job) bool { return j.finished }); len(jobs) < n {
			t = r.newRetries(nid)
		}
	}
}

// A batch is jobs of one room that share a transaction. They are planned one after the
// other on the room's head. A decision on a head with unwritten events is valid only if
// these are written.
type batch struct {
	r          *Rooms
	h          *head
	cached     bool      // the head is from the cache, and may be out of date
	before     []*stored // the room's extremities before
	planned    []*job    // whose events are to be written
	answered   []answer  // answers of jobs that are refused or have nothing to write
	rolledBack bool      // nothing was written, whatever the error says
}

// An answer is the result of a job, valid if the batch is written.
type answer struct {
	job *job
	ids []id.EventID
	err error
}

func (j *job) finish(ids []id.EventID, pos int64, err error) {
	j.ids, j.pos, j.err, j.finished = ids, pos, err, true
}

// run plans and writes once. After an error, jobs whose result depends on the head or
// the write are not finished.
func (b *batch) run(ctx context.Context, nid int64, jobs []*job) (err error) {
	b.h = b.r.heads.take(nid)
	if b.cached = b.h != nil; !b.cached {
		if b.h, err = b.r.loadHead(ctx, nid); err != nil {
			return err
		}
	}
	if first := jobs[0]; first.alone != nil {
		b.planned = jobs[:1]
		pos, err := first.alone(ctx, b.h)
		if err != nil {
			return err
		}
		first.finish(nil, pos, nil)
		b.r.heads.put(b.h)
		return nil
	}
	b.before = b.h.extremities
	b.plan(ctx, jobs)
	switch {
	case len(b.planned) > 0: // this checks the room's version
		err = b.write(ctx)
	case b.cached && len(b.answered) > 0:
		err = b.r.checkVersion(ctx, b.h.room)
	}
	if err != nil {
		return err // the head is dropped: it may have events that are not in the database
	}
	last := int64(0)
	for _, j := range b.planned {
		var ids []id.EventID
		for _, p := range j.plan.Events {
			ids, last = append(ids, p.ID), p.pos
		}
		j.finish(ids, last, nil)
	}
	for _, a := range b.answered {
		a.job.finish(a.ids, last, a.err)
	}
	b.r.heads.put(b.h)
	return nil
}

// plan adds jobs to the batch, in order, up to one that needs its own batch. Jobs that
// repeat another job of the batch wait for its result.
func (b *batch) plan(ctx context.Context, jobs []*job) {
	for _, j := range jobs {
		behind := len(b.planned) > 0
		if j.alone != nil || j.single && behind {
			return
		}
		wide := b.h.tooManyExtremities()
		p, err := j.build(ctx, b.h)
		switch {
		case err != nil:
			b.addAnswer(answer{job: j, err: err})
			continue
		case len(p.Events) == 0: // nothing to write: finished
			b.addAnswer(answer{job: j, ids: []id.EventID{p.existing}})
			continue
		case p.Alone && behind:
			return
		}
		if j.plan = p; j.repeats(b.planned) {
			continue
		}
		b.planned = append(b.planned, j)
		for _, ev := range p.Events {
			b.h.applyPlanned(ev)
		}
		if p.Alone || j.single || wide {
			return
		}
	}
}

// addAnswer records an answer that needs no event. If it was decided on the state in
// the database, the job is finished at once.
func (b *batch) addAnswer(a answer) {
	if !b.cached && len(b.planned) == 0 {
		a.job.finish(a.ids, 0, a.err)
		return
	}
	b.answered = append(b.answered, a)
}

// write writes the batch in one transaction, if the room's version is unchanged.
func (b *batch) write(ctx context.Context) error {
	plans := make([]*Plan, len(b.planned))
	for i, j := range b.planned {
		plans[i] = j.plan
	}
	followed := slices.DeleteFunc(slices.Clone(b.before), func(tip *stored) bool { return slices.Contains(b.h.extremities, tip) })
	room := *b.h.room
	err := b.r.db.Write(ctx, func(tx *storage.Writer) error {
		room = *b.h.room
		err := b.r.writeBatch(ctx, tx, &room, followed, plans...)
		b.rolledBack = err != nil
		return err
	})
	if err == nil {
		b.h.written(&room)
	}
	return err
}

// retrySingly marks jobs of the batch, all if which is nil, to be committed alone, so
// that an error of one does not affect the others.
func (b *batch) retrySingly(which func(*job) bool) {
	for _, j := range b.planned {
		j.single = j.single || which == nil || which(j)
	}
}

// fail ends the jobs whose events could not be written; those that were only
// answered are planned again without them. Where nothing was to be written, it
// ends all.
func (b *batch) fail(jobs []*job, err error) {
	if len(b.planned) > 0 {
		jobs = b.planned
	}
	for _, j := range jobs {
		if !j.finished {
			j.finish(nil, 0, err)
		}
	}
}

// answerRepeats answers the jobs whose transaction IDs were used before with the
// earlier event, and reports whether there were any.
func (b *batch) answerRepeats(ctx context.Context) (any bool, err error) {
	err = b.r.db.Read(ctx, func(tx *storage.Reader) error {
		for _, j := range b.planned {
			key := j.txn()
			if key == nil {
				continue
			}
			switch eventID, err := sentBefore(ctx, tx, key); {
			case err == nil:
				j.finish([]id.EventID{eventID}, 0, nil)
				any = true
			case !errors.Is(err, storage.ErrNotFound):
				return err
			}
		}
		return nil
	})
	return any, err
}

// txn is the transaction id of a job that is planned, nil without one.
func (j *job) txn() *storage.TxnKey {
	if j.plan == nil {
		return nil
	}
	for _, p := range j.plan.Events {
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

// checkVersion returns ErrConflict if another process has committed to the room.
func (r *Rooms) checkVersion(ctx context.Context, room *storage.Room) error {
	return r.db.Read(ctx, func(tx *storage.Reader) error {
		now, err := tx.RoomByNID(ctx, room.NID)
		if err == nil && now.Version != room.Version {
			err = storage.ErrConflict
		}
		return err
	})
}
