// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"slices"
)

// A Job is a row of jobs: work to be done after the answer. Kind and key are unique
// together.
type Job struct {
	ID         int64
	Kind       string
	Key        string
	Payload    []byte
	Progress   []byte // empty at the start
	Generation int64
	RunAt      int64 // milliseconds; 0 for at once
	Attempts   int64 // failed attempts in a row
	Holder     string
	Held       int64
	LastError  string
	CreatedAt  int64 // milliseconds
}

// ErrLeaseLost: another process has taken over or finished the job. The transaction is
// rolled back.
var ErrLeaseLost = errors.New("the job is another's by now")

// FailingAttempts is how many failed attempts make a job count as failing.
const FailingAttempts = 10

const jobColumns = `job_id, kind, key, payload, progress, generation, run_at, attempts, holder, held, last_error, created_at`

var (
	qPutJob = q("put_job", `INSERT INTO jobs (`+jobColumns+`) VALUES ($1, $2, $3, $4, $5, 1, $6, 0, '', 0, '', $7)
		ON CONFLICT (kind, key) DO UPDATE SET generation = jobs.generation + 1, progress = excluded.progress,
			run_at = CASE WHEN excluded.run_at < jobs.run_at THEN excluded.run_at ELSE jobs.run_at END`)
	qJob      = q("job", `SELECT `+jobColumns+` FROM jobs WHERE kind = $1 AND key = $2`)
	qFreeJobs = q("free_jobs", `SELECT `+jobColumns+` FROM jobs
		WHERE holder = '' ORDER BY run_at, job_id LIMIT $1`)
	qHeldJobs = q("held_jobs", `SELECT `+jobColumns+` FROM jobs
		WHERE holder > '' ORDER BY job_id`)
	qTakeJob = q("take_job", `UPDATE jobs SET holder = $4, held = held + 1, attempts = attempts + $5
		WHERE job_id = $1 AND holder = $2 AND held = $3
		RETURNING `+jobColumns)
	// Progress belongs to the generation that the holder has read. If the job was put
	// again since, the next holder begins at the start.
	qHoldJob = q("hold_job", `UPDATE jobs SET held = held + 1, progress = CASE WHEN generation = $5 THEN $4 ELSE progress END
		WHERE job_id = $1 AND holder = $2 AND held = $3`)
	qFreeJob = q("free_job", `UPDATE jobs SET holder = '', held = held + 1, run_at = $4, attempts = $5, last_error = $6
		WHERE job_id = $1 AND holder = $2 AND held = $3`)
	qDeleteJob = q("delete_job", `DELETE FROM jobs WHERE job_id = $1 AND holder = $2 AND held = $3 AND generation = $4`)
	qRedoJob   = q("redo_job", `UPDATE jobs SET held = held + 1, progress = $4, attempts = 0
		WHERE job_id = $1 AND holder = $2 AND held = $3 RETURNING `+jobColumns)
	qCountFailingJobs = q("count_failing_jobs", `SELECT kind, COUNT(*) FROM jobs WHERE attempts >= 10 GROUP BY kind ORDER BY kind`)
)

func (j *Job) scan(scan scanFunc) error {
	var key, lastError Text
	err := scan(&j.ID, &j.Kind, &key, &j.Payload, &j.Progress, &j.Generation, &j.RunAt, &j.Attempts, &j.Holder, &j.Held,
		&lastError, &j.CreatedAt)
	j.Key, j.LastError = string(key), string(lastError)
	return err
}

// WatchJobs sets a function that is called when a transaction of this process has, or
// may have, put a job. It must not block.
func (db *DB) WatchJobs(fn func()) { db.jobs = fn }

// PutJob adds a job that runs after this transaction is committed: not before runAt, 0
// for at once. If the job exists already, it will run once more from the start. key
// says what to look at, never what to write: the job reads the data when it runs.
func (w *Writer) PutJob(ctx context.Context, kind, key string, payload []byte, runAt, now int64) error {
	nid, err := w.NextID(ctx, "jobs")
	if err != nil {
		return err
	}
	if payload == nil {
		payload = []byte{}
	}
	w.OnEnd(func(o Outcome) {
		if o != RolledBack && w.db.jobs != nil {
			w.db.jobs()
		}
	})
	return w.enqueue(ctx, qPutJob, nid, kind, key, payload, []byte{}, runAt, now)
}

// Job returns one job, ErrNotFound if it is done.
func (r *Reader) Job(ctx context.Context, kind, key string) (*Job, error) {
	return r.job(ctx, qJob, kind, key)
}

func (r *Reader) job(ctx context.Context, q *query, args ...any) (*Job, error) {
	var j Job
	if err := j.scan(func(dst ...any) error { return r.row(ctx, q, args, dst...) }); err != nil {
		return nil, err
	}
	return &j, nil
}

// FreeJobs lists, of the earliest limit jobs without a holder, those of these kinds.
func (r *Reader) FreeJobs(ctx context.Context, kinds []string, limit int) ([]*Job, error) {
	return r.jobs(ctx, kinds, qFreeJobs, int64(limit))
}

// HeldJobs lists the jobs of these kinds that have a holder.
func (r *Reader) HeldJobs(ctx context.Context, kinds []string) ([]*Job, error) {
	return r.jobs(ctx, kinds, qHeldJobs)
}

// jobs filters by kind here, not in SQL: there the engines would search by kind, and
// sort.
func (r *Reader) jobs(ctx context.Context, kinds []string, q *query, args ...any) (list []*Job, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		j := new(Job)
		err := j.scan(scan)
		if slices.Contains(kinds, j.Kind) {
			list = append(list, j)
		}
		return err
	})
	return list, err
}

// TakeJob sets a job's holder, if the job is unchanged since it was read; else
// ErrNotFound. Taking it from another holder counts as a failed attempt.
func (w *Writer) TakeJob(ctx context.Context, j *Job, holder string) (*Job, error) {
	failed := int64(0)
	if j.Holder != "" {
		failed = 1
	}
	return w.job(ctx, qTakeJob, j.ID, j.Holder, j.Held, holder, failed)
}

// HoldJob stores a job's progress, in each transaction of its holder. If the job has
// another holder by then, it fails with ErrLeaseLost, perhaps only with a later
// statement or the commit. Afterwards j is as stored; if the job was put again since j
// was read, no progress is stored.
func (w *Writer) HoldJob(ctx context.Context, j *Job, progress []byte) error {
	if progress == nil {
		progress = []byte{}
	}
	w.OnEnd(func(o Outcome) {
		if o == Committed {
			j.Held, j.Progress = j.Held+1, progress
		}
	})
	return w.enqueueMust(ctx, qHoldJob, ErrLeaseLost, j.ID, j.Holder, j.Held, progress, j.Generation)
}

// FreeJob releases a job, to be run not before runAt. ErrLeaseLost if it has another
// holder.
func (w *Writer) FreeJob(ctx context.Context, j *Job, runAt, attempts int64, why string) error {
	return w.enqueueMust(ctx, qFreeJob, ErrLeaseLost, j.ID, j.Holder, j.Held, runAt, attempts, why)
}

// FinishJob deletes a job that is done. If it was put again since j was read, it stays
// with its holder, starts from the beginning, and is returned. ErrLeaseLost if it has
// another holder.
func (w *Writer) FinishJob(ctx context.Context, j *Job) (again *Job, err error) {
	n, err := w.exec(ctx, qDeleteJob, j.ID, j.Holder, j.Held, j.Generation)
	if err != nil || n > 0 {
		return nil, err
	}
	again, err = w.job(ctx, qRedoJob, j.ID, j.Holder, j.Held, []byte{})
	if errors.Is(err, ErrNotFound) {
		return nil, ErrLeaseLost
	}
	return again, err
}

// CountFailingJobs counts the jobs that have failed FailingAttempts times in a
// row or more often, by kind.
func (r *Reader) CountFailingJobs(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	err := r.rows(ctx, qCountFailingJobs, nil, func(scan scanFunc) error {
		var kind string
		var n int64
		err := scan(&kind, &n)
		counts[kind] = n
		return err
	})
	return counts, err
}
