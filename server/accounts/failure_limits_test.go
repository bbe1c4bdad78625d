// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/accounts"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// guarded has wrong guesses limited, and everybody come from an address.
func guarded(from *string) func(*accounts.Deps) {
	return func(d *accounts.Deps) {
		d.Limits = true
		if from != nil {
			d.Address = func(context.Context) string { return *from }
		}
	}
}

// limited expects an answer that says when to come again, and returns when.
func limited(t *testing.T, a slicetest.Answer) time.Duration {
	t.Helper()
	require.Equal(t, 429, a.Status, a)
	require.Equal(t, "M_LIMIT_EXCEEDED", a.At("errcode"))
	ms, err := strconv.ParseInt(a.At("retry_after_ms"), 10, 64)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint((ms+999)/1000), a.Header.Get("Retry-After"))
	return time.Duration(ms) * time.Millisecond
}

func wrongLogin(name string) slicetest.O {
	o := loginBody(name)
	o["password"] = "wrong"
	return o
}

// TestGuessesAtAPasswordAreFew: whoever guesses learns little, in several
// processes and many at once too, also of accounts that do not exist.
func TestGuessesAtAPasswordAreFew(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		hs := []*fixture{newFixture(t, storagetest.OpenURL(t, url), guarded(nil))}
		if hs[0].DB.Engine() == "postgres" {
			hs = append(hs, newFixture(t, storagetest.OpenURL(t, url), guarded(nil)))
		}
		h := hs[0]
		h.register("alice")
		for _, name := range []string{"alice", "nobody"} {
			var told atomic.Int64
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					for range 10 {
						if a := hs[i%len(hs)].do("POST", pathLogin, "", wrongLogin(name)); a.Status == 403 {
							told.Add(1)
						} else {
							limited(t, a)
						}
					}
				})
			}
			all.Wait()
			require.EqualValues(t, accounts.PasswordGuesses, told.Load(), name)
		}
		wait := limited(t, h.do("POST", pathLogin, "", loginBody("alice")))
		require.LessOrEqual(t, wait, time.Minute)
		h.Clock.Advance(wait - time.Millisecond)
		limited(t, h.do("POST", pathLogin, "", loginBody("alice")))
		h.Clock.Advance(time.Millisecond)
		require.Equal(t, 200, h.do("POST", pathLogin, "", loginBody("alice")).Status, "the right password after the pause")
		require.Equal(t, 403, h.do("POST", pathLogin, "", wrongLogin("alice")).Status)
		limited(t, h.do("POST", pathLogin, "", wrongLogin("alice")))
	})
}

// TestGuessesDoNotShutTheOwnerOut: devices that are logged in go on, and can
// prove by the password who asks; and one can log in from where one was seen.
func TestGuessesDoNotShutTheOwnerOut(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		from := "192.0.2.1"
		h := newFixture(t, db, guarded(&from))
		token := h.register("alice")
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = from + ":4000"
		_, err := h.acc.Caller(r, token) // seen
		require.NoError(t, err)
		from = "198.51.100.7"
		for range accounts.PasswordGuesses {
			require.Equal(t, 403, h.do("POST", pathLogin, "", wrongLogin("alice")).Status)
		}
		limited(t, h.do("POST", pathLogin, "", loginBody("alice")))
		from = "203.0.113.9"
		limited(t, h.do("POST", pathLogin, "", loginBody("alice")))

		require.Equal(t, 200, h.do("GET", pathWhoami, token, nil).Status)
		path := slicetest.Path("v3/devices/PHONE")
		require.Equal(t, 200, h.do("DELETE", path, token, slicetest.O{"auth": byPassword("alice", password, "")}).Status)
		from = "192.0.2.1"
		require.Equal(t, 200, h.do("POST", pathLogin, "", loginBody("alice")).Status)

		for range accounts.PasswordGuesses { // by whoever has found the device
			require.Equal(t, 401, h.do("DELETE", path, token, slicetest.O{"auth": byPassword("alice", "wrong", "")}).Status)
		}
		limited(t, h.do("DELETE", path, token, slicetest.O{"auth": byPassword("alice", password, "")}))
	})
}

// TestLoginIsSeen: who has just registered or logged in from an address can log
// in from there again, though the device was not used yet.
func TestLoginIsSeen(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		home, work := "192.0.2.1", "192.0.2.2"
		from := home
		h := newFixture(t, db, guarded(&from))
		h.register("alice")
		from = work
		again := loginBody("alice")
		again["device_id"] = "LAPTOP"
		require.Equal(t, 200, h.do("POST", pathLogin, "", again).Status)
		from = "198.51.100.7"
		for range accounts.PasswordGuesses {
			require.Equal(t, 403, h.do("POST", pathLogin, "", wrongLogin("alice")).Status)
		}
		limited(t, h.do("POST", pathLogin, "", loginBody("alice")))
		for _, from = range []string{home, work} {
			require.Equal(t, 200, h.do("POST", pathLogin, "", loginBody("alice")).Status, from)
		}
	})
}

// TestGuessesAtARegistrationToken are limited by the session, and for those who
// begin one each time by the server.
func TestGuessesAtARegistrationToken(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newFixture(t, db, guarded(nil), func(d *accounts.Deps) { d.Registration.Token = "let-me-in" })
		body := func(session, token string) slicetest.O {
			auth := slicetest.O{"type": "m.login.registration_token", "token": token}
			if session != "" {
				auth["session"] = session
			}
			return slicetest.O{"username": "alice", "auth": auth}
		}
		session := h.do("POST", pathRegister, "", slicetest.O{}).At("session")
		var told, pauses atomic.Int64
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for n := range 10 {
					switch a := h.do("POST", pathRegister, "", body(session, fmt.Sprint("guess", i, n))); a.Status {
					case 401:
						told.Add(1)
					case 429:
						pauses.Add(1)
					}
				}
			})
		}
		all.Wait()
		require.EqualValues(t, accounts.SessionGuesses, told.Load())
		require.EqualValues(t, 40-accounts.SessionGuesses, pauses.Load())
		h.Clock.Advance(limited(t, h.do("POST", pathRegister, "", body(session, "let-me-in"))))

		told.Store(0)
		for {
			a := h.do("POST", pathRegister, "", body("", "guess"))
			if a.Status != 401 {
				h.Clock.Advance(limited(t, a))
				break
			}
			told.Add(1)
		}
		require.LessOrEqual(t, told.Load(), int64(accounts.ServerGuesses))
		require.Equal(t, 200, h.do("POST", pathRegister, "", body(session, "let-me-in")).Status)
	})
}

// TestGuessesAreNotLimitedWhereNothingIs, as in the lab.
func TestGuessesAreNotLimitedWhereNothingIs(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	h.register("alice")
	for range 3 * accounts.PasswordGuesses {
		require.Equal(t, 403, h.do("POST", pathLogin, "", wrongLogin("alice")).Status)
	}
	require.Equal(t, 200, h.do("POST", pathLogin, "", loginBody("alice")).Status)
}

// TestFailuresOfTheFuture: a clock that was ahead for a moment shuts nobody out.
func TestFailuresOfTheFuture(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newFixture(t, db, guarded(nil))
		h.register("alice")
		now := h.Clock.Now()
		h.Clock.Advance(24 * time.Hour)
		for range accounts.PasswordGuesses {
			require.Equal(t, 403, h.do("POST", pathLogin, "", wrongLogin("alice")).Status)
		}
		h.Clock.Set(now)
		require.Equal(t, 200, h.do("POST", pathLogin, "", loginBody("alice")).Status)
		require.Equal(t, 403, h.do("POST", pathLogin, "", wrongLogin("alice")).Status)
	})
}

// TestSessionsAreBounded: the oldest of those of one user go.
func TestSessionsAreBounded(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newFixture(t, db)
		token := h.register("alice")
		ask := func() string {
			h.Clock.Advance(time.Millisecond)
			return h.do("DELETE", slicetest.Path("v3/devices/D"), token, slicetest.O{}).At("session")
		}
		nobodys := h.do("POST", pathRegister, "", slicetest.O{}).At("session")
		first, second := ask(), ask()
		for range accounts.MaxSessionsOfUser - 1 {
			ask()
		}
		goesOn := func(session string) bool {
			a := h.do("DELETE", slicetest.Path("v3/devices/D"), token, slicetest.O{"auth": slicetest.O{"session": session}})
			return a.At("session") == session
		}
		require.True(t, goesOn(second))
		require.False(t, goesOn(first))
		require.Equal(t, nobodys, h.do("POST", pathRegister, "", slicetest.O{"auth": slicetest.O{"session": nobodys}}).At("session"))
	})
}

// TestWhoWouldWaitTooLongForAHashIsToldSo, and leaves the queue.
func TestWhoWouldWaitTooLongForAHashIsToldSo(t *testing.T) {
	h := newFixture(t, storagetest.Open(t), guarded(nil), func(d *accounts.Deps) { d.Passwords.Concurrency = 1 })
	h.register("alice")
	release := h.acc.HoldHashes()
	var waiting sync.WaitGroup
	ctx, hangUp := context.WithCancel(t.Context())
	for range accounts.Queued {
		waiting.Go(func() { h.acc.WaitForHash(ctx) })
	}
	require.Eventually(t, func() bool { return h.acc.Hashing() == accounts.Queued+1 }, 10*time.Second, time.Millisecond)
	limited(t, h.do("POST", pathLogin, "", loginBody("alice")))
	hangUp()
	waiting.Wait()
	release()
	require.Equal(t, 200, h.do("POST", pathLogin, "", loginBody("alice")).Status)
}
