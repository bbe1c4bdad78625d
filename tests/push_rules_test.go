// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// pushRules are the rules that a sync tells of.
func pushRules(sync harness.Value) harness.Value {
	for _, ev := range sync.At("account_data", "events").List() {
		if ev.At("type").String() == "m.push_rules" {
			return ev.At("content")
		}
	}
	return harness.Value{}
}

// TestPushRulesInSync: the first sync tells all rules, and each change ends the wait
// of the user's devices.
func TestPushRulesInSync(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		alice := s.User(t, "alice")
		tablet := alice.Login(t, "TABLET")
		first := alice.Sync(t)
		require.JSONEq(t, alice.Get(t, "/_matrix/client/v3/pushrules/").Raw(), pushRules(first).Raw())
		since := first.At("next_batch").String()
		rule := harness.Path("v3/pushrules/global/room/{}", "!foo:example.com")
		for _, change := range []func(){
			func() { tablet.Put(t, rule, harness.O{"actions": []any{"notify"}}) },
			func() { tablet.Put(t, rule+"/enabled", harness.O{"enabled": false}) },
			func() { tablet.Put(t, rule+"/enabled", harness.O{"enabled": true}) },
			func() { tablet.Put(t, rule+"/actions", harness.O{"actions": []any{"dont_notify"}}) },
			func() { tablet.Delete(t, rule, nil) },
		} {
			var waiting sync.WaitGroup
			var answer harness.Value
			waiting.Go(func() { answer = alice.Sync(t, "since", since, "timeout", 20000) })
			change()
			waiting.Wait()
			require.JSONEq(t, alice.Get(t, "/_matrix/client/v3/pushrules/").Raw(), pushRules(answer).Raw())
			since = answer.At("next_batch").String()
		}
	})
}

// TestPushRulesCount: what a member's own rules say is in the same answer as the
// event.
func TestPushRulesCount(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		room := alice.PublicRoom(t, bob)
		counts := func(since string) (string, string) {
			answer := bob.Sync(t, "since", since)
			n := answer.At("rooms", "join", room, "unread_notifications")
			return fmt.Sprint(n.At("notification_count"), " ", n.At("highlight_count")), answer.At("next_batch").String()
		}
		since := bob.Since(t)
		var now string
		alice.Send(t, room, "by the default rules")
		now, since = counts(since)
		require.Equal(t, "1 0", now)
		bob.Put(t, harness.Path("v3/pushrules/global/room/{}", room), harness.O{"actions": []any{}})
		alice.Send(t, room, "silenced")
		now, since = counts(since)
		require.Equal(t, "1 0", now)
		bob.Put(t, harness.Path("v3/pushrules/global/content/tea"), harness.O{"pattern": "tea", "actions": []any{"notify", harness.O{"set_tweak": "highlight"}}})
		alice.Send(t, room, "Tea?")
		now, _ = counts(since)
		require.Equal(t, "2 1", now)
	})
}

// TestOpenIDTokenOpensNothingElse: it is no access token, and access tokens are none
// of its kind.
func TestOpenIDTokenOpensNothingElse(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		alice := s.User(t, "alice")
		token := alice.Post(t, harness.Path("v3/user/{}/openid/request_token", alice.ID), harness.O{}).At("access_token").String()
		userinfo := func(token string) *harness.Answer {
			return s.Do(t, harness.Request{Method: http.MethodGet, Path: "/_matrix/federation/v1/openid/userinfo" + harness.Query("access_token", token)})
		}
		require.Equal(t, alice.ID, userinfo(token).JSON().At("sub").String())
		require.Equal(t, 401, userinfo(alice.Token).Status)
		for _, r := range []harness.Request{
			{Method: http.MethodGet, Path: "/_matrix/client/v3/sync"},
			{Method: http.MethodGet, Path: "/_matrix/client/v3/account/whoami"},
			{Method: http.MethodPost, Path: harness.Path("v3/user/{}/openid/request_token", alice.ID), Body: harness.O{}},
		} {
			r.Token = token
			a := s.Do(t, r)
			require.Equal(t, 401, a.Status, a)
			require.Equal(t, "M_UNKNOWN_TOKEN", a.JSON().At("errcode").String())
		}
	})
}

// TestPollRulesHaveASwitch, which /versions tells of.
func TestPollRulesHaveASwitch(t *testing.T) {
	const rule = "/_matrix/client/v3/pushrules/global/underride/.org.matrix.msc3930.rule.poll_start"
	on := harness.Start(t, harness.Options{Settings: []string{"TOUCHSTONE_UNSTABLE=msc3930"}})
	require.True(t, on.Do(t, harness.Request{Method: http.MethodGet, Path: "/_matrix/client/versions"}).JSON().At("unstable_features", "org.matrix.msc3930").Bool())
	require.True(t, on.User(t, "alice").Get(t, rule).At("default").Bool())
	off := harness.Start(t, harness.Options{})
	require.False(t, off.Do(t, harness.Request{Method: http.MethodGet, Path: "/_matrix/client/versions"}).JSON().At("unstable_features").Exists())
	off.User(t, "alice").Fails(t, 404, "M_NOT_FOUND", http.MethodGet, rule, nil)
}
