// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/extraapi"
	"touchstone.example/server/accounts"
	"touchstone.example/server/config"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// password is everybody's.
const password = "correct horse battery staple"

// A fixture is accounts on a database of their own, behind their routes.
type fixture struct {
	*slicetest.Fixture
	t      testing.TB
	acc    *accounts.Accounts
	router *api.Router
}

// newFixture makes a fixture where everybody may register; change may change that.
func newFixture(t testing.TB, db *storage.DB, change ...func(*accounts.Deps)) *fixture {
	t.Helper()
	s := slicetest.New(t, db)
	deps := accounts.Deps{
		DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Name: slicetest.Name,
		Registration: config.Registration{Enabled: true, Guests: true, SharedSecret: "sesame"},
		Passwords:    config.Passwords{MemoryKiB: 8, Passes: 1, Threads: 1},
	}
	for _, f := range change {
		f(&deps)
	}
	h := &fixture{Fixture: s, t: t, acc: accounts.New(deps)}
	h.router = s.Router(t, api.Config{
		Auth:   api.Authenticators{User: api.TokenAuthenticator(h.acc.Caller)},
		Permit: h.acc.Permit,
	})
	clientapi.MountRegistration(h.router, h.acc)
	clientapi.MountLogin(h.router, h.acc)
	clientapi.MountLogout(h.router, h.acc)
	clientapi.MountWhoami(h.router, h.acc)
	clientapi.MountDeviceManagement(h.router, h.acc)
	extraapi.MountSynapseRegister(h.router, h.acc)
	return h
}

// each runs a test with a fixture on every engine.
func each(t *testing.T, fn func(t *testing.T, h *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newFixture(t, db)) })
}

// Paths.
var (
	pathRegister = slicetest.Path("v3/register")
	pathLogin    = slicetest.Path("v3/login")
	pathWhoami   = slicetest.Path("v3/account/whoami")
)

// do sends a request; ok expects success.
func (h *fixture) do(method, path, token string, body any) slicetest.Answer {
	h.t.Helper()
	return slicetest.Do(h.t, h.router, method, path, token, body)
}

func (h *fixture) ok(method, path, token string, body any) slicetest.Answer {
	h.t.Helper()
	return slicetest.OK(h.t, h.router, method, path, token, body)
}

// dummy is the data of the stage that needs none.
func dummy(session string) slicetest.O {
	o := slicetest.O{"type": "m.login.dummy"}
	if session != "" {
		o["session"] = session
	}
	return o
}

// register makes an account and returns its access token.
func (h *fixture) register(name string) string {
	h.t.Helper()
	body := slicetest.O{"username": name, "password": password, "auth": dummy("")}
	return h.ok("POST", pathRegister, "", body).At("access_token")
}

// loginBody asks for a login by name.
func loginBody(name string, more ...string) slicetest.O {
	o := slicetest.O{"type": "m.login.password", "password": password, "identifier": slicetest.O{"type": "m.id.user", "user": name}}
	for i := 0; i < len(more); i += 2 {
		o[more[i]] = more[i+1]
	}
	return o
}

// login logs in with a device and returns the access token.
func (h *fixture) login(name, device string) string {
	h.t.Helper()
	return h.ok("POST", pathLogin, "", loginBody(name, "device_id", device)).At("access_token")
}

// devices lists the names of a user's devices.
func (h *fixture) devices(token string) (ids []string) {
	h.t.Helper()
	var list clientapi.GetDevicesResponse
	require.NoError(h.t, json.Unmarshal([]byte(h.ok("GET", slicetest.Path("v3/devices"), token, nil).Body), &list))
	for _, d := range list.Devices {
		ids = append(ids, d.DeviceID)
	}
	return ids
}

// write changes the store behind the accounts' back.
func (h *fixture) write(fn func(tx *storage.Writer) error) {
	h.t.Helper()
	require.NoError(h.t, h.DB.Write(h.t.Context(), fn))
}

// standing locks or unlocks an account, as an administrator would.
func (h *fixture) standing(user id.UserID, locked bool) {
	h.t.Helper()
	var pos int64
	h.write(func(tx *storage.Writer) (err error) {
		if err := tx.PutUserFlags(h.t.Context(), user, false, locked, false); err != nil {
			return err
		}
		if pos, err = tx.ReservePosition(h.t.Context()); err != nil {
			return err
		}
		return tx.InsertChange(h.t.Context(), storage.Change{Pos: pos, Kind: string(feed.KindAccess), UserID: string(user)})
	})
	require.NoError(h.t, h.Feed.WaitFor(h.t.Context(), pos))
}
