// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/accounts"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

func TestLoginRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.register("alice")
		login := func(name string, body any, status int, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "POST", Path: pathLogin, Body: body, Status: status, ErrCode: errcode}
		}
		as := func(identifier any) slicetest.O {
			return slicetest.O{"type": "m.login.password", "password": password, "identifier": identifier}
		}
		wrong := loginBody("alice")
		wrong["password"] = "wrong"
		slicetest.Table(t, h.router, []slicetest.Row{
			login("no body", "", 400, "M_NOT_JSON"),
			login("no type", slicetest.O{}, 400, "M_BAD_JSON"),
			login("a type that is not served", slicetest.O{"type": "m.login.token", "token": "x"}, 400, "M_UNKNOWN"),
			login("a type of nobody's", slicetest.O{"type": "org.example.magic"}, 400, "M_UNKNOWN"),
			login("no password", slicetest.O{"type": "m.login.password", "user": "alice"}, 400, "M_BAD_JSON"),
			login("nobody named", slicetest.O{"type": "m.login.password", "password": password}, 400, "M_BAD_JSON"),
			login("an identifier without a type", as(slicetest.O{"user": "alice"}), 400, "M_BAD_JSON"),
			login("an identifier of an unknown type", as(slicetest.O{"type": "org.example.face"}), 400, "M_UNKNOWN"),
			login("a user identifier without a user", as(slicetest.O{"type": "m.id.user"}), 400, "M_BAD_JSON"),
			login("a user identifier with a number", as(slicetest.O{"type": "m.id.user", "user": 7}), 400, "M_BAD_JSON"),
			login("a third-party identifier", as(slicetest.O{"type": "m.id.thirdparty", "medium": "email", "address": "a@b.c"}), 403, "M_FORBIDDEN"),
			login("a phone number", as(slicetest.O{"type": "m.id.phone", "country": "GB", "phone": "1"}), 403, "M_FORBIDDEN"),
			login("a third-party identifier in the old form",
				slicetest.O{"type": "m.login.password", "password": password, "medium": "email", "address": "a@b.c"}, 403, "M_FORBIDDEN"),
			login("a wrong password", wrong, 403, "M_FORBIDDEN"),
			login("an unknown user", loginBody("bob"), 403, "M_FORBIDDEN"),
			login("a user of elsewhere", loginBody("@alice:elsewhere"), 403, "M_FORBIDDEN"),
			login("a name that nobody can have", loginBody("al\x00ice"), 403, "M_FORBIDDEN"),
			login("an empty name", loginBody(""), 403, "M_FORBIDDEN"),
			login("a device ID with NUL", loginBody("alice", "device_id", "\x00"), 400, "M_BAD_JSON"),
			login("an empty device ID", loginBody("alice", "device_id", ""), 400, "M_BAD_JSON"),
			login("a device ID of 256 bytes", loginBody("alice", "device_id", strings.Repeat("D", 256)), 400, "M_BAD_JSON"),
			login("a device name past its bound", loginBody("alice", "initial_device_display_name", strings.Repeat("n", accounts.MaxName+1)), 413, "M_TOO_LARGE"),
			login("a password past all sense",
				slicetest.O{"type": "m.login.password", "user": "alice", "password": strings.Repeat("x", accounts.MaxPassword+1)}, 403, "M_FORBIDDEN"),
		})
	})
}

func TestLogin(t *testing.T) {
	h := newFixture(t, storagetest.Open(t), func(d *accounts.Deps) { d.WellKnown = "https://matrix.hs1" })
	h.register("alice")
	require.Equal(t, `{"flows":[{"type":"m.login.password"}]}`, h.ok("GET", pathLogin, "", nil).Body)
	for name, body := range map[string]slicetest.O{
		"the localpart":             loginBody("alice"),
		"the user ID":               loginBody("@alice:hs1"),
		"capitals":                  loginBody("ALICE"),
		"capitals in the user ID":   loginBody("@ALICE:hs1"),
		"the old form":              {"type": "m.login.password", "user": "alice", "password": password},
		"the old form with user ID": {"type": "m.login.password", "user": "@alice:hs1", "password": password},
	} {
		a := h.ok("POST", pathLogin, "", body)
		require.Equal(t, "@alice:hs1", a.At("user_id"), name)
		require.Equal(t, "hs1", a.At("home_server"), name)
		require.Equal(t, "https://matrix.hs1", a.At("well_known", "m.homeserver", "base_url"), name)
		me := h.ok("GET", pathWhoami, a.At("access_token"), nil)
		require.Equal(t, a.At("device_id"), me.At("device_id"), name)
		require.Equal(t, "false", me.At("is_guest"), name)
	}
	plain := newFixture(t, storagetest.Open(t))
	plain.register("alice")
	require.Empty(t, plain.ok("POST", pathLogin, "", loginBody("alice")).At("well_known"))
}

// TestLoginAsAKnownDevice: the device keeps its name and loses its token.
func TestLoginAsAKnownDevice(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.register("alice")
		first := h.ok("POST", pathLogin, "", loginBody("alice", "device_id", "PHONE", "initial_device_display_name", "My phone"))
		other := h.login("alice", "TABLET")
		require.Equal(t, 200, h.do("GET", pathWhoami, first.At("access_token"), nil).Status)
		second := h.ok("POST", pathLogin, "", loginBody("alice", "device_id", "PHONE", "initial_device_display_name", "Another name"))
		require.Equal(t, "PHONE", second.At("device_id"))
		require.Equal(t, 401, h.do("GET", pathWhoami, first.At("access_token"), nil).Status)
		require.Equal(t, 200, h.do("GET", pathWhoami, other, nil).Status)
		device := h.ok("GET", slicetest.Path("v3/devices/PHONE"), second.At("access_token"), nil)
		require.Equal(t, "My phone", device.At("display_name"))
	})
}

// TestWrongLoginsCostTheSame: how long a login takes does not tell who has an
// account.
func TestWrongLoginsCostTheSame(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	h.register("alice")
	guest := h.ok("POST", pathRegister+"?kind=guest", "", slicetest.O{}).At("user_id")
	hashes := h.acc.CountHashes()
	for _, name := range []string{"alice", "nobody", guest} {
		before := *hashes
		body := loginBody(name)
		body["password"] = "wrong"
		a := h.do("POST", pathLogin, "", body)
		require.Equal(t, 403, a.Status)
		require.Equal(t, 1, *hashes-before, name)
		require.Equal(t, "The user or the password is wrong", a.At("error"), name)
	}
}

func TestAccountsThatAreNotOpen(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		token := h.register("alice")
		h.standing("@alice:hs1", true)
		for _, a := range []slicetest.Answer{
			h.do("POST", pathLogin, "", loginBody("alice")),
			h.do("GET", pathWhoami, token, nil),
		} {
			require.Equal(t, 401, a.Status, a)
			require.Equal(t, "M_USER_LOCKED", a.At("errcode"))
			require.Equal(t, "true", a.At("soft_logout"))
		}
		h.standing("@alice:hs1", false)
		require.Equal(t, 200, h.do("GET", pathWhoami, token, nil).Status, "the lock has kept the token")

		for _, logout := range []string{"v3/logout", "v3/logout/all"} {
			token := h.login("alice", "PHONE")
			h.standing("@alice:hs1", true)
			require.Equal(t, 200, h.do("POST", slicetest.Path(logout), token, nil).Status)
			a := h.do("GET", pathWhoami, token, nil)
			require.Equal(t, "M_UNKNOWN_TOKEN", a.At("errcode"))
			h.standing("@alice:hs1", false)
		}

		h.register("bob")
		var hash string
		h.write(func(tx *storage.Writer) error {
			u, err := tx.User(t.Context(), "@bob:hs1")
			require.NoError(t, err)
			hash = u.PasswordHash
			return tx.DeactivateUser(t.Context(), "@bob:hs1", 1, false)
		})
		a := h.do("POST", pathLogin, "", loginBody("bob"))
		require.Equal(t, "M_FORBIDDEN", a.At("errcode"), "the password is gone: %s", a)
		h.write(func(tx *storage.Writer) error { return tx.PutPassword(t.Context(), "@bob:hs1", hash) })
		a = h.do("POST", pathLogin, "", loginBody("bob"))
		require.Equal(t, 403, a.Status)
		require.Equal(t, "M_USER_DEACTIVATED", a.At("errcode"))
		a = h.do("POST", pathRegister, "", slicetest.O{"username": "bob", "password": password, "auth": dummy("")})
		require.Equal(t, "M_USER_IN_USE", a.At("errcode"), "the name stays taken")
	})
}
