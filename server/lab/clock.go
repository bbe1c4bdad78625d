// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"time"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
)

// Bounds of times, so that no sum of them overflows: years that RFC 3339 can
// write, and a century to move the clock by at once.
const (
	maxTS      = 253402300799000
	maxAdvance = 100 * 365 * 24 * 60 * 60 * 1000
)

const (
	defaultIdle = 10_000
	maxIdle     = 10 * 60 * 1000
)

func idleTimeout(ms int64) (time.Duration, error) {
	if ms < 0 || ms > maxIdle {
		return 0, api.InvalidParam("timeout: expected milliseconds, between 0 and %d", maxIdle)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// GetLabClock tells what time it is for clients.
func (l *Lab) GetLabClock(context.Context, *extraapi.GetLabClockRequest) (*extraapi.GetLabClockResponse, error) {
	return l.clock(), nil
}

func (l *Lab) clock() *extraapi.LabClock {
	c := l.Host.Clock()
	now := c.Now()
	return &extraapi.LabClock{Now: now.Format(time.RFC3339Nano), NowTS: now.UnixMilli(), Running: c.Running()}
}

// SetLabClock sets the clock, stops it or lets it run on.
func (l *Lab) SetLabClock(_ context.Context, req *extraapi.SetLabClockRequest) (*extraapi.SetLabClockResponse, error) {
	to, set, err := timeOf(&req.Body)
	if err != nil {
		return nil, err
	}
	running := req.Body.Running
	if !set && !running.Set {
		return nil, api.BadJSON("The body: expected a time in /now or /now_ts, or /running, or both")
	}
	c := l.Host.Clock()
	if running.Set && !running.Value { // first, so that a time that is set does not run on
		c.Freeze()
	}
	if set {
		c.Set(to)
	}
	if running.Value {
		c.Run()
	}
	return l.clock(), nil
}

func timeOf(body *extraapi.SetLabClockBody) (to time.Time, set bool, err error) {
	switch {
	case body.Now.Set && body.NowTS.Set:
		return to, false, api.BadJSON("At /now_ts: /now is there as well, and one of them is enough")
	case body.Now.Set:
		if to, err = time.Parse(time.RFC3339, body.Now.Value); err != nil {
			return to, false, api.BadJSON("At /now: expected a time of RFC 3339, such as 2026-01-02T03:04:05Z")
		}
	case body.NowTS.Set:
		to = time.UnixMilli(body.NowTS.Value).UTC()
	default:
		return to, false, nil
	}
	if ts := to.UnixMilli(); ts < 0 || ts > maxTS {
		return to, false, api.BadJSON("The time to set is not between 1970 and 9999")
	}
	return to, true, nil
}

// AdvanceLabClock moves the clock forward. Long polls whose time is up by then are
// answered.
func (l *Lab) AdvanceLabClock(_ context.Context, req *extraapi.AdvanceLabClockRequest) (*extraapi.AdvanceLabClockResponse, error) {
	ms := req.Body.MS
	c := l.Host.Clock()
	if ms < 0 || ms > maxAdvance || c.Now().UnixMilli()+ms > maxTS {
		return nil, api.BadJSON("At /ms: expected milliseconds, between 0 and %d and not beyond the year 9999; PUT …/clock sets the clock back", int64(maxAdvance))
	}
	c.Advance(time.Duration(ms) * time.Millisecond)
	return l.clock(), nil
}
