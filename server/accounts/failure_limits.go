// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/storage"
)

// A failureLimit limits wrong guesses at one secret: a burst, and one more each
// interval. The counts are in the database, shared by all processes of a server.
type failureLimit struct {
	key      string // names the secret; all guesses at it are counted together
	burst    int64
	interval time.Duration
}

// passwordFailureLimits bounds guesses at a password: some 1,450 a day.
func passwordFailureLimits(at string) failureLimit { return failureLimit{at, 10, time.Minute} }

// tokenFailureLimits bounds guesses at the registration token: for each session, and
// for the whole server, since a client can begin a new session each time.
func tokenFailureLimits(s *session) []failureLimit {
	all := []failureLimit{{"registration token", 100, time.Second}}
	if s.stored {
		all = append(all, failureLimit{"session " + s.ID, 5, time.Minute})
	}
	return all
}

// loginFailureLimits bounds guesses at a password before login. An address from which a
// device of the account was seen has its own count, so that guesses from elsewhere do
// not lock the owner out. So has each device that is logged in.
func (a *Accounts) loginFailureLimits(ctx context.Context, tx *storage.Reader, user id.UserID) (failureLimit, error) {
	at := "account " + string(user)
	from := a.clientAddress(ctx)
	if from == "" {
		return passwordFailureLimits(at), nil
	}
	seen, err := tx.DeviceSeenFrom(ctx, user, from)
	if seen {
		at += " from " + from
	}
	return passwordFailureLimits(at), err
}

// clientAddress is a request's client address, empty if not known.
func (a *Accounts) clientAddress(ctx context.Context) string {
	if a.Address == nil {
		return ""
	}
	return a.Address(ctx)
}

// last is the latest possible expiry of a failure.
func (g failureLimit) last(now int64) int64 { return now + g.burst*g.interval.Milliseconds() }

// limited is the answer while no guess is permitted.
func (g failureLimit) limited(now, forgivenAt int64) error {
	wait := forgivenAt + g.interval.Milliseconds() - g.last(now)
	return api.LimitExceeded(time.Duration(max(wait, 1)) * time.Millisecond)
}

// checkFailures refuses guesses while the limit is reached, correct ones too: otherwise
// the answer would show which one is correct.
func (a *Accounts) checkFailures(ctx context.Context, tx *storage.Reader, g failureLimit) error {
	if !a.Limits {
		return nil
	}
	forgivenAt, err := tx.Failures(ctx, g.key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	now := a.Env.NowTS()
	if forgivenAt > g.future(now) || forgivenAt+g.interval.Milliseconds() <= g.last(now) {
		return nil
	}
	return g.limited(now, forgivenAt)
}

// future is later than any time that a correct clock can have written, even with the
// difference between two processes' clocks.
func (g failureLimit) future(now int64) int64 { return now + 2*g.burst*g.interval.Milliseconds() }

// errSecretKnown rolls back the transaction of a correct guess: it is not counted.
var errSecretKnown = errors.New("the guess is right")

// recordAttempt counts a wrong guess, and refuses any guess if there were too many.
// Guesses at one secret run one after the other, so that concurrent ones do not exceed
// the limit.
func (a *Accounts) recordAttempt(ctx context.Context, right bool, all ...failureLimit) error {
	if !a.Limits {
		return nil
	}
	now := a.Env.NowTS()
	err := a.DB.Write(ctx, func(tx *storage.Writer) error {
		for _, g := range all {
			each := g.interval.Milliseconds()
			forgivenAt, err := tx.AddFailure(ctx, g.key, now, each, g.future(now))
			if err != nil {
				return err
			}
			if forgivenAt > g.last(now) {
				return g.limited(now, forgivenAt-each)
			}
			if forgivenAt+each > g.last(now) && !right {
				a.Log.LogAttrs(ctx, slog.LevelWarn, "too many wrong guesses", slog.String("at", g.key))
			}
		}
		if right {
			return errSecretKnown
		}
		_, err := tx.DeleteFailures(ctx, now, 8) // last, to hold its lock for a short time
		return err
	})
	if errors.Is(err, errSecretKnown) {
		return nil
	}
	var limited *api.Error
	if err != nil && !errors.As(err, &limited) {
		return fmt.Errorf("count a guess: %w", err)
	}
	return err
}
