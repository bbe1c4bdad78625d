// SPDX-License-Identifier: Apache-2.0

// Package env is the only source of time and randomness. All other code gets an
// Env, so that with a fixed clock and seed two runs give identical answers. It
// must not know what time and random bytes are used for.
package env

import (
	"context"
	"time"
)

// Env is the clock and the source of randomness of one server.
type Env struct {
	Clock Clock
	Rand  *Rand
}

// Real returns the system clock and unpredictable randomness.
func Real() *Env { return &Env{Clock: systemClock{}, Rand: &Rand{}} }

// Fixed returns randomness that depends on the seed alone, with the given
// clock, or the system clock if clock is nil. Anybody who knows the seed can
// guess every token.
func Fixed(seed string, clock Clock) *Env {
	if clock == nil {
		clock = systemClock{}
	}
	return &Env{Clock: clock, Rand: Seeded(seed)}
}

// Now returns the current time in UTC. It is for everything that clients can
// see: events, tokens and expiry dates.
func (e *Env) Now() time.Time { return e.Clock.Now() }

// NowTS returns Now in milliseconds, the format of timestamps in the API.
func (e *Env) NowTS() int64 { return e.Clock.Now().UnixMilli() }

// At returns a timer that fires when it is ts, in milliseconds. The clock may be moved
// meanwhile: a duration that was reckoned before would then end too late.
func (e *Env) At(ts int64) *Timer {
	for {
		now := e.NowTS()
		timer := e.Clock.After(time.Duration(max(0, ts-now)) * time.Millisecond)
		if e.NowTS() == now {
			return timer
		}
		timer.Stop()
	}
}

// Wait returns nil when the clock has advanced by d, or the error of the
// context if that ends first.
func (e *Env) Wait(ctx context.Context, d time.Duration) error {
	t := e.Clock.After(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithTimeout is context.WithTimeout for what a client waits for: the time is up
// when it has really passed, and also when tests have moved the clock so far.
// With a clock that stands still a client must not wait for ever.
func (e *Env) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	clock, ok := e.Clock.(*VirtualClock)
	if !ok {
		return ctx, cancel
	}
	stop := clock.afterFunc(d, func(time.Time) { cancel() })
	return ctx, func() {
		stop()
		cancel()
	}
}

// Stopwatch starts a measurement of real time and returns a function that
// returns the time since then. Use it for logs, metrics and time-outs only: its
// result must never reach a client.
func Stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
