// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"touchstone.example/tests/chance"
	"touchstone.example/tests/harness"
)

var (
	lives     = flag.Int("lives", 12, "how many random lives of rooms a client on several servers sees")
	firstLife = flag.Int("first-life", 0, "the seed of the first of them")
)

// TestClientsOfSeveralServersKnowTheirRooms is TestClientsKnowTheirRooms with
// three servers on one database and a client whose every request, and every
// request of the others in the room, goes to any of them. Meanwhile people write
// elsewhere by each server, so that the servers hear of each other's changes
// with some delay.
func TestClientsOfSeveralServersKnowTheirRooms(t *testing.T) {
	servers := harness.StartSeveral(t, 3)
	writeElsewhere(t, servers)
	start := time.Now()
	for n := range *lives {
		seed := *firstLife + n
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			newLife(t, chance.Dice(seed), servers...).live(t, 16)
		})
		if t.Failed() {
			t.Fatalf("life %d; again with: go test ./tests -run '^%s$' -first-life %[1]d -lives 1", seed, t.Name())
		}
		if (n+1)%100 == 0 {
			t.Logf("%d lives in %s", n+1, time.Since(start).Round(time.Second))
		}
	}
}

// writeElsewhere has somebody talk in a room of their own by each server, until
// the test ends.
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
