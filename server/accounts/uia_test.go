// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/accounts"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// byPassword is the data of the password stage.
func byPassword(name, secret, session string) slicetest.O {
	o := slicetest.O{"type": "m.login.password", "password": secret, "identifier": slicetest.O{"type": "m.id.user", "user": name}}
	if session != "" {
		o["session"] = session
	}
	return o
}

// TestStagesAnswer pins the bodies of user-interactive authentication.
func TestStagesAnswer(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		token := h.register("alice")
		h.register("bob")
		h.login("alice", "PHONE")
		path := slicetest.Path("v3/devices/PHONE")
		del := func(auth any) slicetest.Answer { return h.do("DELETE", path, token, slicetest.O{"auth": auth}) }

		first := h.do("DELETE", path, token, slicetest.O{})
		require.Equal(t, 401, first.Status)
		session := first.At("session")
		asks := `{"flows":[{"stages":["m.login.password"]}],"params":{},"session":"` + session + `"}`
		require.Equal(t, asks, first.Body)
		require.NotEqual(t, session, del(slicetest.O{}).At("session"), "each request without data begins a session")

		again := del(byPassword("alice", "wrong", session))
		require.Equal(t, 401, again.Status)
		require.Equal(t, `{"errcode":"M_FORBIDDEN","error":"The user or the password is wrong",`+asks[1:], again.Body)

		fresh := del(byPassword("alice", "wrong", ""))
		require.Equal(t, "M_FORBIDDEN", fresh.At("errcode"))
		require.NotEmpty(t, fresh.At("session"))
		more := del(slicetest.O{"session": fresh.At("session")})
		require.Equal(t, 401, more.Status)
		require.Equal(t, fresh.At("session"), more.At("session"), "a session that a failed stage has begun is one")
		require.Empty(t, more.At("errcode"))

		for name, c := range map[string]struct {
			auth    any
			status  int
			errcode string
		}{
			"a stage of no flow":         {dummy(session), 401, "M_FORBIDDEN"},
			"an unknown stage":           {slicetest.O{"type": "org.example.face", "session": session}, 401, "M_FORBIDDEN"},
			"no password":                {slicetest.O{"type": "m.login.password", "session": session}, 400, "M_BAD_JSON"},
			"a number for a password":    {slicetest.O{"type": "m.login.password", "password": 1}, 400, "M_BAD_JSON"},
			"nobody named":               {slicetest.O{"type": "m.login.password", "password": password}, 400, "M_BAD_JSON"},
			"a list for an identifier":   {slicetest.O{"type": "m.login.password", "password": password, "identifier": slicetest.L{}}, 400, "M_BAD_JSON"},
			"another user":               {byPassword("bob", password, session), 403, "M_FORBIDDEN"},
			"a third-party identifier":   {slicetest.O{"type": "m.login.password", "password": password, "identifier": slicetest.O{"type": "m.id.thirdparty", "medium": "email", "address": "x"}}, 403, "M_FORBIDDEN"},
			"a session that nobody has":  {byPassword("alice", password, "none"), 401, "M_FORBIDDEN"},
			"a number for a session":     {slicetest.O{"session": 7}, 400, "M_BAD_JSON"},
			"an unfinished session only": {slicetest.O{"session": session}, 401, ""},
		} {
			a := del(c.auth)
			require.Equal(t, c.status, a.Status, "%s: %s", name, a)
			require.Equal(t, c.errcode, a.At("errcode"), name)
			require.Equal(t, c.status == 401, a.At("flows") != "", name)
		}
		require.Contains(t, h.devices(token), "PHONE")

		require.Equal(t, `200 {}`, del(byPassword("@alice:hs1", password, session)).String())
		require.NotContains(t, h.devices(token), "PHONE")
		require.Equal(t, `200 {}`, del(slicetest.O{"session": session}).String(), "a completed session is good for the same request")
		require.Equal(t, `200 {}`, del(byPassword("alice", "wrong", session)).String(), "a completed stage is not tried again")
		require.Equal(t, 200, del(slicetest.O{"type": "m.login.password", "user": "alice", "password": password}).Status, "the old form, in one request")
	})
}

// TestSessionsAreOfOneRequest: who has proved who they are for one thing has
// not for another.
func TestSessionsAreOfOneRequest(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		alice, bob := h.register("alice"), h.register("bob")
		several := slicetest.Path("v3/delete_devices")
		body := slicetest.O{"devices": slicetest.L{"A", "B"}}
		session := h.do("POST", several, alice, body).At("session")
		body["auth"] = byPassword("alice", password, session)
		h.ok("POST", several, alice, body)
		only := slicetest.O{"session": session}
		h.ok("POST", several, alice, slicetest.O{"devices": slicetest.L{"B", "A"}, "auth": only})
		for name, a := range map[string]slicetest.Answer{
			"other devices":     h.do("POST", several, alice, slicetest.O{"devices": slicetest.L{"A", "C"}, "auth": only}),
			"another operation": h.do("DELETE", slicetest.Path("v3/devices/A"), alice, slicetest.O{"auth": only}),
			"another user":      h.do("POST", several, bob, slicetest.O{"devices": slicetest.L{"A", "B"}, "auth": only}),
		} {
			require.Equal(t, 401, a.Status, name)
			require.Equal(t, "M_FORBIDDEN", a.At("errcode"), name)
			require.NotEqual(t, session, a.At("session"), name)
		}
	})
}

// TestSessionsEnd: a session cannot be gone on with for ever, nor is it kept.
func TestSessionsEnd(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	token := h.register("alice")
	path := slicetest.Path("v3/devices/PHONE")
	session := h.do("DELETE", path, token, slicetest.O{}).At("session")
	h.Clock.Advance(accounts.SessionLife * time.Millisecond)
	require.Equal(t, 200, h.do("DELETE", path, token, slicetest.O{"auth": byPassword("alice", password, session)}).Status)
	h.Clock.Advance(time.Millisecond)
	a := h.do("DELETE", path, token, slicetest.O{"auth": slicetest.O{"session": session}})
	require.Equal(t, 401, a.Status)
	require.Equal(t, "M_FORBIDDEN", a.At("errcode"))
	require.NotEqual(t, session, a.At("session"))
	h.Clock.Advance(accounts.SessionLife * time.Millisecond)
	again := h.do("DELETE", path, token, slicetest.O{"auth": byPassword("alice", "wrong", a.At("session"))})
	require.Equal(t, a.At("session"), again.At("session"), "the new one has a life of its own")
}

// TestWhatAClockHasMadeThatWasAhead is over at once, and says nothing of the
// future.
func TestWhatAClockHasMadeThatWasAhead(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.register("alice")
		token := h.login("alice", "TABLET")
		start := h.Clock.Now()
		h.Clock.Advance(24 * time.Hour)
		path := slicetest.Path("v3/devices/PHONE")
		session := h.do("DELETE", path, token, slicetest.O{}).At("session")
		nonce := h.nonce()
		h.login("alice", "PHONE")
		seen := func(device string) string {
			return h.ok("GET", slicetest.Path("v3/devices/{}", device), token, nil).At("last_seen_ts")
		}
		h.Clock.Set(start)
		now := strconv.FormatInt(start.UnixMilli(), 10)
		require.Equal(t, now, seen("PHONE"), "not seen again")
		require.Equal(t, now, seen("TABLET"), "seen ahead, and again now")
		h.Clock.Advance(time.Hour)
		require.Equal(t, strconv.FormatInt(start.Add(time.Hour).UnixMilli(), 10), seen("TABLET"))
		require.Equal(t, 400, h.do("POST", pathSecret, "", secretly(nonce, "bob", password, false, "")).Status)
		a := h.do("DELETE", path, token, slicetest.O{"auth": byPassword("alice", "wrong", session)})
		require.Equal(t, 401, a.Status)
		require.NotEqual(t, session, a.At("session"))
		var kept error
		h.write(func(tx *storage.Writer) error {
			_, kept = tx.UIAuthSession(t.Context(), accounts.HashOf(session))
			return nil
		})
		require.ErrorIs(t, kept, storage.ErrNotFound, "the next session throws it away")
	})
}
