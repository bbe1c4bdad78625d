// SPDX-License-Identifier: Apache-2.0

package env

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Clock returns the time that Matrix clients see, and makes timers.
type Clock interface {
	// Now returns the time in UTC.
	Now() time.Time
	// After returns a timer whose channel receives once, when d has passed on
	// this clock. Stop it when it is no longer wanted.
	After(d time.Duration) *Timer
}

// A Timer is a timer on a Clock, as time.Timer is one on the system clock.
type Timer struct {
	C    <-chan time.Time
	stop func() bool
}

// Stop stops the timer. It reports whether the timer had not fired yet.
func (t *Timer) Stop() bool { return t.stop() }

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now().UTC() }

func (systemClock) After(d time.Duration) *Timer {
	t := time.NewTimer(d)
	return &Timer{C: t.C, stop: t.Stop}
}

// ParseClock reads the clock setting. Empty means the system clock; an RFC 3339
// time is a clock frozen at that time, and with a plus sign appended, a clock
// that runs from that time on.
func ParseClock(s string) (Clock, error) {
	if s == "" {
		return systemClock{}, nil
	}
	text, running := strings.CutSuffix(s, "+")
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fmt.Errorf("clock %q is not an RFC 3339 time such as 2026-01-02T03:04:05Z, with a + at its end if it runs on", s)
	}
	if running {
		return RunningFrom(t), nil
	}
	return Frozen(t), nil
}

// A VirtualClock is a clock that tests set. Frozen, it changes only by calls;
// running, it advances with the system clock.
type VirtualClock struct {
	mu      sync.Mutex
	base    time.Time // the time shown at the moment of started, or the frozen time
	started time.Time // system time when running started
	running bool
	waiting []*waiter // by deadline, then in the order of their creation
	alarm   *time.Timer
}

// A waiter is told when the clock shows its time. tell must not block, nor call
// the clock.
type waiter struct {
	at   time.Time
	tell func(now time.Time)
}

var _ Clock = (*VirtualClock)(nil)

// Frozen returns a clock that is frozen at t.
func Frozen(t time.Time) *VirtualClock { return &VirtualClock{base: t.UTC()} }

// RunningFrom returns a clock that shows t now and runs.
func RunningFrom(t time.Time) *VirtualClock {
	return &VirtualClock{base: t.UTC(), started: time.Now(), running: true}
}

// Now returns the time that the clock shows.
func (c *VirtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *VirtualClock) now() time.Time {
	if c.running {
		return c.base.Add(time.Since(c.started))
	}
	return c.base
}

// After returns a timer that fires when the clock shows d later than now,
// whether it ran or was set.
func (c *VirtualClock) After(d time.Duration) *Timer {
	fired := make(chan time.Time, 1)
	return &Timer{C: fired, stop: c.afterFunc(d, func(now time.Time) { fired <- now })}
}

// afterFunc has tell called once the clock shows d later than now, unless it is
// stopped before.
func (c *VirtualClock) afterFunc(d time.Duration, tell func(now time.Time)) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if d <= 0 {
		tell(now)
		return func() bool { return false }
	}
	w := &waiter{at: now.Add(d), tell: tell}
	i, _ := slices.BinarySearchFunc(c.waiting, w, func(a, b *waiter) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1
	})
	c.waiting = slices.Insert(c.waiting, i, w)
	c.fire()
	return func() bool { return c.remove(w) }
}

func (c *VirtualClock) remove(w *waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, w)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	c.fire()
	return true
}

// fire fires the timers that are due. If the clock runs, it also sets a system
// timer for the next one.
func (c *VirtualClock) fire() {
	now := c.now()
	due := 0
	for due < len(c.waiting) && !c.waiting[due].at.After(now) {
		c.waiting[due].tell(now)
		due++
	}
	c.waiting = slices.Delete(c.waiting, 0, due)
	if c.alarm != nil {
		c.alarm.Stop()
		c.alarm = nil
	}
	if c.running && len(c.waiting) > 0 {
		c.alarm = time.AfterFunc(c.waiting[0].at.Sub(now), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.fire()
		})
	}
}

// Advance moves the clock forward, frozen or running, and fires timers that are
// due in the order of their deadlines. It panics if d is negative.
func (c *VirtualClock) Advance(d time.Duration) {
	if d < 0 {
		panic("env: Advance moves a clock forward only")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = c.base.Add(d)
	c.fire()
}

// Set sets the clock to t, which may be in the past, for example to restore a
// snapshot. Timers keep their deadlines.
func (c *VirtualClock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = t.UTC()
	if c.running {
		c.started = time.Now()
	}
	c.fire()
}

// Freeze stops the clock at the current time.
func (c *VirtualClock) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.running = c.now(), false
	c.fire()
}

// Run starts the clock at the time it shows.
func (c *VirtualClock) Run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		c.started, c.running = time.Now(), true
	}
	c.fire()
}

// Running reports whether the clock is running.
func (c *VirtualClock) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// Next returns the earliest deadline of a timer, and the number of timers.
func (c *VirtualClock) Next() (at time.Time, waiting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return time.Time{}, 0
	}
	return c.waiting[0].at, len(c.waiting)
}
