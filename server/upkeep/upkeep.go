// SPDX-License-Identifier: Apache-2.0

// Package upkeep deletes what nobody can ask for any more, a little at a time,
// so that a database grows with what people say and not with its age. It must
// not delete what an answer could still need: see the operations guide for how
// long that is.
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
	// interval is how often to look for what has become old.
	interval = time.Hour
	// TxnLife is how long a request with a transaction ID is remembered. A client
	// that has been away for longer no longer knows whether it was answered.
	TxnLife = 30 * 24 * time.Hour
	// SessionLife is how long a session of user-interactive authentication is
	// kept, which is longer than one can go on with it.
	SessionLife = time.Hour
	// KeptChanges is how many positions of the log of changes are kept. Who is
	// further behind is answered from the rooms themselves.
	KeptChanges = 100_000
	// batch bounds one transaction.
	batch = 1000
)

// Upkeep deletes what is old.
type Upkeep struct {
	DB   *storage.DB
	Feed *feed.Feed
	Env  *env.Env
	Log  *slog.Logger
}

// Run looks after the database until ctx ends. What fails is tried again the
// next time.
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

// Once deletes all that is old now.
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

// authentication deletes the sessions of user-interactive authentication that
// are over, also those that a clock has made which was ahead, and the wrong
// guesses that are forgiven. Both are thrown away when new ones come; this is
// for when none do.
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

// oldestChange is the position from which on the log of changes is kept: the
// newest ones, and all that a reader of the log has not come to yet.
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

// inBatches deletes until there is nothing left to delete, each batch in a
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
