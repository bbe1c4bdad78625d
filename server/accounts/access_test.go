// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/accounts"
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// TestTokensEndInEveryProcess: two servers on one database remember the same
// tokens; what one takes away, the other gives no more.
func TestTokensEndInEveryProcess(t *testing.T) {
	url := storagetest.PostgresURL(t)
	one := newFixture(t, storagetest.OpenURL(t, url))
	two := newFixture(t, storagetest.OpenURL(t, url), func(d *accounts.Deps) { d.Env.Rand = env.Seeded("of its own") })
	alice, bob := one.register("alice"), one.register("bob")
	both := func(token string) []int {
		return []int{one.do("GET", pathWhoami, token, nil).Status, two.do("GET", pathWhoami, token, nil).Status}
	}
	// told waits until both know what has been written so far.
	told := func() {
		t.Helper()
		last, err := one.DB.LastPosition(t.Context())
		require.NoError(t, err)
		for _, h := range []*fixture{one, two} {
			require.NoError(t, h.Feed.WaitFor(t.Context(), last))
		}
	}
	require.Equal(t, []int{200, 200}, both(alice))
	require.Equal(t, []int{200, 200}, both(bob))
	first := one.login("alice", "PHONE")
	require.Equal(t, []int{200, 200}, both(first))

	second := two.login("alice", "PHONE") // the same device: its earlier token ends
	told()
	require.Equal(t, []int{401, 401}, both(first))
	require.Equal(t, []int{200, 200}, both(second))

	two.ok("POST", slicetest.Path("v3/logout"), second, nil)
	told()
	require.Equal(t, []int{401, 401}, both(second))

	third := one.login("alice", "PHONE")
	require.Equal(t, []int{200, 200}, both(third))
	one.ok("DELETE", slicetest.Path("v3/devices/PHONE"), alice, slicetest.O{"auth": byPassword("alice", password, "")})
	told()
	require.Equal(t, []int{401, 401}, both(third))

	two.standing("@alice:hs1", true)
	told()
	require.Equal(t, []int{401, 401}, both(alice))
	one.standing("@alice:hs1", false)
	told()
	require.Equal(t, []int{200, 200}, both(alice))

	one.ok("POST", slicetest.Path("v3/logout/all"), alice, nil)
	told()
	require.Equal(t, []int{401, 401}, both(alice))
	require.Equal(t, []int{200, 200}, both(bob), "nobody else's")
}

// TestTokensThatAreKnownCostNothing: a token that was seen is not read again
// until something changes for its user.
func TestTokensThatAreKnownCostNothing(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		alice, bob := h.register("alice"), h.register("bob")
		h.ok("GET", pathWhoami, alice, nil)
		h.ok("GET", pathWhoami, bob, nil)
		asked := func(token string) int64 {
			before := h.DB.Stats()
			h.ok("GET", pathWhoami, token, nil)
			after := h.DB.Stats()
			return after.Reads - before.Reads + after.Writes - before.Writes
		}
		require.Zero(t, asked(alice))
		h.standing("@alice:hs1", false)
		require.NotZero(t, asked(alice))
		require.Zero(t, asked(alice))
		require.Zero(t, asked(bob))
	})
}

// TestOnlyAccessEndsWhatIsKnownOfATokenThatIsStillGood: messages, account data
// and changes of membership come by the thousand.
func TestOnlyAccessEndsWhatIsKnownOfATokenThatIsStillGood(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		alice := h.register("alice")
		h.ok("GET", pathWhoami, alice, nil)
		for _, kind := range feed.Kinds() {
			change(t, h, storage.Change{Kind: string(kind), UserID: "@alice:hs1", RoomNID: 1})
			before := h.DB.Stats()
			h.ok("GET", pathWhoami, alice, nil)
			cost := h.DB.Stats().Since(before)
			require.Equal(t, kind == feed.KindAccess, cost.Reads > 0, kind)
			require.Zero(t, cost.Writes, kind)
		}
	})
}

// change writes a row of the log and waits until the feed has it.
func change(t *testing.T, h *fixture, c storage.Change) {
	t.Helper()
	h.write(func(tx *storage.Writer) (err error) {
		if c.Pos, err = tx.ReservePosition(t.Context()); err != nil {
			return err
		}
		return tx.InsertChange(t.Context(), c)
	})
	require.NoError(t, h.Feed.WaitFor(t.Context(), c.Pos))
}

func TestTokensThatExpire(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.register("alice")
		const token = "expiring"
		now := h.Env.NowTS()
		h.write(func(tx *storage.Writer) error {
			return tx.InsertAccessToken(t.Context(), &storage.AccessToken{
				Hash: accounts.HashOf(token), UserID: "@alice:hs1", DeviceID: "D", CreatedAt: now, ExpiresAt: now + 1000,
			})
		})
		h.ok("GET", pathWhoami, token, nil)
		h.Clock.Advance(999 * time.Millisecond)
		h.ok("GET", pathWhoami, token, nil)
		h.Clock.Advance(time.Millisecond)
		for range 2 {
			a := h.do("GET", pathWhoami, token, nil)
			require.Equal(t, 401, a.Status)
			require.Equal(t, "M_UNKNOWN_TOKEN", a.At("errcode"))
			require.Equal(t, "true", a.At("soft_logout"), "the device is still there")
		}
	})
}

// TestTokenOfADeactivatedAccount: whatever has been forgotten to be deleted.
func TestTokenOfADeactivatedAccount(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	token := h.register("alice")
	h.write(func(tx *storage.Writer) error { return tx.DeactivateUser(t.Context(), "@alice:hs1", 1, false) })
	a := h.do("GET", pathWhoami, token, nil)
	require.Equal(t, 401, a.Status)
	require.Equal(t, "M_UNKNOWN_TOKEN", a.At("errcode"))
	require.Equal(t, "false", a.At("soft_logout"))
}

func TestTokenInTheQuery(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	token := h.register("alice")
	require.Equal(t, "@alice:hs1", h.ok("GET", pathWhoami+"?access_token="+token, "", nil).At("user_id"))
	require.Equal(t, 401, h.do("GET", pathWhoami+"?access_token=x", "", nil).Status)
}

// TestDevicesAreSeen: when and from where, at the price of one write a minute.
func TestDevicesAreSeen(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.register("alice")
		token := h.login("alice", "PHONE")
		use := func(from, agent string) (writes int64) {
			before := h.DB.Stats().Writes
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = from
			r.Header.Set("User-Agent", agent)
			_, err := h.acc.Caller(r, token)
			require.NoError(t, err)
			return h.DB.Stats().Writes - before
		}
		seen := func() (d *storage.Device) {
			require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) (err error) {
				d, err = tx.Device(t.Context(), "@alice:hs1", "PHONE")
				return err
			}))
			return d
		}
		start := h.Env.NowTS()
		require.Equal(t, start, seen().SeenAt)
		require.EqualValues(t, 1, use("192.0.2.1:4000", "one"))
		require.Equal(t, "192.0.2.1", seen().SeenIP)
		require.Equal(t, "one", seen().SeenAgent)
		for range 3 {
			h.Clock.Advance((accounts.NoteEvery/3 - 1) * time.Millisecond)
			require.Zero(t, use("192.0.2.2:4000", "two"))
		}
		require.Equal(t, start, seen().SeenAt)
		h.Clock.Advance(3 * time.Millisecond)
		require.EqualValues(t, 1, use("[2001:db8::1]:4000", strings.Repeat("é", accounts.MaxName)))
		require.Equal(t, start+accounts.NoteEvery, seen().SeenAt)
		require.Equal(t, "2001:db8::1", seen().SeenIP)
		require.Equal(t, strings.Repeat("é", accounts.MaxName/2), seen().SeenAgent)
		a := h.ok("GET", slicetest.Path("v3/devices/PHONE"), token, nil)
		require.Equal(t, "2001:db8::1", a.At("last_seen_ip"))
		require.Equal(t, "1767323105000", a.At("last_seen_ts"))

		again := newFixture(t, h.DB) // another process, which has not seen the token yet
		again.Clock.Set(h.Clock.Now())
		r := httptest.NewRequest("GET", "/", nil)
		before := h.DB.Stats().Writes
		_, err := again.acc.Caller(r, token)
		require.NoError(t, err)
		require.Equal(t, before, h.DB.Stats().Writes)
	})
}

// TestDeletedDevicesAreNotSeen: a process that has not heard yet that a device
// is gone does not bring it back.
func TestDeletedDevicesAreNotSeen(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		first := h.register("alice")
		token := h.login("alice", "PHONE")
		h.ok("GET", pathWhoami, token, nil)
		h.Clock.Advance(accounts.NoteEvery * time.Millisecond)
		h.write(func(tx *storage.Writer) error { // and no word of it
			return tx.DeleteDevices(t.Context(), "@alice:hs1", []id.DeviceID{"PHONE"})
		})
		h.ok("GET", pathWhoami, token, nil)
		require.NotContains(t, h.devices(first), "PHONE")
	})
}
