// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/generated/ops"
	"touchstone.example/tests/harness"
)

// A lab speaks to the control plane of a server.
type lab struct {
	*harness.Server
}

const labPath = "/_touchstone/lab/v1/"

// do sends a request and holds the answer against the control plane's document.
func (l lab) do(t *testing.T, method, path string, body any) (int, harness.Value) {
	t.Helper()
	var in io.Reader = http.NoBody
	if text, ok := body.(string); ok {
		in = strings.NewReader(text)
	} else if body != nil {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, l.LabURL()+labPath+path, in)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	op := l.Routes.Find(method, r.URL.EscapedPath(), r.URL.Query(), text)
	require.NotNil(t, op, "%s %s", method, path)
	if res.Header.Get("Content-Type") == "application/json" {
		require.NoError(t, l.Judge(op, res.StatusCode, text))
	}
	return res.StatusCode, harness.Parse(text)
}

func (l lab) ok(t *testing.T, method, path string, body any) harness.Value {
	t.Helper()
	status, v := l.do(t, method, path, body)
	require.Equal(t, 200, status, "%s %s: %s", method, path, v.Raw())
	return v
}

// user makes an account by the control plane.
func (l lab) user(t *testing.T, localpart string) *harness.User {
	t.Helper()
	return l.as(l.ok(t, "POST", "users", harness.O{"users": []any{harness.O{"localpart": localpart}}}).At("users", 0))
}

func (l lab) as(v harness.Value) *harness.User {
	return &harness.User{Server: l.Server, ID: v.At("user_id").String(), Device: v.At("device_id").String(), Token: v.At("access_token").String()}
}

func eachLab(t *testing.T, fn func(t *testing.T, l lab), settings ...string) {
	for _, engine := range harness.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			fn(t, lab{harness.Start(t, harness.Options{Engine: engine, Settings: settings})})
		})
	}
}

// TestControlPlaneIsAbsent: no path of the control plane answers on the listeners
// for others, and on none where lab mode is off.
func TestControlPlaneIsAbsent(t *testing.T) {
	const federation = "TOUCHSTONE_LISTENERS_FEDERATION_ADDRESS=127.0.0.1:0"
	with := harness.Start(t, harness.Options{Process: true, Settings: []string{federation}})
	without := harness.Start(t, harness.Options{Process: true, Settings: []string{
		federation, "TOUCHSTONE_LAB=false", "TOUCHSTONE_LISTENERS_LAB_ADDRESS=",
	}})
	require.NotEmpty(t, with.LabURL())
	require.Empty(t, without.LabURL())
	walked := 0
	for _, s := range []*harness.Server{with, without} {
		for _, base := range []string{s.URL(), s.FederationURL(), s.MetricsURL()} {
			require.NotEmpty(t, base)
			for _, op := range ops.All {
				if op.File != "lab" {
					continue
				}
				walked++
				path := strings.NewReplacer("{userId}", "@a:hs1", "{name}", "x").Replace(op.Path)
				r, err := http.NewRequestWithContext(t.Context(), op.Method, base+path, strings.NewReader("{}"))
				require.NoError(t, err)
				res, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, 404, res.StatusCode, "%s %s%s", op.Method, base, path)
			}
		}
	}
	require.Equal(t, 2*3*17, walked)
}

// TestControlPlaneIsForThisMachine: what a browser sends for a page of another
// site is refused.
func TestControlPlaneIsForThisMachine(t *testing.T) {
	l := lab{harness.Start(t, harness.Options{})}
	for _, c := range []struct {
		name, header, value string
		status              int
	}{
		{"a program", "X-Any", "", 200},
		{"a page of this machine", "Origin", "http://localhost:5173", 200},
		{"a page of another site", "Origin", "https://example.org", 403},
		{"a page of no site", "Origin", "null", 403},
		{"a name that leads here", "Host", "example.org:8009", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "GET", l.LabURL()+labPath+"clock", nil)
			require.NoError(t, err)
			r.Header.Set(c.header, c.value)
			if c.header == "Host" {
				r.Host = c.value
			}
			res, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			defer res.Body.Close()
			require.Equal(t, c.status, res.StatusCode)
		})
	}
}

func TestLabUsers(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		made := l.ok(t, "POST", "users", harness.O{
			"users": []any{
				harness.O{"localpart": "alice", "password": harness.Password, "display_name": "Alice", "device_id": "PHONE"},
				harness.O{"localpart": "root", "admin": true},
			},
			"count": 100, "prefix": "u",
		}).At("users").List()
		require.Len(t, made, 102)
		alice, root, last := l.as(made[0]), l.as(made[1]), l.as(made[101])
		require.Equal(t, []string{"@alice:hs1", "PHONE"}, []string{alice.ID, alice.Device})
		require.Equal(t, "@u100:hs1", last.ID)
		for _, u := range []*harness.User{alice, root, last} {
			require.Equal(t, u.ID, u.Get(t, harness.Path("v3/account/whoami")).At("user_id").String())
		}
		require.Equal(t, "Alice", alice.Get(t, harness.Path("v3/profile/{}/displayname", alice.ID)).At("displayname").String())
		require.Equal(t, "@alice:hs1", alice.Login(t, "").ID, "with the password")

		again := l.as(l.ok(t, "POST", "users/@root:hs1/login", nil))
		require.Equal(t, root.ID, again.Get(t, harness.Path("v3/account/whoami")).At("user_id").String())
		laptop := l.as(l.ok(t, "POST", "users/@root:hs1/login", harness.O{"device_id": "LAPTOP", "device_name": "laptop"}))
		require.Equal(t, "LAPTOP", laptop.Device)
		wrong := root.Server.Do(t, harness.Request{Method: "POST", Path: harness.Path("v3/login"), Body: harness.O{
			"type": "m.login.password", "password": "", "identifier": harness.O{"type": "m.id.user", "user": "root"},
		}})
		require.Equal(t, 403, wrong.Status, "who has no password cannot log in with one")
	})
}

// TestLabRefuses: the control plane says what is wrong with a request, and where.
func TestLabRefuses(t *testing.T) {
	l := lab{harness.Start(t, harness.Options{})}
	l.user(t, "alice")
	for _, c := range []struct {
		name, method, path string
		body               any
		status             int
		errcode, says      string
	}{
		{"nobody to make", "POST", "users", harness.O{}, 400, "M_BAD_JSON", "/users"},
		{"a name that is taken", "POST", "users", harness.O{"users": []any{harness.O{"localpart": "bob"}, harness.O{"localpart": "alice"}}}, 400, "M_USER_IN_USE", "/users/1: The name @alice:hs1 is taken"},
		{"a name that cannot be", "POST", "users", harness.O{"users": []any{harness.O{"localpart": "A B"}}}, 400, "M_INVALID_USERNAME", "/users/0"},
		{"a member that nobody knows", "POST", "users", harness.O{"users": []any{}, "cuont": 1}, 400, "M_BAD_JSON", "cuont"},
		{"a number that is text", "POST", "users", `{"count":"3"}`, 400, "M_BAD_JSON", "/count"},
		{"no JSON", "POST", "users", "count=3", 400, "M_NOT_JSON", ""},
		{"too many", "POST", "users", harness.O{"count": 1 << 20}, 400, "M_BAD_JSON", "/count"},
		{"a prefix of nothing", "POST", "users", harness.O{"prefix": "u", "users": []any{harness.O{"localpart": "x"}}}, 400, "M_BAD_JSON", "/prefix"},
		{"a user who is not there", "POST", "users/@carol:hs1/login", nil, 404, "M_NOT_FOUND", "@carol:hs1"},
		{"a user without a sigil", "POST", "users/carol/login", nil, 400, "M_INVALID_PARAM", "userId"},
		{"a time that is none", "PUT", "clock", harness.O{"now": "noon"}, 400, "M_BAD_JSON", "/now"},
		{"two times", "PUT", "clock", harness.O{"now": "2026-01-02T03:04:05Z", "now_ts": 1}, 400, "M_BAD_JSON", "/now_ts"},
		{"no time", "PUT", "clock", harness.O{}, 400, "M_BAD_JSON", "/now"},
		{"a time before all", "PUT", "clock", harness.O{"now_ts": -1}, 400, "M_BAD_JSON", "1970"},
		{"back by advancing", "POST", "clock/advance", harness.O{"ms": -1}, 400, "M_BAD_JSON", "/ms"},
		{"advancing by nothing said", "POST", "clock/advance", harness.O{}, 400, "M_BAD_JSON", "ms"},
		{"a snapshot that is not there", "POST", "snapshots/x/restore", nil, 404, "M_NOT_FOUND", `"x"; none has been saved`},
		{"to delete one that is not there", "DELETE", "snapshots/x", nil, 404, "M_NOT_FOUND", `"x"`},
		{"a name with a slash", "PUT", "snapshots/a%2Fb", nil, 400, "M_INVALID_PARAM", "name"},
		{"a timeout that is none", "GET", "idle?timeout=soon", nil, 400, "M_INVALID_PARAM", "timeout"},
		{"too long a timeout", "GET", "idle?timeout=86400000", nil, 400, "M_INVALID_PARAM", "timeout"},
		{"a user of no server", "GET", "violations?user=alice", nil, 400, "M_INVALID_PARAM", "user"},
		{"a limit of none", "GET", "violations?limit=0", nil, 400, "M_INVALID_PARAM", "limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, v := l.do(t, c.method, c.path, c.body)
			require.Equal(t, c.status, status, v.Raw())
			require.Equal(t, c.errcode, v.At("errcode").String())
			require.Contains(t, v.At("error").String(), c.says)
		})
	}
	status, _ := l.do(t, "POST", "users", harness.O{"users": []any{harness.O{"localpart": "bob"}}})
	require.Equal(t, 200, status, "a list with a name that is taken made nobody")
}

// poll waits for news of a user in the background.
func (l lab) poll(t *testing.T, u *harness.User, since string) <-chan *harness.Answer {
	answered := make(chan *harness.Answer, 1)
	go func() {
		a, err := u.Try(context.WithoutCancel(t.Context()), "GET", harness.Path("v3/sync")+harness.Query("since", since, "timeout", 60000), nil)
		if err != nil {
			t.Error(err)
		}
		answered <- a
	}()
	return answered
}

// TestLabReset: long polls are answered, and what answers then is as at the start.
func TestLabReset(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		at := l.URL()
		for range 3 {
			alice := l.user(t, "alice")
			room := alice.PublicRoom(t)
			alice.Send(t, room, "hello")
			answered := l.poll(t, alice, alice.Since(t))
			l.ok(t, "POST", "reset", nil)
			require.NotNil(t, <-answered)
			require.Equal(t, at, l.URL())
			alice.Fails(t, 401, "M_UNKNOWN_TOKEN", "GET", harness.Path("v3/account/whoami"), nil)
			require.NotContains(t, l.ok(t, "GET", "coverage", nil).At("operations").Pluck("operation"), "clientapi.createRoom")
		}
		bob := l.user(t, "bob")
		require.Empty(t, bob.Get(t, harness.Path("v3/joined_rooms")).At("joined_rooms").List())
	})
}

// TestLabSnapshots: what was restored is as it was saved; tokens of what came after
// it belong to a history that has ended.
func TestLabSnapshots(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		if l.Engine != harness.SQLite {
			status, v := l.do(t, "PUT", "snapshots/x", nil)
			require.Equal(t, 501, status)
			require.Equal(t, "ORG.TOUCHSTONE.UNSUPPORTED", v.At("errcode").String())
			require.Contains(t, v.At("error").String(), "SQLite")
			return
		}
		alice := l.user(t, "alice")
		room := alice.PublicRoom(t)
		first := alice.Send(t, room, "before")
		saved := alice.Since(t)
		l.ok(t, "PUT", "clock", harness.O{"now": "2026-01-02T03:04:05Z", "running": false})
		l.ok(t, "PUT", "snapshots/start", nil)
		var later []string
		for i := range 3 {
			lost := alice.Send(t, room, fmt.Sprint("after ", i))
			later = append(later, alice.Since(t))
			l.ok(t, "POST", "clock/advance", harness.O{"ms": 1000})
			answered := l.poll(t, alice, later[i])
			require.Equal(t, "start", l.ok(t, "POST", "snapshots/start/restore", nil).At("name").String())
			require.NotNil(t, <-answered)
			require.Equal(t, "2026-01-02T03:04:05Z", l.ok(t, "GET", "clock", nil).At("now").String())
			require.Equal(t, []string{first}, harness.IDs(alice.Messages(t, room, "dir", "b", "limit", 1).At("chunk").List()))
			alice.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/rooms/{}/event/{}", room, lost), nil)
			alice.Send(t, room, "instead")
			require.Len(t, harness.Timeline(alice.Sync(t, "since", saved), room), 1, "a token of the snapshot goes on")
			for _, token := range later {
				require.Greater(t, len(harness.Timeline(alice.Sync(t, "since", token), room)), 1, "a token of what was cut off starts anew")
			}
		}
		l.ok(t, "PUT", "snapshots/end", nil)
		require.Equal(t, []string{"end", "start"}, l.ok(t, "GET", "snapshots", nil).At("snapshots").Pluck("name"))
		l.ok(t, "DELETE", "snapshots/end", nil)
		l.ok(t, "POST", "reset", nil)
		l.ok(t, "POST", "snapshots/start/restore", nil)
		require.Equal(t, alice.ID, alice.Get(t, harness.Path("v3/account/whoami")).At("user_id").String(), "a snapshot outlives a reset")
	})
}

// TestLabClock: clients see the time that is set, and long polls end when it has
// passed their time-out.
func TestLabClock(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		require.True(t, l.ok(t, "GET", "clock", nil).At("running").Bool())
		noon := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
		set := l.ok(t, "PUT", "clock", harness.O{"now_ts": noon.UnixMilli(), "running": false})
		require.Equal(t, "2030-01-02T12:00:00Z", set.At("now").String())
		alice := l.user(t, "alice")
		room := alice.PublicRoom(t)
		sent := alice.Get(t, harness.Path("v3/rooms/{}/event/{}", room, alice.Send(t, room, "x")))
		require.Equal(t, noon.UnixMilli(), sent.At("origin_server_ts").Int())
		a := alice.Do(t, "GET", harness.Path("v3/account/whoami"), nil)
		require.Equal(t, noon.Format(http.TimeFormat), a.Header.Get("Date"))

		answered := l.poll(t, alice, alice.Since(t))
		for done := false; !done; {
			l.ok(t, "POST", "clock/advance", harness.O{"ms": 60000})
			select {
			case a := <-answered:
				require.Equal(t, 200, a.Status)
				done = true
			case <-time.After(5 * time.Millisecond): // it has not begun to wait
			}
		}
		require.True(t, l.ok(t, "PUT", "clock", harness.O{"running": true}).At("running").Bool())
	})
}

// TestLabIdle: what a request causes in the background has happened afterwards.
func TestLabIdle(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		alice, bob := l.user(t, "alice"), l.user(t, "bob")
		var rooms []string
		for range 5 {
			rooms = append(rooms, alice.PublicRoom(t, bob))
		}
		alice.Put(t, harness.Path("v3/profile/{}/displayname", alice.ID), harness.O{"displayname": "Alice the second"})
		l.ok(t, "GET", "idle", nil)
		for _, room := range rooms {
			require.Equal(t, "Alice the second", bob.State(t, room, "m.room.member", alice.ID).At("displayname").String())
		}
	})
}

// TestLabCoverage: which operations were called, by whom, and how that went.
func TestLabCoverage(t *testing.T) {
	l := lab{harness.Start(t, harness.Options{})}
	alice := l.user(t, "alice")
	alice.PublicRoom(t)
	alice.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/profile/{}", "@nobody:hs1"), nil)
	l.Do(t, harness.Request{Method: "GET", Path: harness.Path("versions"), Header: http.Header{"User-Agent": {"my-client/1"}}})
	got := l.ok(t, "GET", "coverage", nil).At("operations")
	require.Equal(t, []string{"clientapi.createRoom", "clientapi.getUserProfile", "clientapi.getVersions"}, got.Pluck("operation"))
	require.Equal(t, `{"agent":"Go-http-client/1.1","calls":1,"clean":1,"refused":0,"user":"@alice:hs1"}`, got.At(0, "callers", 0).Raw())
	require.EqualValues(t, 1, got.At(1, "callers", 0, "refused").Int())
	require.Equal(t, `{"agent":"my-client/1","calls":1,"clean":1,"refused":0,"user":""}`, got.At(2, "callers", 0).Raw())
	require.Len(t, l.ok(t, "GET", "coverage?user=@alice:hs1", nil).At("operations").List(), 1, "who asks for a profile need not say who it is")
	l.ok(t, "DELETE", "coverage", nil)
	require.Empty(t, l.ok(t, "GET", "coverage", nil).At("operations").List())
}

// TestLabViolations: what clients did against the specification, by who did it, in
// each form; nothing that is done to the control plane is in it.
func TestLabViolations(t *testing.T) {
	l := lab{harness.Start(t, harness.Options{})}
	alice, bob := l.user(t, "alice"), l.user(t, "bob")
	l.do(t, "POST", "users", `{"count":"3"}`)
	room := alice.PublicRoom(t, bob)
	bad := func(u *harness.User, status int, method, path string, body any) {
		a := u.Do(t, method, path, body)
		require.Equal(t, status, a.Status, a)
	}
	bad(alice, 400, "POST", harness.Path("v3/createRoom"), harness.O{"preset": 7})
	bad(bob, 400, "PUT", harness.Path("v3/rooms/{}/state/m.room.name/", room), harness.O{"name": 5})
	list := l.ok(t, "GET", "violations", nil)
	require.Len(t, list.At("violations").List(), 2, list.Raw())
	first := list.At("violations", 0)
	require.Equal(t, "clientapi.createRoom", first.At("operation").String())
	require.Equal(t, "/preset", first.At("where", "pointer").String())
	require.Equal(t, alice.ID, first.At("who", "user").String())
	require.Equal(t, alice.Device, first.At("who", "device").String())
	require.Contains(t, first.At("section").String(), "https://spec.matrix.org/")

	count := func(query string) int {
		return len(l.ok(t, "GET", "violations?"+query, nil).At("violations").List())
	}
	for query, want := range map[string]int{
		"user=" + alice.ID: 1, "device=" + bob.Device: 1, "operation=clientapi.createRoom": 1, "rule=no-such-rule": 0,
		"since=" + first.At("seq").Raw(): 1, "since=" + list.At("next").Raw(): 0, "limit=1": 1,
	} {
		require.Equal(t, want, count(query), query)
	}

	base, path := l.LabURL()+labPath, "violations/junit"
	res, err := http.Get(base + path)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "application/xml", res.Header.Get("Content-Type"))
	require.Contains(t, string(text), `<testsuites tests="2" failures="2">`)
	require.Contains(t, string(text), `<testcase classname="clientapi.createRoom"`)
	sarif := l.ok(t, "GET", "violations/sarif", nil)
	require.Equal(t, "2.1.0", sarif.At("version").String())
	require.Len(t, sarif.At("runs", 0, "results").List(), 2)
	require.Equal(t, alice.ID, sarif.At("runs", 0, "results", 0, "properties", "user").String())

	require.EqualValues(t, 1, l.ok(t, "DELETE", "violations?user="+alice.ID, nil).At("cleared").Int())
	require.Equal(t, 1, count(""))
	l.ok(t, "POST", "reset", nil)
	require.Equal(t, 0, count(""))
	l.user(t, "alice").Do(t, "POST", harness.Path("v3/createRoom"), harness.O{})
	coverage := l.ok(t, "GET", "coverage", nil).At("operations")
	require.Equal(t, []string{"clientapi.createRoom"}, coverage.Pluck("operation"))
}
