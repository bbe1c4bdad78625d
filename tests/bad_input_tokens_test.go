// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

func (w fixture) badTokens() []badInput {
	whoami := harness.Path("v3/account/whoami")
	with := func(headers ...string) harness.Request {
		return harness.Request{Method: "GET", Path: whoami, Header: http.Header{"Authorization": headers}}
	}
	return []badInput{
		{"none", with(), 401, "M_MISSING_TOKEN"},
		{"an empty one", with("Bearer "), 401, "M_MISSING_TOKEN"},
		{"another scheme", with("Basic YWxpY2U6cHc="), 401, "M_MISSING_TOKEN"},
		{"nonsense", with("Bearer nonsense"), 401, "M_UNKNOWN_TOKEN"},
		{"too long", with("Bearer " + string(make64k())), 401, "M_UNKNOWN_TOKEN"},
		{"one with a letter changed", with("Bearer " + changed(w.alice.Token)), 401, "M_UNKNOWN_TOKEN"},
		{"another scheme's letters", with("bearer " + w.alice.Token), 200, ""},
		{"in the query", harness.Request{Method: "GET", Path: whoami + harness.Query("access_token", w.alice.Token)}, 200, ""},
		{"nonsense in the query", harness.Request{Method: "GET", Path: whoami + harness.Query("access_token", "x")}, 401, "M_UNKNOWN_TOKEN"},
	}
}

func make64k() []byte {
	b := make([]byte, 16<<10)
	for i := range b {
		b[i] = 'x'
	}
	return b
}

func changed(token string) string {
	b := []byte(token)
	if last := &b[len(b)-1]; *last == 'x' {
		*last = 'y'
	} else {
		*last = 'x'
	}
	return string(b)
}

// TestRevokedTokens: each way of ending a session ends its token, and only
// its.
func TestRevokedTokens(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		alice := s.User(t, "alice")
		phone, tablet := alice.Login(t, "PHONE"), alice.Login(t, "TABLET")
		whoami := harness.Path("v3/account/whoami")

		require.Equal(t, "PHONE", phone.Get(t, whoami).At("device_id").String())
		phone.Post(t, harness.Path("v3/logout"), nil)
		gone := phone.Fails(t, 401, "M_UNKNOWN_TOKEN", "GET", whoami, nil)
		require.False(t, gone.At("soft_logout").Bool())
		tablet.Get(t, whoami)

		again := alice.Login(t, "TABLET")
		tablet.Fails(t, 401, "M_UNKNOWN_TOKEN", "GET", whoami, nil)
		again.Get(t, whoami)

		alice.Post(t, harness.Path("v3/logout/all"), nil)
		for _, u := range []*harness.User{alice, again} {
			u.Fails(t, 401, "M_UNKNOWN_TOKEN", "GET", whoami, nil)
		}
	})
}

// TestTokensOfAnotherServer: a token of one server, even of the same name and with
// the same user, is nothing to another.
func TestTokensOfAnotherServer(t *testing.T) {
	here := harness.Start(t, harness.Options{Seed: "one"}).Register(t, "alice")
	there := harness.Start(t, harness.Options{Seed: "two"}).Register(t, "alice")
	require.NotEqual(t, here.Token, there.Token)
	here.On(there.Server).Fails(t, 401, "M_UNKNOWN_TOKEN", "GET", harness.Path("v3/account/whoami"), nil)
}

// TestExpiredTokens: a token that can be refreshed expires, and the error says that
// it is a soft logout, so that the client keeps its encryption keys.
func TestExpiredTokens(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := harness.Start(t, harness.Options{Clock: start.Format(time.RFC3339), Seed: "s", Process: true})
	alice := s.Register(t, "alice")
	a := s.Do(t, harness.Request{Method: "POST", Path: harness.Path("v3/login"), Body: harness.O{
		"type": "m.login.password", "password": harness.Password, "refresh_token": true,
		"identifier": harness.O{"type": "m.id.user", "user": alice.ID},
	}})
	require.Equal(t, http.StatusOK, a.Status, a)
	lives := a.JSON().At("expires_in_ms")
	if !lives.Exists() {
		refresh := s.Do(t, harness.Request{Method: "POST", Path: harness.Path("v3/refresh"), Body: harness.O{"refresh_token": "x"}})
		require.True(t, refresh.Unfinished(), "a server that refreshes tokens lets them expire: %s", a)
		t.Skip("no token of this server expires: refreshing tokens is not written yet")
	}
	alice.Token = a.JSON().At("access_token").String()
	alice.Get(t, harness.Path("v3/account/whoami"))

	s.Stop(t)
	s.SetClock(start.Add(time.Duration(lives.Int()+1) * time.Millisecond))
	s.Restart(t)
	gone := alice.Fails(t, 401, "M_UNKNOWN_TOKEN", "GET", harness.Path("v3/account/whoami"), nil)
	require.True(t, gone.At("soft_logout").Bool())
}
