// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var pollCases = []syncCase{
	{"without news and timeout the answer is empty and at once", pollAtOnce},
	{"a timeout is waited for", pollTimeout},
	{"a message ends the wait", pollWakes},
	{"an invite, a join and a leave end the wait", pollWakesForMembership},
	{"who would wait for ever is not answered at once", pollForEver},
	{"others' news do not end the wait", pollSleepsOn},
	{"what a filter keeps out does not end the wait", pollSleepsThroughFiltered},
	{"news of before the request end the wait at once", pollDoesNotMiss},
	{"a client that goes away disturbs nobody", pollGoesAway},
}

// slow is longer than a wake-up may ever take, and shorter than the time-outs
// that these tests set.
const slow = 20 * time.Second

func pollAtOnce(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	alice.CreateRoom(t, nil)
	since := alice.Since(t)
	for _, query := range [][]any{{"since", since}, {"since", since, "timeout", 0}} {
		v := alice.Sync(t, query...)
		require.Empty(t, v.At("rooms", "join").Keys())
		require.NotEmpty(t, v.At("next_batch").String())
	}
}

func pollTimeout(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	alice.CreateRoom(t, nil)
	since := alice.Since(t)
	begin := time.Now()
	v := alice.Sync(t, "since", since, "timeout", 400)
	require.GreaterOrEqual(t, time.Since(begin), 400*time.Millisecond)
	require.Empty(t, v.At("rooms", "join").Keys())
	require.Empty(t, alice.Sync(t, "since", v.At("next_batch")).At("rooms", "join").Keys())
}

// poll starts a long poll and returns where its answer will be.
func poll(t *testing.T, u *harness.User, since string, timeout time.Duration, more ...any) <-chan harness.Value {
	answers := make(chan harness.Value, 1)
	go func() {
		a, err := u.Try(t.Context(), "GET", harness.Path("v3/sync")+harness.Query(append(more, "since", since, "timeout", timeout.Milliseconds())...), nil)
		if err != nil {
			t.Errorf("long poll: %v", err)
			close(answers)
			return
		}
		answers <- a.JSON()
	}()
	return answers
}

func await(t *testing.T, answers <-chan harness.Value) harness.Value {
	t.Helper()
	select {
	case v := <-answers:
		return v
	case <-time.After(slow):
		require.Fail(t, "the long poll was not woken")
		return harness.Value{}
	}
}

func pollWakes(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := bob.Since(t)
	for range 5 {
		answers := poll(t, bob, since, 2*slow)
		sent := alice.Send(t, room, "wake up")
		v := await(t, answers)
		require.Equal(t, []string{sent}, harness.IDs(harness.Timeline(v, room)))
		since = v.At("next_batch").String()
	}
}

func pollWakesForMembership(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	tablet := bob.Login(t, "TABLET")
	room := alice.CreateRoom(t, nil)
	since := bob.Since(t)
	for _, step := range []struct {
		do   func()
		part string
	}{
		{func() { alice.Invite(t, room, bob) }, "invite"},
		{func() { tablet.Join(t, room) }, "join"},
		{func() { tablet.Leave(t, room) }, "leave"},
	} {
		answers := poll(t, bob, since, 2*slow)
		step.do()
		v := await(t, answers)
		require.Equal(t, []string{room}, v.At("rooms", step.part).Keys(), step.part)
		since = v.At("next_batch").String()
	}
}

func pollSleepsOn(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	hers, his := alice.CreateRoom(t, nil), bob.CreateRoom(t, nil)
	since := bob.Since(t)
	answers := poll(t, bob, since, 2*slow)
	sendMany(t, alice, hers, 3)
	select {
	case v := <-answers:
		require.Fail(t, "woken for nothing", v.Raw())
	default:
	}
	sent := bob.Send(t, his, "mine")
	require.Equal(t, []string{sent}, harness.IDs(harness.Timeline(await(t, answers), his)))
}

// pollSleepsThroughFiltered: the token that comes in the end is past them.
func pollSleepsThroughFiltered(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	f := roomFilter("timeline", harness.O{"types": []string{"wanted"}})
	since := bob.Since(t)
	answers := poll(t, bob, since, 2*slow, "filter", f)
	sendMany(t, alice, room, 3)
	wanted := alice.SendEvent(t, room, "wanted", harness.O{})
	v := await(t, answers)
	require.Equal(t, []string{wanted}, harness.IDs(harness.Timeline(v, room)))
	sendMany(t, alice, room, 3)
	v = bob.Sync(t, "since", v.At("next_batch"), "filter", f, "timeout", 1)
	require.False(t, v.At("rooms").Exists())
	require.Empty(t, harness.Timeline(bob.Sync(t, "since", v.At("next_batch")), room))
}

func pollDoesNotMiss(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	since := alice.Since(t)
	sent := alice.Send(t, room, "before")
	v := await(t, poll(t, alice, since, 2*slow))
	require.Equal(t, []string{sent}, harness.IDs(harness.Timeline(v, room)))
}

func pollGoesAway(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	since := bob.Since(t)
	stay := poll(t, bob, since, 2*slow)
	for range 5 {
		ctx, cancel := contextWithTimeout(t, 20*time.Millisecond)
		_, err := bob.Try(ctx, "GET", harness.Path("v3/sync")+harness.Query("since", since, "timeout", 60000), nil)
		cancel()
		require.Error(t, err)
	}
	sent := alice.Send(t, room, "still there?")
	require.Equal(t, []string{sent}, harness.IDs(harness.Timeline(await(t, stay), room)))
}

// pollForEver: time-outs of some centuries, which as nanoseconds are none.
func pollForEver(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	since := alice.Since(t)
	for _, timeout := range []int64{1<<53 - 1, 18446744073710, math.MaxInt64} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := alice.Try(ctx, "GET", harness.Path("v3/sync")+harness.Query("since", since, "timeout", timeout), nil)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, timeout)
	}
}
