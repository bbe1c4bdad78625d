// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// TestAllWhoWaitAreToldTheSame has members wait for what two others say and take
// back: each is told of each event once, in one order, and never of what was
// redacted before.
func TestAllWhoWaitAreToldTheSame(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		const messages = 40
		var members []string
		for n := range 8 {
			members = append(members, fmt.Sprint("m", n))
		}
		room := h.Public(append(members, "bob")...)
		since := make([]string, len(members))
		for i, m := range members {
			since[i] = h.OK("GET", "/_matrix/client/v3/sync", m, nil).At("next_batch")
		}
		var all sync.WaitGroup
		for _, sender := range []string{"alice", "bob"} {
			all.Go(func() {
				for n := range messages {
					path := roomtest.At(room, "send/m.room.message/{}", strconv.Itoa(n))
					a := h.Do("PUT", path, sender, slicetest.O{"msgtype": "m.text", "body": "secret"})
					if n%4 == 0 {
						path := roomtest.At(room, "redact/{}/{}", a.At("event_id"), strconv.Itoa(n))
						a = h.Do("PUT", path, sender, slicetest.O{})
					}
					if a.Status != 200 {
						t.Error(a)
					}
				}
			})
		}
		told := make([][]roomtest.Event, len(members))
		for i, m := range members {
			all.Go(func() {
				for len(told[i]) < 2*(messages+messages/4) {
					a := h.Do("GET", "/_matrix/client/v3/sync?timeout=10000"+slicetest.Query("since", since[i])+
						slicetest.Query("filter", `{"room":{"timeline":{"limit":1000}}}`), m, nil)
					var events []roomtest.Event
					text := a.At("rooms", "join", room, "timeline", "events")
					if a.Status != 200 || text == "" || json.Unmarshal([]byte(text), &events) != nil {
						t.Error(a)
						return
					}
					told[i] = append(told[i], events...)
					since[i] = a.At("next_batch")
				}
			})
		}
		all.Wait()
		gone := map[string]bool{}
		for i := range members {
			require.Len(t, told[i], len(told[0]))
			redacted := map[string]bool{}
			for j, e := range told[i] {
				require.Equal(t, told[0][j].ID, e.ID)
				if e.Type == "m.room.redaction" {
					redacted[e.Content["redacts"].(string)] = true
				}
				require.False(t, redacted[string(e.ID)], "told of after its redaction")
			}
			gone = redacted
		}
		require.Len(t, gone, 2*messages/4)
	})
}
