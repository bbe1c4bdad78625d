// SPDX-License-Identifier: Apache-2.0

package storage

import "context"

var (
	qFailures   = q("failures", `SELECT forgiven_at FROM failures WHERE subject = $1`)
	qAddFailure = q("add_failure", `INSERT INTO failures (subject, forgiven_at) VALUES ($1, $3)
		ON CONFLICT (subject) DO UPDATE SET forgiven_at =
			CASE WHEN failures.forgiven_at <= $2 OR failures.forgiven_at > $4 THEN $3 ELSE failures.forgiven_at + $5 END
		RETURNING forgiven_at`)
	qExpireFailures = q("expire_failures", `DELETE FROM failures WHERE subject = ANY($1)`)
	qOldFailures    = q("old_failures", `SELECT subject FROM failures WHERE forgiven_at <= $1 ORDER BY forgiven_at LIMIT $2 FOR UPDATE SKIP LOCKED`)
)

// Failures returns when the last failed attempt of a subject expires, in milliseconds;
// ErrNotFound if it has none.
func (r *Reader) Failures(ctx context.Context, subject string) (forgivenAt int64, err error) {
	err = r.row(ctx, qFailures, []any{Text(subject)}, &forgivenAt)
	return forgivenAt, err
}

// AddFailure adds a failed attempt of a subject and returns when it expires: `each`
// milliseconds after the previous one, or after now. A stored time after latest was
// written by a clock that was ahead and is ignored.
func (w *Writer) AddFailure(ctx context.Context, subject string, now, each, latest int64) (forgivenAt int64, err error) {
	err = w.row(ctx, qAddFailure, []any{Text(subject), now, now + each, latest, each}, &forgivenAt)
	return forgivenAt, err
}

// DeleteFailures removes at most limit subjects whose failed attempts have expired. It
// does not wait for a transaction that is adding one.
func (w *Writer) DeleteFailures(ctx context.Context, now int64, limit int) (int64, error) {
	var subjects []string
	err := w.rows(ctx, qOldFailures, []any{now, limit}, func(scan scanFunc) error {
		var s Text
		if err := scan(&s); err != nil {
			return err
		}
		subjects = append(subjects, string(s))
		return nil
	})
	if err != nil || len(subjects) == 0 {
		return 0, err
	}
	return w.exec(ctx, qExpireFailures, subjects)
}
