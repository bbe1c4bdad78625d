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

// guesses are how many wrong guesses there may be at something: so many at
// once, and one more each time that one is forgiven. The counts are in the
// database, so that all processes of a server have one.
type guesses struct {
	at   string // what is guessed at, for all who guess at it
	most int64
	each time.Duration
}

// passwordGuesses bounds guesses at a password: some 1,450 a day.
func passwordGuesses(at string) guesses { return guesses{at, 10, time.Minute} }

// tokenGuesses bounds guesses at the registration token: by the session, and for
// those who begin a new session each time, by the server.
func tokenGuesses(s *session) []guesses {
	all := []guesses{{"registration token", 100, time.Second}}
	if s.stored {
		all = append(all, guesses{"session " + s.ID, 5, time.Minute})
	}
	return all
}

// loginGuesses bounds guesses at a password by people who are not logged in.
// An address from which a device of the account was seen has a count of its
// own: whoever guesses from elsewhere does not shut the owner out at home.
// Devices that are logged in have one of their own, too.
func (a *Accounts) loginGuesses(ctx context.Context, tx *storage.Reader, user id.UserID) (guesses, error) {
	at := "account " + string(user)
	from := a.from(ctx)
	if from == "" {
		return passwordGuesses(at), nil
	}
	seen, err := tx.DeviceSeenFrom(ctx, user, from)
	if seen {
		at += " from " + from
	}
	return passwordGuesses(at), err
}

// from is where a request comes from, empty if nobody knows.
func (a *Accounts) from(ctx context.Context) string {
	if a.Address == nil {
		return ""
	}
	return a.Address(ctx)
}

// last is the latest time at which failures that count are forgiven.
func (g guesses) last(now int64) int64 { return now + g.most*g.each.Milliseconds() }

// limited is the answer while there may be no guess.
func (g guesses) limited(now, forgivenAt int64) error {
	wait := forgivenAt + g.each.Milliseconds() - g.last(now)
	return api.LimitExceeded(time.Duration(max(wait, 1)) * time.Millisecond)
}

// mayGuess refuses guesses for the time being, right ones too: else one could
// be told from a wrong one.
func (a *Accounts) mayGuess(ctx context.Context, tx *storage.Reader, g guesses) error {
	if !a.Limits {
		return nil
	}
	forgivenAt, err := tx.Failures(ctx, g.at)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	now := a.Env.NowTS()
	if forgivenAt > g.future(now) || forgivenAt+g.each.Milliseconds() <= g.last(now) {
		return nil
	}
	return g.limited(now, forgivenAt)
}

// future is past any time that a clock can have written that was not ahead, but
// for the difference between two processes.
func (g guesses) future(now int64) int64 { return now + 2*g.most*g.each.Milliseconds() }

// errRight ends the transaction of a guess that was right: it leaves no trace.
var errRight = errors.New("the guess is right")

// guess counts a guess if it is wrong, and refuses it if there were too many,
// right or wrong. Guesses at one thing wait for each other, so that many at
// once are not more than there may be.
func (a *Accounts) guess(ctx context.Context, right bool, all ...guesses) error {
	if !a.Limits {
		return nil
	}
	now := a.Env.NowTS()
	err := a.DB.Write(ctx, func(tx *storage.Writer) error {
		for _, g := range all {
			each := g.each.Milliseconds()
			forgivenAt, err := tx.AddFailure(ctx, g.at, now, each, g.future(now))
			if err != nil {
				return err
			}
			if forgivenAt > g.last(now) {
				return g.limited(now, forgivenAt-each)
			}
			if forgivenAt+each > g.last(now) && !right {
				a.Log.LogAttrs(ctx, slog.LevelWarn, "too many wrong guesses", slog.String("at", g.at))
			}
		}
		if right {
			return errRight
		}
		_, err := tx.DeleteFailures(ctx, now, 8) // last, so that it holds nobody up
		return err
	})
	if errors.Is(err, errRight) {
		return nil
	}
	var limited *api.Error
	if err != nil && !errors.As(err, &limited) {
		return fmt.Errorf("count a guess: %w", err)
	}
	return err
}
