// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/accounts"
	"touchstone.example/server/env"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// processes opens one database as two processes do, or, where only one process
// can have it, as one.
func processes(t *testing.T, fn func(t *testing.T, hs [2]*fixture)) {
	crowded := func(d *accounts.Deps) { d.Passwords.Concurrency = 8 }
	storagetest.EachURL(t, func(t *testing.T, url string) {
		one := newFixture(t, storagetest.OpenURL(t, url), crowded)
		two := one
		if one.DB.Engine() == "postgres" {
			two = newFixture(t, storagetest.OpenURL(t, url), crowded, func(d *accounts.Deps) {
				d.Env = env.Fixed("another process", d.Env.Clock)
			})
		}
		fn(t, [2]*fixture{one, two})
	})
}

// living tells which of some tokens the database says give access, whatever a
// process may remember of them.
func (h *fixture) living(tokens ...string) (living []string) {
	h.t.Helper()
	require.NoError(h.t, h.DB.Read(h.t.Context(), func(tx *storage.Reader) error {
		for _, token := range tokens {
			switch _, err := tx.AccessToken(h.t.Context(), accounts.HashOf(token)); {
			case err == nil:
				living = append(living, token)
			case !errors.Is(err, storage.ErrNotFound):
				return err
			}
		}
		return nil
	}))
	return living
}

// TestOneDeviceHasOneToken: however many logins name it at once.
//
// Spec: client-server "Relationship between access tokens and devices".
func TestOneDeviceHasOneToken(t *testing.T) {
	processes(t, func(t *testing.T, hs [2]*fixture) {
		hs[0].register("alice")
		for round := range 8 {
			device := fmt.Sprint("PHONE", round/2) // new in one round, known in the next
			tokens := make([]string, 8)
			var all sync.WaitGroup
			for i := range tokens {
				all.Go(func() {
					a := hs[i%2].do("POST", pathLogin, "", loginBody("alice", "device_id", device))
					tokens[i] = a.At("access_token")
				})
			}
			all.Wait()
			require.NotContains(t, tokens, "")
			require.Len(t, hs[0].living(tokens...), 1)
		}
	})
}

// TestLoginBesideLogoutEverywhere: a login is before it or after it, and a
// token that lives has its device.
func TestLoginBesideLogoutEverywhere(t *testing.T) {
	processes(t, func(t *testing.T, hs [2]*fixture) {
		hs[0].register("alice")
		for range 10 {
			first := hs[0].login("alice", "PHONE")
			var second string
			var all sync.WaitGroup
			all.Go(func() {
				second = hs[0].do("POST", pathLogin, "", loginBody("alice", "device_id", "PHONE")).At("access_token")
			})
			all.Go(func() { hs[1].do("POST", slicetest.Path("v3/logout/all"), first, nil) })
			all.Wait()
			require.NotEmpty(t, second)
			require.Empty(t, hs[0].living(first))
			if len(hs[0].living(second)) == 0 {
				continue
			}
			require.NoError(t, hs[0].DB.Read(t.Context(), func(tx *storage.Reader) error {
				_, err := tx.Device(t.Context(), "@alice:hs1", "PHONE")
				return err
			}))
		}
	})
}

// TestASessionActsOnce: what a completed session has done is not done again for
// a device of the same name that came later.
func TestASessionActsOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		token := h.register("alice")
		several := slicetest.Path("v3/delete_devices")
		for name, send := range map[string]func(auth any) slicetest.Answer{
			"one": func(auth any) slicetest.Answer {
				return h.do("DELETE", slicetest.Path("v3/devices/PHONE"), token, slicetest.O{"auth": auth})
			},
			"several": func(auth any) slicetest.Answer {
				return h.do("POST", several, token, slicetest.O{"devices": slicetest.L{"PHONE"}, "auth": auth})
			},
		} {
			h.login("alice", "PHONE")
			session := send(slicetest.O{}).At("session")
			require.NotEmpty(t, session, name)
			require.Equal(t, 200, send(byPassword("alice", password, session)).Status, name)
			require.NotContains(t, h.devices(token), "PHONE", name)
			h.login("alice", "PHONE")
			require.Equal(t, `200 {}`, send(slicetest.O{"session": session}).String(), "%s: the answer of the first time", name)
			require.Equal(t, `200 {}`, send(byPassword("alice", password, session)).String(), name)
			require.Contains(t, h.devices(token), "PHONE", name)
			require.Equal(t, 200, send(byPassword("alice", password, "")).Status, name)
		}
	})
}
