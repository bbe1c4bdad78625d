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

// failureLimit are how many wrong guesses there may be at something: so many at
// once, and one more each time that one is forgiven. The counts are in the
// database, so that all processes of a server have one.
type failureLimit struct {
	key      string // what is guessed at, for all who guess at it
	burst    int64
	interval time.Duration
}

// passwordFailureLimits bounds guesses at a password: some 1,450 a day.
func passwordFailureLimits(at string) failureLimit { return failureLimit{at, 10, time.Minute} }

// tokenFailureLimits bounds guesses at the registration token: by the session, and for
// those who begin a new session each time, by the server.
func tokenFailureLimits(s *session) []failureLimit {
	all := []failureLimit{{"registration token", 100, time.Second}}
	if s.stored {
		all = append(all, failureLimit{"session " + s.ID, 5, time.Minute})
	}
	return all
}

// loginFailureLimits bounds guesses at a password by people who are not logged in.
// An address from which a device of the account was seen has a count of its
// own: whoever guesses from elsewhere does not shut the owner out at home.
// Devices that are logged in have one of their own, too.
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

// clientAddress is where a request comes from, empty if nobody knows.
func (a *Accounts) clientAddress(ctx context.Context) string {
	if a.Address == nil {
		return ""
	}
	return a.Address(ctx)
}

// last is the latest time at which failures that count are forgiven.
func (g failureLimit) last(now int64) int64 { return now + g.burst*g.interval.Milliseconds() }

// limited is the answer while there may be no guess.
func (g failureLimit) limited(now, forgivenAt int64) error {
	wait := forgivenAt + g.interval.Milliseconds() - g.last(now)
	return api.LimitExceeded(time.Duration(max(wait, 1)) * time.Millisecond)
}

// checkFailures refuses guesses for the time being, right ones too: else one could
// be told from a wrong one.
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

// future is past any time that a clock can have written that was not ahead, but
// for the difference between two processes.
func (g failureLimit) future(now int64) int64 { return now + 2*g.burst*g.interval.Milliseconds() }

// errSecretKnown ends the transaction of a guess that was right: it leaves no trace.
var errSecretKnown = errors.New("the guess is right")

// recordAttempt counts a guess if it is wrong, and refuses it if there were too many,
// right or wrong. Guesses at one thing wait for each other, so that many at
// once are not more than there may be.
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
		_, err := tx.DeleteFailures(ctx, now, 8) // last, so that it holds nobody up
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
