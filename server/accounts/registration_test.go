// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/accounts"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

func TestRegistrationRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.register("alice")
		const available = "/_matrix/client/v3/register/available"
		post := func(name, body string, status int, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "POST", Path: pathRegister, Body: body, Status: status, ErrCode: errcode}
		}
		name := func(name, username, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "POST", Path: pathRegister, Status: 400, ErrCode: errcode,
				Body: slicetest.O{"username": username, "password": password, "auth": dummy("")}}
		}
		ask := func(name, query string, status int, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "GET", Path: available + query, Status: status, ErrCode: errcode}
		}
		slicetest.Table(t, h.router, []slicetest.Row{
			post("no body", ``, 400, "M_NOT_JSON"),
			post("a list", `[]`, 400, "M_BAD_JSON"),
			post("a number for a name", `{"username":7}`, 400, "M_BAD_JSON"),
			post("null for a password", `{"password":null}`, 400, "M_BAD_JSON"),
			post("auth that is no object", `{"auth":"dummy"}`, 400, "M_BAD_JSON"),
			{Name: "another kind", Method: "POST", Path: pathRegister + "?kind=king", Body: slicetest.O{}, Status: 400, ErrCode: "M_INVALID_PARAM"},
			post("an empty password", `{"username":"bob","password":""}`, 400, "M_WEAK_PASSWORD"),
			{Name: "a password past all sense", Method: "POST", Path: pathRegister, Status: 413, ErrCode: "M_TOO_LARGE",
				Body: slicetest.O{"password": strings.Repeat("x", accounts.MaxPassword+1)}},
			post("an empty device ID", `{"device_id":""}`, 400, "M_BAD_JSON"),
			post("a device ID with NUL", `{"device_id":"A\u0000"}`, 400, "M_BAD_JSON"),
			{Name: "a device ID of 256 bytes", Method: "POST", Path: pathRegister, Status: 400, ErrCode: "M_BAD_JSON",
				Body: slicetest.O{"device_id": strings.Repeat("D", 256)}},
			{Name: "a device name past its bound", Method: "POST", Path: pathRegister, Status: 413, ErrCode: "M_TOO_LARGE",
				Body: slicetest.O{"initial_device_display_name": strings.Repeat("n", accounts.MaxName+1)}},

			name("a name that is taken", "alice", "M_USER_IN_USE"),
			name("a name that is taken, in capitals", "ALICE", "M_USER_IN_USE"),
			name("an empty name", "", "M_INVALID_USERNAME"),
			name("a name with a space", "al ice", "M_INVALID_USERNAME"),
			name("a name with a colon", "al:ice", "M_INVALID_USERNAME"),
			name("a whole user ID", "@bob:hs1", "M_INVALID_USERNAME"),
			name("a name with U+0000", "al\x00ice", "M_INVALID_USERNAME"),
			name("a name outside ASCII", "élise", "M_INVALID_USERNAME"),
			name("a sign whose small form is the letter k", "\u212aate", "M_INVALID_USERNAME"),
			name("a name that makes a user ID of 256 bytes", strings.Repeat("u", 256-len("@:hs1")), "M_INVALID_USERNAME"),
			post("a taken name before any authentication", `{"username":"alice"}`, 400, "M_USER_IN_USE"),
			post("a bad name before any authentication", `{"username":"a!"}`, 400, "M_INVALID_USERNAME"),

			ask("a free name", "?username=bob", 200, ""),
			ask("a free name in capitals", "?username=BOB", 200, ""),
			ask("a taken name", "?username=alice", 400, "M_USER_IN_USE"),
			ask("a taken name in capitals", "?username=aLiCe", 400, "M_USER_IN_USE"),
			ask("a bad name", "?username=a%2Cb", 400, "M_INVALID_USERNAME"),
			ask("no name", "", 400, "M_MISSING_PARAM"),
		})
	})
}

// TestNamesOfUsers: the specification's grammar, and no rule of our own on top.
func TestNamesOfUsers(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	for _, c := range []struct{ given, want string }{
		{"bob", "@bob:hs1"},
		{"User-UPPER", "@user-upper:hs1"},
		{"_bridge_bob", "@_bridge_bob:hs1"},
		{"1234", "@1234:hs1"},
		{"q3._=-/+", "@q3._=-/+:hs1"},
		{strings.Repeat("u", 255-len("@:hs1")), "@" + strings.Repeat("u", 255-len("@:hs1")) + ":hs1"},
	} {
		a := h.ok("POST", pathRegister, "", slicetest.O{"username": c.given, "password": password, "auth": dummy("")})
		require.Equal(t, c.want, a.At("user_id"))
		require.Equal(t, c.want, h.ok("GET", pathWhoami, a.At("access_token"), nil).At("user_id"))
	}
	a := h.ok("POST", pathRegister, "", slicetest.O{"password": password, "auth": dummy("")})
	user, err := id.ParseUserID(a.At("user_id"))
	require.NoError(t, err)
	_, err = id.NewUserID(user.Localpart(), slicetest.Name)
	require.NoError(t, err, "the server's own choice follows the grammar")
}

func TestRegistrationAnswers(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		body := slicetest.O{"username": "alice", "password": password, "device_id": "PHONE", "initial_device_display_name": "My phone", "auth": dummy("")}
		a := h.ok("POST", pathRegister, "", body)
		require.Equal(t, "@alice:hs1", a.At("user_id"))
		require.Equal(t, "PHONE", a.At("device_id"))
		require.Equal(t, "hs1", a.At("home_server"))
		device := h.ok("GET", slicetest.Path("v3/devices/PHONE"), a.At("access_token"), nil)
		require.Equal(t, "My phone", device.At("display_name"))

		a = h.ok("POST", pathRegister, "", slicetest.O{"username": "bob", "password": password, "inhibit_login": true, "device_id": "D", "auth": dummy("")})
		require.Equal(t, `{"user_id":"@bob:hs1"}`, a.Body)
		require.Equal(t, []string{"E"}, h.devices(h.login("bob", "E")), "no other device was made")
		require.Equal(t, 200, h.do("POST", pathLogin, "", loginBody("bob")).Status, "with the password of the registration")
	})
}

func TestGuests(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		path := pathRegister + "?kind=guest"
		a := h.ok("POST", path, "", slicetest.O{
			"username": "A!", "password": "", "inhibit_login": true, "device_id": "MINE", "auth": slicetest.O{"type": "nonsense"},
			"initial_device_display_name": "Visitor",
		})
		token, device := a.At("access_token"), a.At("device_id")
		require.NotEmpty(t, token, "a guest is logged in whatever it says")
		require.NotEmpty(t, device)
		require.NotEqual(t, "MINE", device, "the server picks the device ID")
		require.Equal(t, "Visitor", h.ok("GET", slicetest.Path("v3/devices/{}", device), token, nil).At("display_name"))
		me := h.ok("GET", pathWhoami, token, nil)
		require.Equal(t, "true", me.At("is_guest"))
		require.Equal(t, a.At("user_id"), me.At("user_id"))
		other := h.ok("POST", path, "", slicetest.O{})
		require.NotEqual(t, a.At("user_id"), other.At("user_id"))
		login := h.do("POST", pathLogin, "", loginBody(a.At("user_id")))
		require.Equal(t, 403, login.Status, "a guest has no password")
	})
	shut := newFixture(t, storagetest.Open(t), func(d *accounts.Deps) { d.Registration.Guests = false })
	a := shut.do("POST", pathRegister+"?kind=guest", "", slicetest.O{})
	require.Equal(t, 403, a.Status)
	require.Equal(t, "M_FORBIDDEN", a.At("errcode"))
}

func TestRegistrationIsOff(t *testing.T) {
	h := newFixture(t, storagetest.Open(t), func(d *accounts.Deps) { d.Registration.Enabled = false })
	slicetest.Table(t, h.router, []slicetest.Row{
		{Name: "a user", Method: "POST", Path: pathRegister, Body: slicetest.O{}, Status: 403, ErrCode: "M_FORBIDDEN"},
		{Name: "a guest", Method: "POST", Path: pathRegister + "?kind=guest", Body: slicetest.O{}, Status: 403, ErrCode: "M_FORBIDDEN"},
		{Name: "who asks for a name", Method: "GET", Path: "/_matrix/client/v3/register/available?username=x", Status: 403, ErrCode: "M_FORBIDDEN"},
	})
}

// TestOneNameIsGivenOnce: of many who want one name at once, one gets it.
func TestOneNameIsGivenOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		answers := make([]slicetest.Answer, 8)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				answers[i] = h.do("POST", pathRegister, "", slicetest.O{"username": "Alice", "password": password, "auth": dummy("")})
			})
		}
		all.Wait()
		var won int
		for _, a := range answers {
			if a.Status == 200 {
				won++
				continue
			}
			require.Equal(t, 400, a.Status, a)
			require.Equal(t, "M_USER_IN_USE", a.At("errcode"), a)
		}
		require.Equal(t, 1, won)
		require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) error {
			_, err := tx.User(t.Context(), "@alice:hs1")
			return err
		}))
	})
}

// TestRegistrationRepeated: the same request of a session is answered with the
// same account, with two answers that are both good or the second of them.
func TestRegistrationRepeated(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		body := slicetest.O{"username": "alice", "password": password}
		body["auth"] = dummy(h.do("POST", pathRegister, "", body).At("session"))
		first := h.ok("POST", pathRegister, "", body)
		again := h.ok("POST", pathRegister, "", body)
		require.Equal(t, first.At("user_id"), again.At("user_id"))
		require.Equal(t, first.At("device_id"), again.At("device_id"))
		require.Equal(t, 200, h.do("GET", pathWhoami, again.At("access_token"), nil).Status)
		require.Equal(t, 401, h.do("GET", pathWhoami, first.At("access_token"), nil).Status, "the device has one token")

		body["username"] = "bob"
		other := h.do("POST", pathRegister, "", body)
		require.Equal(t, 403, other.Status, "a session makes one account: %s", other)
		body["username"], body["password"] = "alice", "wrong"
		require.Equal(t, 403, h.do("POST", pathRegister, "", body).Status, "whoever has the session only")

		body = slicetest.O{"password": password, "inhibit_login": true}
		body["auth"] = dummy(h.do("POST", pathRegister, "", body).At("session"))
		first = h.ok("POST", pathRegister, "", body)
		require.Equal(t, first.Body, h.ok("POST", pathRegister, "", body).Body, "a name of the server's choice")
	})
}

// TestRegistrationRepeatedAtOnce: two answers of one session are of one account.
func TestRegistrationRepeatedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		body := slicetest.O{"username": "alice", "password": password, "device_id": "PHONE"}
		body["auth"] = dummy(h.do("POST", pathRegister, "", body).At("session"))
		answers := make([]slicetest.Answer, 4)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = h.do("POST", pathRegister, "", body) })
		}
		all.Wait()
		for _, a := range answers {
			require.Equal(t, 200, a.Status, a)
			require.Equal(t, "@alice:hs1", a.At("user_id"))
		}
	})
}

func TestRegistrationToken(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h = newFixture(t, h.DB, func(d *accounts.Deps) { d.Registration.Token = "let-me-in" })
		body := slicetest.O{"username": "alice", "password": password}
		a := h.do("POST", pathRegister, "", body)
		require.Equal(t, `[{"stages":["m.login.registration_token"]}]`, a.At("flows"))
		session := a.At("session")
		try := func(auth slicetest.O) slicetest.Answer {
			auth["session"] = session
			body["auth"] = auth
			return h.do("POST", pathRegister, "", body)
		}
		a = try(slicetest.O{"type": "m.login.dummy"})
		require.Equal(t, 401, a.Status, "a stage of no flow: %s", a)
		require.Equal(t, "M_FORBIDDEN", a.At("errcode"))
		a = try(slicetest.O{"type": "m.login.registration_token", "token": "guess"})
		require.Equal(t, 401, a.Status)
		require.Equal(t, "M_FORBIDDEN", a.At("errcode"))
		require.Equal(t, session, a.At("session"))
		a = try(slicetest.O{"type": "m.login.registration_token"})
		require.Equal(t, 400, a.Status)
		require.Equal(t, "M_BAD_JSON", a.At("errcode"))
		a = try(slicetest.O{"type": "m.login.registration_token", "token": "let-me-in"})
		require.Equal(t, 200, a.Status, a)
	})
}

// TestServersChoicesAreNew: a server that begins anew with the seed of an
// earlier run draws the same names, and must not give them twice.
func TestServersChoicesAreNew(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		seen := map[string]bool{}
		for range 3 {
			h = newFixture(t, h.DB) // the seed is that of the stage
			guest := h.ok("POST", pathRegister+"?kind=guest", "", slicetest.O{})
			user := h.ok("POST", pathRegister, "", slicetest.O{"password": password, "auth": dummy("")})
			for _, a := range []slicetest.Answer{guest, user} {
				require.False(t, seen[a.At("user_id")])
				require.False(t, seen[a.At("access_token")])
				seen[a.At("user_id")], seen[a.At("access_token")] = true, true
			}
		}
		h.register("alice")
		for range 3 {
			h = newFixture(t, h.DB)
			a := h.ok("POST", pathLogin, "", loginBody("alice"))
			require.False(t, seen[a.At("device_id")], "a device of another login")
			require.False(t, seen[a.At("access_token")])
			seen[a.At("device_id")], seen[a.At("access_token")] = true, true
			session := h.do("POST", pathRegister, "", slicetest.O{}).At("session")
			require.False(t, seen[session])
			seen[session] = true
		}
	})
}

// TestProfileOfNewUsers: a user is called by the name that they chose.
func TestProfileOfNewUsers(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	h.register("Alice")
	guest := h.ok("POST", pathRegister+"?kind=guest", "", slicetest.O{}).At("user_id")
	profile := func(user id.UserID) (fields []storage.ProfileField) {
		require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) (err error) {
			fields, err = tx.Profile(t.Context(), user)
			return err
		}))
		return fields
	}
	require.Equal(t, []storage.ProfileField{{Name: "displayname", Value: []byte(`"alice"`)}}, profile("@alice:hs1"))
	require.Empty(t, profile(id.UserID(guest)))
}

// TestRegistrationRemembersItsParameters: a request that has none goes on with
// those of an earlier one of its session.
//
// Spec: client-server "User-interactive API in the REST API".
func TestRegistrationRemembersItsParameters(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		body := slicetest.O{"username": "alice", "password": password, "device_id": "PHONE", "initial_device_display_name": "My phone"}
		session := h.do("POST", pathRegister, "", body).At("session")
		a := h.ok("POST", pathRegister, "", slicetest.O{"auth": dummy(session)})
		require.Equal(t, "@alice:hs1", a.At("user_id"))
		require.Equal(t, "PHONE", a.At("device_id"))
		require.Equal(t, "My phone", h.ok("GET", slicetest.Path("v3/devices/PHONE"), a.At("access_token"), nil).At("display_name"))
		require.Equal(t, 403, h.do("POST", pathRegister, "", slicetest.O{"auth": dummy(session)}).Status, "a session acts once")
		require.Equal(t, 200, h.do("GET", pathWhoami, a.At("access_token"), nil).Status)
		h.ok("POST", pathLogin, "", loginBody("alice"))

		// A client that asks for the flows first, and one that changes its mind.
		session = h.do("POST", pathRegister, "", slicetest.O{}).At("session")
		for _, name := range []string{"bob", "carol"} {
			body = slicetest.O{"username": name, "inhibit_login": true, "auth": slicetest.O{"session": session}}
			require.Equal(t, session, h.do("POST", pathRegister, "", body).At("session"))
		}
		require.Equal(t, `{"user_id":"@carol:hs1"}`, h.ok("POST", pathRegister, "", slicetest.O{"auth": dummy(session)}).Body)

		session = h.do("POST", pathRegister, "", slicetest.O{"username": "dan", "password": password}).At("session")
		a = h.ok("POST", pathRegister, "", slicetest.O{"username": "erin", "auth": dummy(session)})
		require.Equal(t, "@erin:hs1", a.At("user_id"))
		require.Equal(t, 403, h.do("POST", pathLogin, "", loginBody("erin")).Status, "all parameters are those of one request")

		h.register("frank")
		session = h.do("POST", pathRegister, "", slicetest.O{"username": "gina"}).At("session")
		h.register("gina")
		taken := h.do("POST", pathRegister, "", slicetest.O{"auth": dummy(session)})
		require.Equal(t, "M_USER_IN_USE", taken.At("errcode"), "meanwhile")
	})
}

// TestSessionsDoNotGivePasswordsAway to whoever reads the database.
func TestSessionsDoNotGivePasswordsAway(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		session := h.do("POST", pathRegister, "", slicetest.O{"username": "alice", "password": password}).At("session")
		h.write(func(tx *storage.Writer) error {
			_, err := tx.UIAuthSession(t.Context(), session)
			require.ErrorIs(t, err, storage.ErrNotFound)
			s, err := tx.UIAuthSession(t.Context(), accounts.HashOf(session))
			require.NoError(t, err)
			require.NotEmpty(t, s.Request)
			require.NotContains(t, string(s.Request), "alice")
			require.NotContains(t, string(s.Request), password)
			return nil
		})
	})
}

// TestRegistrationWithoutAPassword makes an account that no password opens.
//
// Spec: client-server register: only logging in has need of one.
func TestRegistrationWithoutAPassword(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.ok("POST", pathRegister, "", slicetest.O{"username": "alice", "auth": dummy("")})
		require.Equal(t, 200, h.do("GET", pathWhoami, a.At("access_token"), nil).Status)
		for _, secret := range []string{"", password} {
			body := loginBody("alice")
			body["password"] = secret
			require.Equal(t, 403, h.do("POST", pathLogin, "", body).Status)
		}
	})
}
