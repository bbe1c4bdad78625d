// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/accounts"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

const pathSecret = "/_synapse/admin/v1/register"

// secretly is a body signed with the secret.
func secretly(nonce, user, pass string, admin bool, userType string) slicetest.O {
	o := slicetest.O{"nonce": nonce, "username": user, "password": pass, "admin": admin}
	values := []string{nonce, user, pass, "notadmin"}
	if admin {
		values[3] = "admin"
	}
	if userType != "" {
		values = append(values, userType)
		o["user_type"] = userType
	}
	mac := hmac.New(sha1.New, []byte("sesame"))
	mac.Write([]byte(strings.Join(values, "\x00")))
	o["mac"] = hex.EncodeToString(mac.Sum(nil))
	return o
}

func (h *fixture) nonce() string {
	h.t.Helper()
	return h.ok("GET", pathSecret, "", nil).At("nonce")
}

func TestSharedSecret(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		user := func(id string) (u *storage.User) {
			require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) (err error) {
				u, err = tx.User(t.Context(), slicetest.User(id))
				return err
			}))
			return u
		}
		a := h.ok("POST", pathSecret, "", secretly(h.nonce(), "Admin-USER", "päss", true, ""))
		require.Equal(t, "@admin-user:hs1", a.At("user_id"))
		require.Equal(t, "hs1", a.At("home_server"))
		require.Equal(t, a.At("device_id"), h.ok("GET", pathWhoami, a.At("access_token"), nil).At("device_id"))
		require.True(t, user("admin-user").Admin)
		login := loginBody("admin-user")
		login["password"] = "päss"
		h.ok("POST", pathLogin, "", login)

		h.ok("POST", pathSecret, "", secretly(h.nonce(), "robot", password, false, "bot"))
		require.Equal(t, "bot", user("robot").Kind)
		require.False(t, user("robot").Admin)
		body := secretly(h.nonce(), "carol", password, false, "")
		body["displayname"], body["user_type"] = "Carol C.", nil
		h.ok("POST", pathSecret, "", body)
		require.Equal(t, "user", user("carol").Kind)
		require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) error {
			profile, err := tx.Profile(t.Context(), "@carol:hs1")
			require.Equal(t, []storage.ProfileField{{Name: "displayname", Value: []byte(`"Carol C."`)}}, profile)
			return err
		}))
	})
}

func TestSharedSecretRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.register("alice")
		post := func(body slicetest.O) slicetest.Answer { return h.do("POST", pathSecret, "", body) }
		change := func(body slicetest.O, name string, value any) slicetest.O {
			body[name] = value
			return body
		}
		for name, c := range map[string]struct {
			body    slicetest.O
			status  int
			errcode string
		}{
			"nothing":                   {slicetest.O{}, 400, "M_BAD_JSON"},
			"a nonce of nobody's":       {secretly("guess", "bob", password, false, ""), 400, "M_UNKNOWN"},
			"a wrong MAC":               {change(secretly(h.nonce(), "bob", password, false, ""), "mac", strings.Repeat("0", 40)), 403, "M_FORBIDDEN"},
			"a MAC that is no hex":      {change(secretly(h.nonce(), "bob", password, false, ""), "mac", "mac"), 403, "M_FORBIDDEN"},
			"an admin not signed for":   {change(secretly(h.nonce(), "bob", password, false, ""), "admin", true), 403, "M_FORBIDDEN"},
			"another user":              {change(secretly(h.nonce(), "bob", password, false, ""), "username", "eve"), 403, "M_FORBIDDEN"},
			"a type not signed for":     {change(secretly(h.nonce(), "bob", password, false, ""), "user_type", "bot"), 403, "M_FORBIDDEN"},
			"a user of an unknown type": {secretly(h.nonce(), "bob", password, false, "king"), 400, "M_UNKNOWN"},
			"a guest":                   {secretly(h.nonce(), "bob", password, false, "guest"), 400, "M_UNKNOWN"},
			"a name that is taken":      {secretly(h.nonce(), "ALICE", password, false, ""), 400, "M_USER_IN_USE"},
			"a name with a symbol":      {secretly(h.nonce(), "us,er", password, false, ""), 400, "M_INVALID_USERNAME"},
			"an empty name":             {secretly(h.nonce(), "", password, false, ""), 400, "M_INVALID_USERNAME"},
			"an empty password":         {secretly(h.nonce(), "bob", "", false, ""), 400, "M_BAD_JSON"},
			"a password with NUL":       {secretly(h.nonce(), "bob", "x\x00admin", false, ""), 400, "M_BAD_JSON"},
			"a long display name":       {change(secretly(h.nonce(), "bob", password, false, ""), "displayname", strings.Repeat("n", accounts.MaxName+1)), 413, "M_TOO_LARGE"},
		} {
			a := post(c.body)
			require.Equal(t, c.status, a.Status, "%s: %s", name, a)
			require.Equal(t, c.errcode, a.At("errcode"), name)
		}
		session := h.do("POST", pathRegister, "", slicetest.O{}).At("session")
		require.Equal(t, 400, post(secretly(session, "bob", password, false, "")).Status, "what is no nonce")

		nonce := h.nonce()
		require.Equal(t, 403, post(change(secretly(nonce, "bob", password, false, ""), "mac", "00")).Status)
		require.Equal(t, 400, post(secretly(nonce, "bob", password, false, "")).Status, "a nonce is used once, even in vain")
		nonce = h.nonce()
		h.Clock.Advance(accounts.NonceLife * time.Millisecond)
		require.Equal(t, 200, post(secretly(nonce, "bob", password, false, "")).Status)
		nonce = h.nonce()
		h.Clock.Advance(accounts.NonceLife*time.Millisecond + time.Millisecond)
		require.Equal(t, 400, post(secretly(nonce, "dan", password, false, "")).Status)
	})
}

// TestNoncesAreEveryProcesses: who asks one server may go on with another.
func TestNoncesAreEveryProcesses(t *testing.T) {
	url := storagetest.PostgresURL(t)
	one, two := newFixture(t, storagetest.OpenURL(t, url)), newFixture(t, storagetest.OpenURL(t, url))
	nonce := one.nonce()
	two.ok("POST", pathSecret, "", secretly(nonce, "alice", password, false, ""))
	a := one.do("POST", pathSecret, "", secretly(nonce, "bob", password, false, ""))
	require.Equal(t, 400, a.Status)
}

func TestSharedSecretIsOff(t *testing.T) {
	h := newFixture(t, storagetest.Open(t), func(d *accounts.Deps) { d.Registration.SharedSecret = "" })
	slicetest.Table(t, h.router, []slicetest.Row{
		{Name: "a nonce", Method: "GET", Path: pathSecret, Status: 400, ErrCode: "M_UNKNOWN"},
		{Name: "a registration", Method: "POST", Path: pathSecret, Body: secretly("n", "bob", password, false, ""), Status: 400, ErrCode: "M_UNKNOWN"},
	})
}
