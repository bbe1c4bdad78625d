// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestDisplayNameChangeSurvivesKill: the server is killed when the new name has come
// to the first rooms, and the next one goes on.
func TestDisplayNameChangeSurvivesKill(t *testing.T) {
	s := harness.Start(t, harness.Options{Process: true})
	alice := s.User(t, "alice")
	var rooms []string
	for range 100 {
		rooms = append(rooms, alice.CreateRoom(t, harness.O{}))
	}
	since := alice.Since(t)
	var changing sync.WaitGroup
	changing.Go(func() { // it is cut off
		_, _ = alice.Try(context.WithoutCancel(t.Context()), http.MethodPut,
			harness.Path("v3/profile/{}/displayname", alice.ID), harness.O{"displayname": "Alice"})
	})
	v := alice.SyncUntil(t, since, func(v harness.Value) bool { return len(v.At("rooms", "join").Keys()) > 0 })
	s.Kill(t)
	changing.Wait()
	s.Restart(t)
	shown := func() (n int) {
		for _, room := range rooms {
			if name := alice.State(t, room, "m.room.member", alice.ID).At("displayname"); name.Exists() && name.String() == "Alice" {
				n++
			}
		}
		return n
	}
	since = v.At("next_batch").String()
	first := shown()
	t.Logf("%d of %d rooms after the kill", first, len(rooms))
	for n := first; n < len(rooms); n = shown() {
		v := alice.Sync(t, "since", since, "timeout", 10000)
		require.NotEqual(t, since, v.At("next_batch").String(), "%d rooms show the name, and no more do", n)
		since = v.At("next_batch").String()
	}
}
