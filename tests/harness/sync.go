// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// syncUntilTimeout bounds how long a test waits for something to arrive.
const syncUntilTimeout = 60 * time.Second

// Sync sends one /sync with these query parameters. It does not wait unless they
// contain a timeout.
func (u *User) Sync(t T, query ...any) Value {
	t.Helper()
	return u.Get(t, Path("v3/sync")+Query(query...))
}

// Since returns the user's position now.
func (u *User) Since(t T) string {
	t.Helper()
	return u.Sync(t, "filter", Filter(O{"room": O{"timeline": O{"limit": 1}}})).At("next_batch").String()
}

// Filter encodes a filter as a query parameter.
func Filter(f O) string {
	b, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// SyncUntil long-polls from a position until an answer fulfils the condition,
// and returns that answer. Further pairs go into the query.
func (u *User) SyncUntil(t T, since string, done func(Value) bool, query ...any) Value {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), syncUntilTimeout)
	defer cancel()
	for {
		pairs := append([]any{"since", since, "timeout", 10000}, query...)
		a, err := u.Try(ctx, http.MethodGet, Path("v3/sync")+Query(pairs...), nil)
		require.NoError(t, err, "sync from %s", since)
		require.Equal(t, http.StatusOK, a.Status, "sync from %s: %s", since, a)
		if v := a.JSON(); done(v) {
			return v
		}
		since = a.JSON().At("next_batch").String()
	}
}

// Timeline returns a joined room's new events of a sync answer.
func Timeline(sync Value, room string) []Value {
	return sync.At("rooms", "join", room, "timeline", "events").List()
}

// HasEvent is a condition for SyncUntil: the event arrives in a room's
// timeline.
func HasEvent(room, event string) func(Value) bool {
	return func(v Value) bool {
		for _, ev := range Timeline(v, room) {
			if ev.At("event_id").String() == event {
				return true
			}
		}
		return false
	}
}

// IDs returns the event ids of events.
func IDs(events []Value) []string {
	out := make([]string, len(events))
	for i, ev := range events {
		out[i] = ev.At("event_id").String()
	}
	return out
}

// StateOf returns the event with a type and key of a list of state events.
func StateOf(events Value, typ, key string) Value {
	for _, ev := range events.List() {
		if ev.At("type").String() == typ && ev.At("state_key").String() == key {
			return ev
		}
	}
	return Value{}
}
