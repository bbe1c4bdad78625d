// SPDX-License-Identifier: Apache-2.0

package env_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/env"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func fired(tm *env.Timer) bool {
	select {
	case <-tm.C:
		return true
	default:
		return false
	}
}

func TestAFrozenClockMovesOnlyWhenTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := env.Frozen(noon)
		minute, hour := c.After(time.Minute), c.After(time.Hour)
		time.Sleep(2 * time.Hour) // in the time of the synctest bubble
		require.Equal(t, noon, c.Now())
		require.False(t, fired(minute))

		c.Advance(59 * time.Second)
		require.False(t, fired(minute))
		c.Advance(time.Second)
		require.True(t, fired(minute))
		require.False(t, fired(hour))
		require.Equal(t, noon.Add(time.Minute), c.Now())

		at, n := c.Next()
		require.Equal(t, noon.Add(time.Hour), at)
		require.Equal(t, 1, n)
		require.True(t, hour.Stop())
		require.False(t, hour.Stop())
		_, n = c.Next()
		require.Zero(t, n)
		c.Advance(2 * time.Hour)
		require.False(t, fired(hour))
	})
}

func TestARunningClockGoesOnFromItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := env.RunningFrom(noon)
		require.True(t, c.Running())
		tm := c.After(time.Minute)
		time.Sleep(30 * time.Second)
		require.Equal(t, noon.Add(30*time.Second), c.Now())
		c.Advance(20 * time.Second)
		synctest.Wait()
		require.False(t, fired(tm))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.True(t, fired(tm))
	})
}

func TestAClockCanBeFrozenRunAndSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := env.RunningFrom(noon)
		tm := c.After(time.Minute)
		time.Sleep(10 * time.Second)
		c.Freeze()
		time.Sleep(time.Hour)
		require.Equal(t, noon.Add(10*time.Second), c.Now())
		require.False(t, fired(tm))

		c.Run()
		c.Run()
		time.Sleep(49 * time.Second)
		synctest.Wait()
		require.False(t, fired(tm))
		c.Set(noon)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		require.False(t, fired(tm), "setting the clock back makes timers wait longer")
		c.Set(noon.Add(time.Hour))
		require.True(t, fired(tm))
		time.Sleep(time.Second)
		require.Equal(t, noon.Add(time.Hour+time.Second), c.Now())
	})
}

func TestTimersThatAreDueFireAtOnce(t *testing.T) {
	for name, c := range map[string]env.Clock{"frozen": env.Frozen(noon), "running": env.RunningFrom(noon)} {
		for _, d := range []time.Duration{0, -time.Second} {
			tm := c.After(d)
			require.True(t, fired(tm), name)
			require.False(t, tm.Stop(), name)
		}
	}
}

func TestAdvanceRefusesToGoBack(t *testing.T) {
	require.Panics(t, func() { env.Frozen(noon).Advance(-1) })
}

func TestWaitEndsWithTheClockOrTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := env.Frozen(noon)
		e := env.Fixed("s", clock)
		done := make(chan error)
		go func() { done <- e.Wait(t.Context(), time.Minute) }()
		synctest.Wait()
		clock.Advance(time.Minute)
		require.NoError(t, <-done)

		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- e.Wait(ctx, time.Minute) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		_, waiting := clock.Next()
		require.Zero(t, waiting, "a wait that was given up leaves no timer behind")
	})
}

func TestATimeoutEndsWithEitherTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := env.Frozen(noon)
		e := env.Fixed("s", clock)
		moved, cancel := e.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		clock.Advance(59 * time.Second)
		require.NoError(t, moved.Err())
		clock.Advance(time.Second)
		require.Error(t, moved.Err())

		passed, cancel := e.WithTimeout(t.Context(), time.Minute)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Error(t, passed.Err(), "a clock that stands still holds nobody up")
		cancel()
		_, waiting := clock.Next()
		require.Zero(t, waiting)

		real, cancel := env.Real().WithTimeout(t.Context(), time.Minute)
		defer cancel()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.ErrorIs(t, real.Err(), context.DeadlineExceeded)
	})
}

func TestRealTimeIsUTCAndPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := env.Real()
		require.Equal(t, time.UTC, e.Now().Location())
		before, watch := e.NowTS(), env.Stopwatch()
		require.NoError(t, e.Wait(t.Context(), 1500*time.Millisecond))
		require.Equal(t, before+1500, e.NowTS())
		require.Equal(t, 1500*time.Millisecond, watch())
	})
}

func TestParseClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real, err := env.ParseClock("")
		require.NoError(t, err)
		require.Equal(t, time.Now().UTC(), real.Now())

		frozen, err := env.ParseClock("2026-01-02T13:00:00+01:00")
		require.NoError(t, err)
		require.Equal(t, noon, frozen.Now())
		require.False(t, frozen.(*env.VirtualClock).Running())

		running, err := env.ParseClock("2026-01-02T12:00:00Z+")
		require.NoError(t, err)
		require.Equal(t, noon, running.Now())
		require.True(t, running.(*env.VirtualClock).Running())

		for _, bad := range []string{"+", "noon", "2026-01-02", "2026-01-02T12:00:00Z++", "1767355200"} {
			_, err := env.ParseClock(bad)
			require.ErrorContains(t, err, "RFC 3339", bad)
		}
	})
}
