// SPDX-License-Identifier: Apache-2.0

package typing_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/run"
	"touchstone.example/server/syncpart"
	"touchstone.example/server/typing"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// A fixture is typing beside rooms and sync: alice's room, which bob is in.
type fixture struct {
	*slicetest.Fixture
	t      *testing.T
	slice  *typing.Typing
	router *api.Router
	room   string
	token  string // of bob's last answer
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := slicetest.New(t, db)
		f := &fixture{Fixture: s, t: t, router: s.Router(t, api.Config{Auth: slicetest.Tokens()})}
		f.slice = typing.New(typing.Deps{DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log})
		clientapi.MountTyping(f.router, f.slice)
		roomtest.Mount(f.router, s, nil)
		clientapi.MountSync(f.router, clientsync.New(clientsync.Deps{
			DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Stopping: t.Context(), Parts: []syncpart.Part{typing.SyncPart{}},
		}))
		f.room = f.ok("alice", "POST", slicetest.Path("v3/createRoom"), slicetest.O{"preset": "public_chat"}).At("room_id")
		f.ok("bob", "POST", slicetest.Path("v3/rooms/{}/join", f.room), slicetest.O{})
		f.token = f.ok("bob", "GET", slicetest.Path("v3/sync?timeout=0"), nil).At("next_batch")
		fn(t, f)
	})
}

func (f *fixture) ok(user, method, path string, body any) slicetest.Answer {
	f.t.Helper()
	return slicetest.OK(f.t, f.router, method, path, user, body)
}

func (f *fixture) path(user string) string {
	return slicetest.Path("v3/rooms/{}/typing/{}", f.room, "@"+user+":hs1")
}

func (f *fixture) types(user string, body slicetest.O) {
	f.t.Helper()
	f.ok(user, "PUT", f.path(user), body)
}

// told is what bob hears within so many milliseconds.
func (f *fixture) told(timeout string) string {
	f.t.Helper()
	a := f.ok("bob", "GET", slicetest.Path("v3/sync?timeout="+timeout)+slicetest.Query("since", f.token), nil)
	f.token = a.At("next_batch")
	return a.At("rooms", "join", f.room, "ephemeral", "events")
}

func (f *fixture) run() {
	group := run.NewGroup(context.WithoutCancel(f.t.Context()), f.Log)
	group.Go("typing", f.slice.Run)
	f.t.Cleanup(func() {
		group.Stop()
		require.NoError(f.t, group.Wait())
	})
}

const (
	nobody = `[{"content":{"user_ids":[]},"type":"m.typing"}]`
	alice  = `[{"content":{"user_ids":["@alice:hs1"]},"type":"m.typing"}]`
	both   = `[{"content":{"user_ids":["@alice:hs1","@bob:hs1"]},"type":"m.typing"}]`
)

func TestTypingIsToldOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		require.Empty(t, f.told("0"))
		f.types("alice", slicetest.O{"typing": true, "timeout": 5000})
		require.JSONEq(t, alice, f.told("0"))
		f.types("alice", slicetest.O{"typing": true, "timeout": 9000})
		require.Empty(t, f.told("0"), "it goes on")
		f.types("bob", slicetest.O{"typing": true})
		require.JSONEq(t, both, f.told("0"))
		f.types("bob", slicetest.O{"typing": false})
		require.JSONEq(t, alice, f.told("0"))
		f.types("bob", slicetest.O{"typing": false})
		f.types("bob", slicetest.O{"typing": true, "timeout": 0})
		require.Empty(t, f.told("0"), "who has not begun cannot stop")
		again := f.ok("bob", "GET", slicetest.Path("v3/sync?timeout=0"), nil)
		require.JSONEq(t, alice, again.At("rooms", "join", f.room, "ephemeral", "events"))
		f.ok("alice", "POST", slicetest.Path("v3/rooms/{}/leave", f.room), slicetest.O{})
		again = f.ok("bob", "GET", slicetest.Path("v3/sync?timeout=0"), nil)
		require.Empty(t, again.At("rooms", "join", f.room, "ephemeral"), "and no members")
	})
}

// TestTypingEnds when its time has come, for clients that wait and by whichever
// server is there.
func TestTypingEnds(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.types("alice", slicetest.O{"typing": true, "timeout": 1_000_000})
		require.JSONEq(t, alice, f.told("0"))
		f.Clock.Advance(119 * time.Second)
		f.run()
		require.Empty(t, f.told("0"))
		f.Clock.Advance(time.Second)
		require.JSONEq(t, nobody, f.told("60000"), "two minutes are the most")

		f.types("alice", slicetest.O{"typing": true})
		require.JSONEq(t, alice, f.told("0"))
		f.Clock.Advance(30 * time.Second)
		require.JSONEq(t, nobody, f.told("60000"))
		require.Empty(t, f.told("0"), "told once")
	})
}

func TestRefusedTyping(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		on := slicetest.O{"typing": true}
		slicetest.Table(t, f.router, []slicetest.Row{
			{Name: "of another", Method: "PUT", Path: f.path("alice"), Token: "bob", Body: on, Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "of who is not in the room", Method: "PUT", Path: f.path("carol"), Token: "carol", Body: on, Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "in no room", Method: "PUT", Path: slicetest.Path("v3/rooms/!none:hs1/typing/@bob:hs1"), Token: "bob", Body: on, Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "neither way", Method: "PUT", Path: f.path("bob"), Token: "bob", Body: slicetest.O{}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no token", Method: "PUT", Path: f.path("bob"), Body: on, Status: 401, ErrCode: "M_MISSING_TOKEN"},
		})
	})
}
