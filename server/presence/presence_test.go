// SPDX-License-Identifier: Apache-2.0

package presence_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/presence"
	"touchstone.example/server/run"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// A fixture is presence beside rooms and sync: alice's room, which bob is in.
type fixture struct {
	*slicetest.Fixture
	t      *testing.T
	router *api.Router
	room   string
	tokens map[string]string // of the last answers
	polls  atomic.Int64      // how many requests were noted
}

func each(t *testing.T, off bool, fn func(t *testing.T, f *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := slicetest.New(t, db)
		f := &fixture{Fixture: s, t: t, router: s.Router(t, api.Config{Auth: slicetest.Tokens()}), tokens: map[string]string{}}
		slice := presence.New(presence.Deps{DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Off: off})
		group := run.NewGroup(context.WithoutCancel(t.Context()), s.Log)
		group.Go("presence", slice.Run)
		t.Cleanup(func() {
			group.Stop()
			require.NoError(t, group.Wait())
		})
		clientapi.MountPresence(f.router, slice)
		roomtest.Mount(f.router, s, nil)
		clientapi.MountSync(f.router, clientsync.New(clientsync.Deps{
			DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Stopping: t.Context(), Parts: []syncpart.Part{presence.SyncPart{}},
			Polls: func(ctx context.Context, who api.Caller, state clientapi.PresenceState) func() {
				defer f.polls.Add(1)
				return slice.Polls(ctx, who, state)
			},
		}))
		f.room = f.ok("alice", "POST", slicetest.Path("v3/createRoom"), slicetest.O{"preset": "public_chat"}).At("room_id")
		f.join("bob")
		fn(t, f)
	})
}

func (f *fixture) join(user string) {
	f.t.Helper()
	f.ok(user, "POST", slicetest.Path("v3/rooms/{}/join", f.room), slicetest.O{})
}

func (f *fixture) ok(user, method, path string, body any) slicetest.Answer {
	f.t.Helper()
	return slicetest.OK(f.t, f.router, method, path, user, body)
}

// sync is what a user hears, who says to be in some state by asking.
func (f *fixture) sync(user, state string) string {
	f.t.Helper()
	path := slicetest.Path("v3/sync?timeout=0") + slicetest.Query("set_presence", state)
	if token := f.tokens[user]; token != "" {
		path += slicetest.Query("since", token)
	}
	a := f.ok(user, "GET", path, nil)
	f.tokens[user] = a.At("next_batch")
	return a.At("presence", "events")
}

func status(user string) string { return slicetest.Path("v3/presence/{}/status", "@"+user+":hs1") }

// says is alice's presence as others are told.
func says(content string) string {
	return fmt.Sprintf(`[{"sender":"@alice:hs1","type":"m.presence","content":%s}]`, content)
}

// TestPresenceIsToldWithTheNextAnswer to those who share a room.
func TestPresenceIsToldWithTheNextAnswer(t *testing.T) {
	each(t, false, func(t *testing.T, f *fixture) {
		f.sync("bob", "offline")
		f.sync("carol", "offline")
		require.JSONEq(t, `{"presence":"offline"}`, f.ok("bob", "GET", status("alice"), nil).Body)
		f.ok("alice", "PUT", status("alice"), slicetest.O{"presence": "online", "status_msg": "here"})
		want := `{"presence":"online","status_msg":"here","currently_active":true,"last_active_ago":0}`
		require.JSONEq(t, want, f.ok("bob", "GET", status("alice"), nil).Body)
		require.JSONEq(t, says(want), f.sync("bob", "offline"))
		require.Empty(t, f.sync("bob", "offline"))
		require.Empty(t, f.sync("carol", "offline"), "who shares no room")
		f.tokens["bob"] = ""
		require.JSONEq(t, says(want), f.sync("bob", "offline"))

		f.ok("alice", "PUT", status("alice"), slicetest.O{"presence": "unavailable"})
		require.JSONEq(t, says(`{"presence":"unavailable","last_active_ago":0}`), f.sync("bob", "offline"))
		f.ok("alice", "PUT", status("alice"), slicetest.O{"presence": "offline"})
		require.JSONEq(t, says(`{"presence":"offline","last_active_ago":0}`), f.sync("bob", "offline"))
	})
}

// TestPresenceBySync: a device that asks is there, another one may be idle, and who
// asks no more is gone.
func TestPresenceBySync(t *testing.T) {
	each(t, false, func(t *testing.T, f *fixture) {
		f.sync("bob", "offline")
		f.sync("alice", "offline")
		require.Empty(t, f.sync("bob", "offline"))
		f.sync("alice", "unavailable")
		require.Contains(t, f.sync("bob", "offline"), `"presence":"unavailable"`)
		f.sync("alice/PHONE", "online")
		require.Contains(t, f.sync("bob", "offline"), `"presence":"online"`)
		f.sync("alice", "unavailable")
		cost := f.DB.Stats()
		f.sync("alice", "online")
		require.Zero(t, f.DB.Stats().Since(cost).Writes, "which is known")
		require.Empty(t, f.sync("bob", "offline"))
		f.ahead("bob", 30*time.Second, `"presence":"offline"`)
	})
}

// TestADeviceTurnsIdle: the device that made its user online takes that back, one of the
// user's others does not.
func TestADeviceTurnsIdle(t *testing.T) {
	each(t, false, func(t *testing.T, f *fixture) {
		f.sync("bob", "offline")
		f.sync("alice", "online")
		require.Contains(t, f.sync("bob", "offline"), `"presence":"online"`)
		f.sync("alice/PHONE", "unavailable")
		require.Empty(t, f.sync("bob", "offline"), "the other device is online")
		f.sync("alice", "unavailable")
		require.Contains(t, f.sync("bob", "offline"), `"presence":"unavailable"`)
		f.sync("alice/PHONE", "online")
		require.Contains(t, f.sync("bob", "offline"), `"presence":"online"`)
	})
}

// TestPresenceOfWhoJoins: those in a room hear of somebody who comes in.
func TestPresenceOfWhoJoins(t *testing.T) {
	each(t, false, func(t *testing.T, f *fixture) {
		f.ok("carol", "PUT", status("carol"), slicetest.O{"presence": "online", "status_msg": "new here"})
		f.sync("bob", "offline")
		f.join("carol")
		require.Contains(t, f.sync("bob", "offline"), "new here")
		require.Empty(t, f.sync("bob", "offline"))
		f.join("dora")
		require.Empty(t, f.sync("bob", "offline"), "nobody is told that somebody is offline")
	})
}

// ahead moves the clock, and waits until a user has heard something.
func (f *fixture) ahead(user string, d time.Duration, want string) {
	f.t.Helper()
	f.Clock.Advance(d)
	require.Eventually(f.t, func() bool {
		said := f.sync(user, "offline")
		return said != "" && strings.Contains(said, want)
	}, 10*time.Second, 10*time.Millisecond, want)
}

// TestPresenceByTime: who does nothing is idle after a while, however long a device
// waits.
func TestPresenceByTime(t *testing.T) {
	each(t, false, func(t *testing.T, f *fixture) {
		f.sync("bob", "offline")
		f.sync("alice", "online")
		require.Contains(t, f.sync("bob", "offline"), `"currently_active":true`)
		before := f.polls.Load()
		waiting, stop := context.WithCancel(t.Context())
		group := run.NewGroup(waiting, f.Log)
		group.Go("alice", func(ctx context.Context) error {
			f.poll(ctx)
			return nil
		})
		require.Eventually(t, func() bool { return f.polls.Load() > before }, 10*time.Second, time.Millisecond)
		f.ahead("bob", time.Minute, `"currently_active":false`)
		for range 3 {
			f.Clock.Advance(time.Minute)
		}
		f.ahead("bob", time.Minute, `"presence":"unavailable"`)
		stop()
		require.NoError(t, group.Wait())
		f.ahead("bob", time.Minute, `"presence":"offline"`)
	})
}

// poll has alice wait for news until ctx ends.
func (f *fixture) poll(ctx context.Context) {
	path := slicetest.Path("v3/sync?timeout=600000") + slicetest.Query("since", f.tokens["alice"])
	r := httptest.NewRequestWithContext(ctx, "GET", path, nil)
	r.Header.Set("Authorization", "Bearer alice")
	f.router.ServeHTTP(httptest.NewRecorder(), r)
}

func TestPresenceOfOthersAndOff(t *testing.T) {
	on := slicetest.O{"presence": "online"}
	each(t, false, func(t *testing.T, f *fixture) {
		slicetest.Table(t, f.router, []slicetest.Row{
			{Name: "to set another's", Method: "PUT", Path: status("alice"), Token: "bob", Body: on, Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "who shares no room", Method: "GET", Path: status("alice"), Token: "carol", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "nobody", Method: "GET", Path: status("nobody"), Token: "carol", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "one's own", Method: "GET", Path: status("carol"), Token: "carol", Status: 200},
			{Name: "a state that there is not", Method: "PUT", Path: status("bob"), Token: "bob", Body: slicetest.O{"presence": "busy"}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no token", Method: "GET", Path: status("bob"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
		})
	})
	each(t, true, func(t *testing.T, f *fixture) {
		f.ok("alice", "PUT", status("alice"), on)
		require.JSONEq(t, `{"presence":"offline"}`, f.ok("bob", "GET", status("alice"), nil).Body)
		require.Empty(t, f.sync("bob", "online"))
		require.Empty(t, f.sync("alice", "online"))
	})
}
