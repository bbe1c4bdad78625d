// SPDX-License-Identifier: Apache-2.0

// Package env is the only source of time and chance. Everything else receives
// an Env, so that under a fixed clock and seed two runs answer with the same
// bytes. It must not know what its time and its random bytes are used for.
package env

import (
	"context"
	"time"
)

// Env is the time and the chance that one server lives by.
type Env struct {
	Clock Clock
	Rand  *Rand
}

// Real returns the machine's time and unpredictable chance.
func Real() *Env { return &Env{Clock: systemClock{}, Rand: &Rand{}} }

// Fixed returns chance that follows from the seed alone, with the given clock;
// a nil clock is the machine's. Whoever knows the seed can guess every token.
func Fixed(seed string, clock Clock) *Env {
	if clock == nil {
		clock = systemClock{}
	}
	return &Env{Clock: clock, Rand: Seeded(seed)}
}

// Now returns the Matrix-visible time, in UTC: the one that events, tokens and
// expiry dates carry.
func (e *Env) Now() time.Time { return e.Clock.Now() }

// NowTS returns Now in milliseconds, as timestamps stand on the wire.
func (e *Env) NowTS() int64 { return e.Clock.Now().UnixMilli() }

// Wait returns nil once d of Matrix-visible time has passed, or the context's
// error if that ends first.
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

// Stopwatch starts to measure real time and returns a function that says how
// much has passed. It is for logs, metrics and time-outs only: what it measures
// must never reach a client.
func Stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
