// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// A syncCase is one behaviour of /sync, shown with users and rooms of its own.
type syncCase struct {
	name string
	run  func(t *testing.T, s *harness.Server)
}

// TestSync runs all cases on every engine at the same time, so that each also shows
// that other users do not disturb it.
func TestSync(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		for _, c := range slices.Concat(timelineCases, stateCases, filterCases, membershipCases, lazyCases, visibilityCases, departedCases, unsignedCases, pollCases) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, s)
			})
		}
	})
}

// sendMany sends numbered messages and returns their ids.
func sendMany(t *testing.T, u *harness.User, room string, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = u.Send(t, room, fmt.Sprintf("message %d", i))
	}
	return ids
}

// limit is a filter of a timeline's length.
func limit(n int) string {
	return harness.Filter(harness.O{"room": harness.O{"timeline": harness.O{"limit": n}}})
}

// joined, invited and left return a room's part of an answer.
func joined(v harness.Value, room string) harness.Value { return v.At("rooms", "join", room) }

func invited(v harness.Value, room string) harness.Value { return v.At("rooms", "invite", room) }

func left(v harness.Value, room string) harness.Value { return v.At("rooms", "leave", room) }

// requireOnce fails where an event is missing, repeated, or not expected.
func requireOnce(t *testing.T, want, got []string) {
	t.Helper()
	require.Equal(t, slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got)))
}

// types returns the types of events, sorted, each as often as it occurs.
func types(events harness.Value) []string {
	return sorted(events.Pluck("type")...)
}

// texts returns the texts of messages in a list of events.
func texts(events []harness.Value) []string {
	out := []string{}
	for _, ev := range events {
		if ev.At("type").String() == "m.room.message" && ev.At("content", "body").Exists() {
			out = append(out, ev.At("content", "body").String())
		}
	}
	return out
}

func reversed(events []harness.Value) []harness.Value {
	out := slices.Clone(events)
	slices.Reverse(out)
	return out
}

// withText keeps the texts that begin with a prefix.
func withText(texts []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return !strings.HasPrefix(s, prefix) })
}

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
