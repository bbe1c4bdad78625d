// SPDX-License-Identifier: Apache-2.0

// Package upkeep deletes old rows in small batches, so that the size of a
// database depends on its contents and not on its age. It must not delete what
// a request could still need: the operations guide says how long that is.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

const (
	// interval is the time between two clean-ups.
	interval = time.Hour
	// TxnLife is how long a transaction ID is remembered. A retry after that is
	// treated as a new request.
	TxnLife = 30 * 24 * time.Hour
	// SessionLife is how long a session of user-interactive authentication is
	// kept. It is longer than the time in which a client can continue it.
	SessionLife = time.Hour
	// KeptChanges is how many positions of the log of changes are kept. A
	// client with an older token gets its answer from the rooms themselves.
	KeptChanges = 100_000
	// batch is the maximum number of rows that one transaction deletes.
	batch = 1000
)

// Upkeep deletes old rows.
type Upkeep struct {
	DB   *storage.DB
	Feed *feed.Feed
	Env  *env.Env
	Log  *slog.Logger
}

// Run cleans up regularly until ctx ends. After an error it tries again at the
// next interval.
func (u *Upkeep) Run(ctx context.Context) error {
	for {
		if err := u.Env.Wait(ctx, interval); err != nil {
			return nil
		}
		if err := u.Once(ctx); err != nil && ctx.Err() == nil {
			u.Log.WarnContext(ctx, "upkeep of the database did not finish; it goes on in an hour", "error", err)
		}
	}
}

// Once deletes everything that is old now.
func (u *Upkeep) Once(ctx context.Context) error {
	before := u.Env.Now().Add(-TxnLife).UnixMilli()
	txns, err := u.inBatches(ctx, func(tx *storage.Writer) (int64, error) {
		return tx.DeleteTxns(ctx, before, batch)
	})
	if err != nil {
		return fmt.Errorf("transaction ids: %w", err)
	}
	before, err = u.oldestChange(ctx)
	if err != nil {
		return fmt.Errorf("log of changes: %w", err)
	}
	changes, err := u.inBatches(ctx, func(tx *storage.Writer) (int64, error) {
		return tx.CompactChanges(ctx, before, batch)
	})
	if err != nil {
		return fmt.Errorf("log of changes: %w", err)
	}
	sessions, failures, err := u.authentication(ctx)
	if err != nil {
		return err
	}
	if txns+changes+sessions+failures > 0 {
		u.Log.InfoContext(ctx, "deleted old rows", "transaction_ids", txns, "changes", changes,
			"authentication_sessions", sessions, "failures", failures)
	}
	return nil
}

// authentication deletes expired sessions of user-interactive authentication and
// expired counts of failed attempts. A session whose time is far in the future is
// deleted too: the clock was ahead when it was made. New rows of either kind also
// delete expired ones; this is for when there are no new rows.
func (u *Upkeep) authentication(ctx context.Context) (sessions, failures int64, err error) {
	now := u.Env.Now()
	sessions, err = u.inBatches(ctx, func(tx *storage.Writer) (int64, error) {
		return tx.DeleteUIAuthSessions(ctx, now.Add(-SessionLife).UnixMilli(), now.Add(SessionLife).UnixMilli())
	})
	if err != nil {
		return 0, 0, fmt.Errorf("authentication sessions: %w", err)
	}
	failures, err = u.inBatches(ctx, func(tx *storage.Writer) (int64, error) {
		return tx.DeleteFailures(ctx, now.UnixMilli(), batch)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("wrong guesses: %w", err)
	}
	return sessions, failures, nil
}

// oldestChange returns the oldest position of the log of changes to keep: at
// least the newest KeptChanges, and all that some reader of the log has not
// read.
func (u *Upkeep) oldestChange(ctx context.Context) (int64, error) {
	//house:allow stamp what is deleted is long past
	oldest := u.Feed.Stamp() - KeptChanges + 1
	err := u.DB.Read(ctx, func(tx *storage.Reader) error {
		slowest, err := tx.OldestCursor(ctx)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		oldest = min(oldest, slowest+1)
		return err
	})
	return oldest, err
}

// inBatches calls remove until nothing is left to delete, each time in a
// transaction of its own.
func (u *Upkeep) inBatches(ctx context.Context, remove func(*storage.Writer) (int64, error)) (total int64, err error) {
	for {
		var n int64
		err := u.DB.Write(ctx, func(tx *storage.Writer) (err error) {
			n, err = remove(tx)
			return err
		})
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}
