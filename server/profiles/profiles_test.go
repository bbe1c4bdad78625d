// SPDX-License-Identifier: Apache-2.0

package profiles_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/jobs"
	"touchstone.example/server/profiles"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// A fixture is profiles and rooms on a database of their own.
type fixture struct {
	*slicetest.Fixture
	t      testing.TB
	slice  *profiles.Profiles
	router *api.Router
}

func newFixture(t testing.TB, db *storage.DB) *fixture {
	return newFixtureWith(t, db, func(r *rooms.Rooms) jobs.Handler { return r.UpdateProfile })
}

// newFixtureWith is a fixture with another handler of the jobs.
func newFixtureWith(t testing.TB, db *storage.DB, handler func(*rooms.Rooms) jobs.Handler) *fixture {
	s := slicetest.New(t, db)
	h := &fixture{Fixture: s, t: t, slice: &profiles.Profiles{DB: s.DB, Env: s.Env, Jobs: s.Jobs, Name: slicetest.Name}}
	h.router = s.Router(t, api.Config{Auth: slicetest.Tokens()})
	clientapi.MountProfile(h.router, h.slice)
	s.Jobs.Handle(rooms.JobProfile, handler(roomtest.Mount(h.router, s, nil)))
	s.RunJobs(t)
	require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
		if _, err := tx.User(t.Context(), slicetest.User("alice")); err == nil {
			return nil // another fixture's
		}
		for _, name := range []string{"alice", "bob", "guest"} {
			if err := tx.InsertUser(t.Context(), &storage.User{ID: slicetest.User(name), Kind: "user"}); err != nil {
				return err
			}
		}
		return nil
	}))
	return h
}

func each(t *testing.T, fn func(t *testing.T, h *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newFixture(t, db)) })
}

func (h *fixture) ok(method, path, token string, body any) slicetest.Answer {
	h.t.Helper()
	return slicetest.OK(h.t, h.router, method, path, token, body)
}

func (h *fixture) set(token, key string, value any) {
	h.t.Helper()
	a := h.ok("PUT", field(token, key), token, slicetest.O{key: value})
	require.Equal(h.t, `{}`, a.Body)
}

func profile(name string) string { return slicetest.Path("v3/profile/{}", slicetest.User(name)) }
func field(name, key string) string {
	return slicetest.Path("v3/profile/{}/{}", slicetest.User(name), key)
}

const picture = "mxc://hs1/picture"

func TestProfile(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		require.Equal(t, `{}`, h.ok("GET", profile("alice"), "", nil).Body, "a user who says nothing is one")
		h.set("alice", "displayname", "Alice \"É\" \x00")
		h.set("alice", "avatar_url", picture)
		h.set("alice", "m.tz", "Europe/London")
		raw := `{ "com.example.status" : {"n":9007199254740993, "f": 1.50} }`
		h.ok("PUT", field("alice", "com.example.status"), "alice", raw)
		h.ok("PUT", field("alice", "com.example-2.gone"), "alice", slicetest.O{"com.example-2.gone": nil})
		require.Equal(t, `{"avatar_url":"mxc://hs1/picture","displayname":"Alice \"É\" \u0000","m.tz":"Europe/London",`+
			`"com.example-2.gone":null,"com.example.status":{"n":9007199254740993, "f": 1.50}}`, h.ok("GET", profile("alice"), "", nil).Body)
		require.Equal(t, `{"com.example.status":{"n":9007199254740993, "f": 1.50}}`, h.ok("GET", field("alice", "com.example.status"), "bob", nil).Body)
		require.Equal(t, `{"com.example-2.gone":null}`, h.ok("GET", field("alice", "com.example-2.gone"), "", nil).Body, "null is stored")
		require.Equal(t, picture, h.ok("GET", field("alice", "avatar_url"), "", nil).At("avatar_url"))

		h.ok("PUT", field("alice", "displayname"), "alice", " {\n\t\"displayname\" : \"Al\" ,\"other\": 1 }\n")
		require.Equal(t, "Al", h.ok("GET", field("alice", "displayname"), "", nil).At("displayname"))
		h.set("alice", "displayname", "")
		require.Equal(t, `{"displayname":""}`, h.ok("GET", field("alice", "displayname"), "", nil).Body, "an empty name is a string")
		for _, key := range []string{"displayname", "avatar_url", "m.tz", "com.example.status", "com.example-2.gone", "com.example.never"} {
			require.Equal(t, `{}`, h.ok("DELETE", field("alice", key), "alice", nil).Body)
		}
		require.Equal(t, `{}`, h.ok("GET", profile("alice"), "", nil).Body)
	})
}

func TestProfileRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		put := func(name, key string, body any, status int, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "PUT", Path: field("alice", key), Token: "alice", Body: body, Status: status, ErrCode: errcode}
		}
		get := func(name, path string, status int, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "GET", Path: path, Status: status, ErrCode: errcode}
		}
		long := strings.Repeat("k", 200) + "."
		rows := []slicetest.Row{
			get("nobody", profile("nobody"), 404, "M_NOT_FOUND"),
			get("nobody's name", field("nobody", "displayname"), 404, "M_NOT_FOUND"),
			get("somebody of elsewhere", slicetest.Path("v3/profile/{}", "@a:elsewhere"), 404, "M_NOT_FOUND"),
			get("what is no user", slicetest.Path("v3/profile/alice"), 400, "M_INVALID_PARAM"),
			get("a name that is not there", field("alice", "displayname"), 404, "M_NOT_FOUND"),
			get("a field that cannot be", field("alice", "A!"), 404, "M_NOT_FOUND"),
			put("no body", "displayname", nil, 400, "M_NOT_JSON"),
			put("what is not JSON", "displayname", `{"displayname":`, 400, "M_NOT_JSON"),
			put("a list", "displayname", `["displayname"]`, 400, "M_BAD_JSON"),
			put("another member only", "displayname", slicetest.O{"avatar_url": picture}, 400, "M_MISSING_PARAM"),
			put("a number for a name", "displayname", slicetest.O{"displayname": 7}, 400, "M_BAD_JSON"),
			put("null for a name", "displayname", slicetest.O{"displayname": nil}, 400, "M_BAD_JSON"),
			put("null for a picture", "avatar_url", slicetest.O{"avatar_url": nil}, 400, "M_BAD_JSON"),
			put("an object for a time zone", "m.tz", slicetest.O{"m.tz": slicetest.O{}}, 400, "M_BAD_JSON"),
			put("a picture that is no MXC URI", "avatar_url", slicetest.O{"avatar_url": "LemurLover"}, 400, "M_BAD_JSON"),
			put("an empty picture", "avatar_url", slicetest.O{"avatar_url": ""}, 400, "M_BAD_JSON"),
			put("a name past its bound", "displayname", slicetest.O{"displayname": strings.Repeat("n", 1025)}, 413, "M_TOO_LARGE"),
			put("a key of 256 bytes", long+strings.Repeat("k", 55), slicetest.O{"x": 1}, 400, "M_KEY_TOO_LARGE"),
			{Name: "a key of 256 bytes to delete", Method: "DELETE", Path: field("alice", long+strings.Repeat("k", 55)), Token: "alice", Status: 400, ErrCode: "M_INVALID_PARAM"},
			{Name: "no token", Method: "PUT", Path: field("alice", "displayname"), Body: slicetest.O{"displayname": "x"}, Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "no token to delete", Method: "DELETE", Path: field("alice", "displayname"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "another's profile", Method: "PUT", Path: field("alice", "displayname"), Token: "bob", Body: slicetest.O{"displayname": "x"}, Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "another's profile to delete", Method: "DELETE", Path: field("alice", "displayname"), Token: "bob", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "a guest's picture", Method: "PUT", Path: field("guest", "avatar_url"), Token: "guest", Body: slicetest.O{"avatar_url": picture}, Status: 403, ErrCode: "M_GUEST_ACCESS_FORBIDDEN"},
			{Name: "a guest's picture to delete", Method: "DELETE", Path: field("guest", "avatar_url"), Token: "guest", Status: 403, ErrCode: "M_GUEST_ACCESS_FORBIDDEN"},
			{Name: "a guest's name", Method: "PUT", Path: field("guest", "displayname"), Token: "guest", Body: slicetest.O{"displayname": "x"}, Status: 200},
			{Name: "a guest's name to delete", Method: "DELETE", Path: field("guest", "displayname"), Token: "guest", Status: 200},
		}
		for _, key := range []string{"Displayname", "nickname", "m", "com..example", "com.", ".com", "com.Example", "9.a", "com.ex ample", "com.é"} {
			rows = append(rows, put("the key "+key, key, slicetest.O{key: 1}, 400, "M_INVALID_PARAM"),
				slicetest.Row{Name: "to delete the key " + key, Method: "DELETE", Path: field("alice", key), Token: "alice", Status: 400, ErrCode: "M_INVALID_PARAM"})
		}
		slicetest.Table(t, h.router, rows)
		require.Equal(t, `{}`, h.ok("GET", profile("alice"), "", nil).Body)
		key := long + strings.Repeat("k", 54)
		h.set("alice", key, 1)
	})
}

// TestProfileSize: less than 64 KiB, counted over the whole profile.
func TestProfileSize(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		const a, b = "com.example.a", "com.example.b"
		h.set("alice", a, strings.Repeat("x", 30000))
		rest := 65535 - len(h.ok("GET", profile("alice"), "", nil).Body) - len(`,"com.example.b":""`)
		put := func(n int) slicetest.Answer {
			return slicetest.Do(t, h.router, "PUT", field("alice", b), "alice", slicetest.O{b: strings.Repeat("x", n)})
		}
		tooLarge := put(rest + 1)
		require.Equal(t, 400, tooLarge.Status)
		require.Equal(t, "M_PROFILE_TOO_LARGE", tooLarge.At("errcode"))
		require.Equal(t, 200, put(rest).Status)
		require.Len(t, h.ok("GET", profile("alice"), "", nil).Body, 65535)
		require.Equal(t, 200, put(rest).Status, "it takes its own place")
		require.Equal(t, 400, slicetest.Do(t, h.router, "PUT", field("alice", "displayname"), "alice", slicetest.O{"displayname": "A"}).Status)
		h.set("alice", a, "short")
		h.set("alice", "displayname", "A")
		h.set("bob", "displayname", "B")
	})
}

// TestAnyAvatar is the departure that deployed clients lean on.
func TestAnyAvatar(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	h.slice.AnyAvatar = true
	room := h.ok("POST", slicetest.Path("v3/createRoom"), "alice", slicetest.O{}).At("room_id")
	h.slice.EmptyAvatar = true
	h.set("alice", "avatar_url", "LemurLover")
	shown := func() string { return h.ok("GET", memberPath(room, "alice"), "alice", nil).At("avatar_url") }
	require.Equal(t, "LemurLover", shown())
	h.set("alice", "avatar_url", "")
	require.Empty(t, shown())
	a := slicetest.Do(t, h.router, "GET", field("alice", "avatar_url"), "", nil)
	require.Equal(t, 404, a.Status, "an empty picture takes it away")
}

// TestEmptyAvatar: a client may take a picture away with an empty one, where
// others must be MXC URIs.
func TestEmptyAvatar(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	room := h.ok("POST", slicetest.Path("v3/createRoom"), "alice", slicetest.O{}).At("room_id")
	h.set("alice", "avatar_url", "mxc://hs1/a")
	put := func(url string) int {
		return slicetest.Do(t, h.router, "PUT", field("alice", "avatar_url"), "alice", slicetest.O{"avatar_url": url}).Status
	}
	require.Equal(t, 400, put(""))
	h.slice.EmptyAvatar = true
	require.Equal(t, 200, put(""))
	require.Equal(t, 400, put("no picture"))
	require.Empty(t, h.ok("GET", memberPath(room, "alice"), "alice", nil).At("avatar_url"))
	require.Equal(t, 404, slicetest.Do(t, h.router, "GET", field("alice", "avatar_url"), "", nil).Status)
}

func memberPath(room, name string) string {
	return slicetest.Path("v3/rooms/{}/state/m.room.member/{}", room, slicetest.User(name))
}

// TestRoomsHearOfProfiles: every room that the user has joined shows the new
// name and picture, and no other does.
func TestRoomsHearOfProfiles(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		var room []string
		for range 3 {
			room = append(room, h.ok("POST", slicetest.Path("v3/createRoom"), "bob", slicetest.O{"preset": "public_chat"}).At("room_id"))
			h.ok("POST", slicetest.Path("v3/rooms/{}/join", room[len(room)-1]), "alice", slicetest.O{"reason": "curious"})
		}
		h.ok("POST", slicetest.Path("v3/rooms/{}/leave", room[2]), "alice", slicetest.O{})
		member := func(i int) string { return h.ok("GET", memberPath(room[i], "alice"), "bob", nil).Body }
		event := func(i int) string {
			return h.ok("GET", memberPath(room[i], "alice")+"?format=event", "bob", nil).At("event_id")
		}
		h.set("alice", "displayname", "Alice")
		h.set("alice", "avatar_url", picture)
		for i := range 2 {
			require.Equal(t, `{"avatar_url":"mxc://hs1/picture","displayname":"Alice","membership":"join"}`, member(i))
		}
		require.Equal(t, `{"membership":"leave"}`, member(2))
		before := event(0)
		h.set("alice", "displayname", "Alice")
		h.set("alice", "m.tz", "Europe/London")
		h.set("alice", "com.example.status", "busy")
		require.Equal(t, before, event(0), "what rooms do not show, and what does not change, makes no event")
		h.ok("DELETE", field("alice", "displayname"), "alice", nil)
		require.Equal(t, `{"avatar_url":"mxc://hs1/picture","membership":"join"}`, member(1))
		require.NotEqual(t, before, event(0))
	})
}
