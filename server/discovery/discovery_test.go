// SPDX-License-Identifier: Apache-2.0

package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/extraapi"
	"touchstone.example/generated/fedapi"
	"touchstone.example/server/config"
	"touchstone.example/server/discovery"
	"touchstone.example/spec"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

func newRouter(t *testing.T, db *storage.DB, known config.WellKnown) *api.Router {
	return routerOf(t, db, known, func(context.Context) error { return nil })
}

func routerOf(t *testing.T, db *storage.DB, known config.WellKnown, writable func(context.Context) error) *api.Router {
	d := &discovery.Discovery{DB: db, Writable: writable, WellKnown: known, Program: "1.2.3", RoomVersion: "11"}
	r := slicetest.New(t, db).Router(t, api.Config{Auth: slicetest.Tokens()})
	clientapi.MountVersions(r, d)
	clientapi.MountWellknown(r, d)
	clientapi.MountSupport(r, d)
	clientapi.MountPolicyServer(r, d)
	clientapi.MountCapabilities(r, d)
	fedapi.MountWellknown(r, d)
	fedapi.MountVersion(r, d)
	extraapi.MountHealth(r, d)
	return r
}

func TestDiscovery(t *testing.T) {
	r := newRouter(t, storagetest.Open(t), config.WellKnown{Client: "https://matrix.hs1", Server: "fed.hs1:443"})
	get := func(path, token string) slicetest.Answer {
		t.Helper()
		a := slicetest.Do(t, r, "GET", path, token, nil)
		require.Equal(t, 200, a.Status, a)
		return a
	}
	const versions = "/_matrix/client/versions"
	require.Equal(t, get(versions, "").Body, get(versions, "alice").Body)
	require.Contains(t, get(versions, "").At("versions"), fmt.Sprintf("%q]", spec.Version), "the newest is the last")
	require.Equal(t, `{"m.homeserver":{"base_url":"https://matrix.hs1"}}`, get("/.well-known/matrix/client", "").Body)
	require.Equal(t, `{"m.server":"fed.hs1:443"}`, get("/.well-known/matrix/server", "").Body)
	require.Equal(t, `{"server":{"name":"Touchstone","version":"1.2.3"}}`, get("/_matrix/federation/v1/version", "").Body)
	require.Equal(t, `{"status":"ok"}`, get("/health", "").Body)

	c := get(slicetest.Path("v3/capabilities"), "alice")
	require.Equal(t, "11", c.At("capabilities", "m.room_versions", "default"))
	for n := 1; n <= 12; n++ {
		require.Equal(t, "stable", c.At("capabilities", "m.room_versions", "available", fmt.Sprint(n)))
	}
	for name, enabled := range map[string]string{
		"m.change_password": "false", "m.3pid_changes": "false", "m.get_login_token": "false",
		"m.set_displayname": "true", "m.set_avatar_url": "true", "m.profile_fields": "true",
	} {
		require.Equal(t, enabled, c.At("capabilities", name, "enabled"), name)
	}
}

func TestDiscoveryRefuses(t *testing.T) {
	slicetest.Table(t, newRouter(t, storagetest.Open(t), config.WellKnown{}), []slicetest.Row{
		{Name: "capabilities with no token", Method: "GET", Path: slicetest.Path("v3/capabilities"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
		{Name: "where clients go, unsaid", Method: "GET", Path: "/.well-known/matrix/client", Status: 404, ErrCode: "M_NOT_FOUND"},
		{Name: "where servers go, unsaid", Method: "GET", Path: "/.well-known/matrix/server", Status: 404, ErrCode: "M_NOT_FOUND"},
		{Name: "whom to ask, unsaid", Method: "GET", Path: "/.well-known/matrix/support", Status: 404, ErrCode: "M_NOT_FOUND"},
		{Name: "a policy server, which this is not", Method: "GET", Path: "/.well-known/matrix/policy_server", Status: 404, ErrCode: "M_NOT_FOUND"},
	})
}

// TestHealth checks that a server without its database reports an error.
func TestHealth(t *testing.T) {
	db, err := storage.Open(t.Context(), "sqlite::memory:", storage.Options{})
	require.NoError(t, err)
	r := newRouter(t, db, config.WellKnown{})
	require.Equal(t, 200, slicetest.Do(t, r, "GET", "/health", "", nil).Status)
	full := routerOf(t, db, config.WellKnown{}, func(context.Context) error { return errors.New("full") })
	answer := slicetest.Do(t, full, "GET", "/health", "", nil)
	require.Equal(t, 503, answer.Status)
	require.Contains(t, answer.Body, "is its disk full?")
	require.NoError(t, db.Close())
	require.Equal(t, 503, slicetest.Do(t, r, "GET", "/health", "", nil).Status)
}
