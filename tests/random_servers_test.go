// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"touchstone.example/tests/harness"
	"touchstone.example/tests/seedrand"
)

// TestRandomServers is TestSyncMatchesModel with three servers on one database:
// every request, of the client and of the other users in the room, goes to a random
// server. Meanwhile users write in other rooms on each server, so that the servers
// learn of each other's changes with some delay.
func TestRandomServers(t *testing.T) {
	defer replay(t)
	servers := harness.StartSeveral(t, 3)
	writeElsewhere(t, servers)
	p := &progress{}
	start := time.Now()
	for n := 0; n == 0 || time.Since(start) < *randomDuration && !t.Failed(); n++ {
		seed := *randomSeed<<32 + n
		t.Run(fmt.Sprint("life ", n), func(t *testing.T) {
			newSyncModel(t, seedrand.Dice(seed), servers...).run(t, 16)
		})
		p.say(t, "%d lives", n+1)
	}
}

// writeElsewhere lets a user on each server send to a room of their own, until the
// test ends.
func writeElsewhere(t *testing.T, servers []*harness.Server) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var writing sync.WaitGroup
	t.Cleanup(func() { cancel(); writing.Wait() })
	for i, s := range servers {
		u := s.Register(t, fmt.Sprintf("elsewhere%d", i))
		room := u.CreateRoom(t, harness.O{})
		writing.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				path := harness.Path("v3/rooms/{}/send/m.room.message/{}", room, n)
				if _, err := u.Try(ctx, http.MethodPut, path, harness.O{"msgtype": "m.text", "body": "elsewhere"}); err != nil && ctx.Err() == nil {
					t.Errorf("%s: %v", u.ID, err)
					return
				}
			}
		})
	}
}
