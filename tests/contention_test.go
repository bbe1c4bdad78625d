// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestServersSendToOneRoom lets users on four servers of one database send to one
// room without a pause: each commit conflicts with others, and none is refused for
// that.
func TestServersSendToOneRoom(t *testing.T) {
	servers := harness.StartSeveral(t, 4)
	creator := servers[0].User(t, "creator")
	room := creator.PublicRoom(t)
	const people, messages = 4, 80
	var all sync.WaitGroup
	acked := make(chan string, len(servers)*people*messages)
	for i, s := range servers {
		for k := range people {
			u := s.Register(t, fmt.Sprintf("sender%d-%d", i, k))
			u.Join(t, room)
			all.Go(func() {
				for range messages {
					eventID, err := u.TrySend(t.Context(), room, harness.Txn(), "and another thing")
					if err != nil {
						t.Error(err)
						return
					}
					acked <- eventID
				}
			})
		}
	}
	all.Wait()
	close(acked)
	var want []string
	for eventID := range acked {
		want = append(want, eventID)
	}
	slices.Sort(want)
	require.Eventually(t, func() bool { // a server hears of the others' last writes a little later
		var got []string
		for _, ev := range creator.On(servers[3]).AllMessages(t, room, "b", 100) {
			if ev.At("type").String() == "m.room.message" {
				got = append(got, ev.At("event_id").String())
			}
		}
		slices.Sort(got)
		return slices.Equal(want, got)
	}, 30*time.Second, 50*time.Millisecond)
}
