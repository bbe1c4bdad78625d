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
	"touchstone.example/tests/seedrand"
)

// TestRandomActionsOnThreeServers lets users do random things at once, in the same
// rooms and on three servers of one database. No response is a 5xx or departs from
// the specification, and in the end all servers return the same messages.
func TestRandomActionsOnThreeServers(t *testing.T) {
	b := &actors{servers: harness.StartSeveral(t, 3)}
	b.users = b.servers[0].Users(t, "alice", "bob", "carol", "dora", "emil", "fritz")
	for i := range 3 {
		b.rooms = append(b.rooms, b.users[i].PublicRoom(t, b.users...))
	}
	var all sync.WaitGroup
	for seed := range 9 {
		all.Go(func() {
			d := seedrand.Dice(seed)
			since := map[*harness.User]string{}
			for n := range 60 {
				if err := b.act(t, &d, n, since); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i, room := range b.rooms {
		on := func(s *harness.Server) []string { return harness.IDs(b.users[i].On(s).AllMessages(t, room, "b", 100)) }
		require.Eventually(t, func() bool { // they hear of each other's last writes a little later
			first := on(b.servers[0])
			return len(first) > 0 && slices.Equal(first, on(b.servers[1])) && slices.Equal(first, on(b.servers[2]))
		}, 30*time.Second, 50*time.Millisecond)
	}
}

type actors struct {
	servers []*harness.Server
	users   []*harness.User
	rooms   []string
}

// actions are what one may do in a room: the method, the path below the room's and
// the body. o is another one, n a number.
var actions = map[string]func(o string, n int) (method, path string, body any){
	"send": func(string, int) (string, string, any) {
		return "PUT", "send/m.room.message/" + harness.Txn(), harness.O{"msgtype": "m.text", "body": "x"}
	},
	"topic": func(_ string, n int) (string, string, any) {
		return "PUT", "state/m.room.topic/", harness.O{"topic": fmt.Sprint(n)}
	},
	"levels": func(o string, n int) (string, string, any) {
		return "PUT", "state/m.room.power_levels/", harness.O{
			"users": harness.O{o: 50}, "state_default": 0, "kick": n % 2, "ban": 50 * (n % 2), "invite": 0,
		}
	},
	"join":     func(string, int) (string, string, any) { return "POST", "join", harness.O{} },
	"leave":    func(string, int) (string, string, any) { return "POST", "leave", harness.O{} },
	"kick":     func(o string, _ int) (string, string, any) { return "POST", "kick", harness.O{"user_id": o} },
	"ban":      func(o string, _ int) (string, string, any) { return "POST", "ban", harness.O{"user_id": o} },
	"unban":    func(o string, _ int) (string, string, any) { return "POST", "unban", harness.O{"user_id": o} },
	"invite":   func(o string, _ int) (string, string, any) { return "POST", "invite", harness.O{"user_id": o} },
	"messages": func(string, int) (string, string, any) { return "GET", "messages?dir=b&limit=30", nil },
	"members":  func(string, int) (string, string, any) { return "GET", "members", nil },
}

// act lets a random user do something that the server may refuse.
func (b *actors) act(t *testing.T, d *seedrand.Dice, n int, since map[*harness.User]string) error {
	user, room := seedrand.Pick(d, b.users...), seedrand.Pick(d, b.rooms...)
	u := user.On(seedrand.Pick(d, b.servers...))
	try := func(method, path string, body any) (*harness.Answer, error) {
		return u.Try(t.Context(), method, path, body)
	}
	switch what := seedrand.Pick(d, "sync", "sync", "name", "redact", "send", "send", "send", "topic", "levels",
		"join", "join", "join", "leave", "kick", "ban", "unban", "unban", "invite", "messages", "members"); what {
	case "sync":
		path := harness.Path("v3/sync")
		if since[user] != "" {
			path += harness.Query("since", since[user], "timeout", 50)
		}
		a, err := try("GET", path, nil)
		if err == nil {
			since[user] = a.JSON().At("next_batch").String()
		}
		return err
	case "name":
		_, err := try("PUT", harness.Path("v3/profile/{}/displayname", u.ID), harness.O{"displayname": fmt.Sprint("name ", n)})
		return err
	case "redact":
		a, err := try("GET", harness.Path("v3/rooms/{}/messages", room)+"?dir=b&limit=1", nil)
		if err == nil && a.JSON().At("chunk", 0).Exists() {
			event := a.JSON().At("chunk", 0, "event_id").String()
			_, err = try("PUT", harness.Path("v3/rooms/{}/redact/{}/{}", room, event, harness.Txn()), harness.O{})
		}
		return err
	default:
		method, path, body := actions[what](seedrand.Pick(d, b.users...).ID, n)
		_, err := try(method, harness.Path("v3/rooms/{}/", room)+path, body)
		return err
	}
}
