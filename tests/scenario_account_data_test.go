// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// sceneAccountData sets what a user keeps for all of their devices.
func sceneAccountData(t *testing.T, alice *harness.User, room string) {
	since := alice.Since(t)
	for _, path := range []string{
		harness.Path("v3/user/{}/account_data/org.example.note", alice.ID),
		harness.Path("v3/user/{}/rooms/{}/account_data/org.example.note", alice.ID, room),
	} {
		alice.Put(t, path, harness.O{"note": "mine"})
		require.Equal(t, "mine", alice.Get(t, path).At("note").String())
	}
	tags := harness.Path("v3/user/{}/rooms/{}/tags", alice.ID, room)
	alice.Put(t, tags+"/m.favourite", harness.O{"order": 0.25})
	alice.Put(t, tags+"/u.work", harness.O{})
	alice.Delete(t, tags+"/u.work", nil)
	require.Equal(t, []string{"m.favourite"}, alice.Get(t, tags).At("tags").Keys())
	alice.Sync(t, "since", since)
}

// scenePushRules makes a rule, changes it and removes it.
func scenePushRules(t *testing.T, alice *harness.User, room string) {
	rule := harness.Path("v3/pushrules/global/room/{}", room)
	alice.Put(t, rule, harness.O{"actions": []any{"notify"}})
	alice.Put(t, rule+"/actions", harness.O{"actions": []any{}})
	alice.Put(t, rule+"/enabled", harness.O{"enabled": false})
	got := alice.Get(t, rule)
	require.Empty(t, got.At("actions").List())
	require.False(t, got.At("enabled").Bool())
	alice.Delete(t, rule, nil)
	require.Equal(t, http.StatusNotFound, alice.Do(t, http.MethodGet, rule, nil).Status)
}

// scenePresence shows one user what another does.
func scenePresence(t *testing.T, alice, bob *harness.User, room string) {
	status := harness.Path("v3/presence/{}/status", alice.ID)
	alice.Put(t, status, harness.O{"presence": "online", "status_msg": "here"})
	bob.Get(t, status)

	event := bob.Send(t, room, "read this")
	since := bob.Since(t)
	alice.Post(t, harness.Path("v3/rooms/{}/receipt/m.read/{}", room, event), harness.O{"thread_id": "main"})
	alice.Post(t, harness.Path("v3/rooms/{}/read_markers", room), harness.O{"m.fully_read": event, "m.read.private": event})
	marker := alice.Get(t, harness.Path("v3/user/{}/rooms/{}/account_data/m.fully_read", alice.ID, room))
	require.Equal(t, event, marker.At("event_id").String())
	typing := harness.Path("v3/rooms/{}/typing/{}", room, alice.ID)
	alice.Put(t, typing, harness.O{"typing": true, "timeout": 30000})
	got := bob.Sync(t, "since", since)
	require.ElementsMatch(t, []string{"m.receipt", "m.typing"}, got.At("rooms", "join", room, "ephemeral", "events").Pluck("type"), got)
	alice.Put(t, typing, harness.O{"typing": false})
	bob.Sync(t, "since", got.At("next_batch").String())
}

// sceneOpenID proves to another service who the user is.
func sceneOpenID(t *testing.T, s *harness.Server, alice *harness.User) {
	token := alice.Post(t, harness.Path("v3/user/{}/openid/request_token", alice.ID), harness.O{}).At("access_token").String()
	a := anonymous(t, s, http.MethodGet, "/_matrix/federation/v1/openid/userinfo"+harness.Query("access_token", token), nil)
	require.Equal(t, alice.ID, a.JSON().At("sub").String(), a)
}
