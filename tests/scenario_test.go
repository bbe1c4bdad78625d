// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/harness"
)

// scenario is a long afternoon on one server. It knows nothing of what the
// server answers but what it needs to go on.
func scenario(t *testing.T, s *harness.Server, is *fakeidentity.Server) {
	sceneAnonymous(t, s)
	alice, bob := sceneAccounts(t, s)
	sceneProfiles(t, alice, bob)
	sceneVersions(t, alice, bob)
	sceneCreateRoom(t, alice, bob)
	room := alice.PublicRoom(t, bob)
	sceneMessages(t, alice, bob, room)
	sceneState(t, alice, bob, room)
	sceneMembership(t, s, alice, bob)
	sceneThirdParties(t, is, alice, bob)
	sceneSync(t, alice, bob, room)
	sceneLongPolls(t, alice, bob, room)
	sceneAccountData(t, alice, room)
	scenePushRules(t, alice, room)
	scenePresence(t, alice, bob, room)
	sceneOpenID(t, s, alice)
	sceneKeys(t, alice, bob)
	sceneKeyBackup(t, alice, room)
	sceneErrors(t, alice, room)
	sceneDevices(t, alice, bob)
}

func anonymous(t *testing.T, s *harness.Server, method, path string, body any) *harness.Answer {
	t.Helper()
	return s.Do(t, harness.Request{Method: method, Path: path, Body: body})
}

func sceneAnonymous(t *testing.T, s *harness.Server) {
	for _, path := range []string{
		"/_matrix/client/versions", "/.well-known/matrix/client", "/.well-known/matrix/server", "/.well-known/matrix/support", "/.well-known/matrix/policy_server",
		harness.Path("v3/login"), harness.Path("v3/register/available") + "?username=alice", harness.Path("v3/sync"),
	} {
		anonymous(t, s, http.MethodGet, path, nil)
		anonymous(t, s, http.MethodOptions, path, nil)
	}
}

func sceneAccounts(t *testing.T, s *harness.Server) (alice, bob *harness.User) {
	alice, bob = s.Register(t, "alice"), s.Register(t, "bob")
	register := harness.Path("v3/register")
	anonymous(t, s, http.MethodPost, register, harness.O{"username": "alice", "password": "x", "auth": harness.O{"type": "m.login.dummy"}})
	anonymous(t, s, http.MethodPost, register, harness.O{"username": "not a name", "auth": harness.O{"type": "m.login.dummy"}})
	anonymous(t, s, http.MethodPost, register, harness.O{"password": "p", "auth": harness.O{"type": "m.login.dummy"}})
	anonymous(t, s, http.MethodPost, register, harness.O{"username": "quiet", "password": "p", "inhibit_login": true, "auth": harness.O{"type": "m.login.dummy"}})
	anonymous(t, s, http.MethodGet, harness.Path("v3/register/available")+"?username=alice", nil)
	for _, password := range []string{harness.Password, "wrong"} {
		anonymous(t, s, http.MethodPost, harness.Path("v3/login"), harness.O{
			"type": "m.login.password", "password": password, "identifier": harness.O{"type": "m.id.user", "user": "alice"},
			"initial_device_display_name": "a browser",
		})
	}
	for _, u := range []*harness.User{alice, bob, alice.Login(t, "PHONE")} {
		u.Get(t, harness.Path("v3/account/whoami"))
		u.Get(t, harness.Path("v3/capabilities"))
		for _, path := range []string{"", "global/", "global/override/.m.rule.master", "global/override/.m.rule.master/enabled", "global/override/.m.rule.master/actions"} {
			u.Get(t, harness.Path("v3/pushrules/"+path))
		}
		u.Get(t, harness.Path("v3/joined_rooms"))
		u.Get(t, harness.Path("v3/devices"))
		u.Do(t, http.MethodGet, harness.Path("v3/devices/{}", "PHONE"), nil)
	}
	return alice, bob
}

func sceneProfiles(t *testing.T, alice, bob *harness.User) {
	for key, value := range map[string]string{"displayname": "Alice"} {
		alice.Put(t, harness.Path("v3/profile/{}/{}", alice.ID, key), harness.O{key: value})
	}
	alice.Put(t, harness.Path("v3/profile/{}/avatar_url", alice.ID), harness.O{"avatar_url": "mxc://hs1/picture"})
	alice.Put(t, harness.Path("v3/profile/{}/m.tz", alice.ID), harness.O{"m.tz": "Europe/Berlin"})
	for _, u := range []*harness.User{alice, bob} {
		u.Do(t, http.MethodGet, harness.Path("v3/profile/{}", alice.ID), nil)
		u.Do(t, http.MethodGet, harness.Path("v3/profile/{}/displayname", bob.ID), nil)
		u.Do(t, http.MethodGet, harness.Path("v3/profile/{}/m.tz", alice.ID), nil)
		u.Do(t, http.MethodPut, harness.Path("v3/profile/{}/displayname", bob.ID), harness.O{"displayname": "Bob"})
	}
	alice.Delete(t, harness.Path("v3/profile/{}/m.tz", alice.ID), nil)
	alice.Do(t, http.MethodGet, harness.Path("v3/profile/{}/m.tz", alice.ID), nil)
	alice.Do(t, http.MethodGet, harness.Path("v3/profile/{}", "@nobody:hs1"), nil)
}

// sceneVersions talks a little in a room of each version.
func sceneVersions(t *testing.T, alice, bob *harness.User) {
	for version := 1; version <= 12; version++ {
		room := alice.CreateRoom(t, harness.O{"room_version": fmt.Sprint(version), "preset": "public_chat", "name": fmt.Sprint("version ", version)})
		bob.Join(t, room)
		sent := bob.Send(t, room, "hello")
		alice.Redact(t, room, sent)
		alice.Get(t, harness.Path("v3/rooms/{}/event/{}", room, sent))
		alice.Get(t, harness.Path("v3/rooms/{}/state", room))
		alice.Messages(t, room, "dir", "b", "limit", 5)
		bob.Leave(t, room)
	}
}

func sceneCreateRoom(t *testing.T, alice, bob *harness.User) {
	for _, body := range []harness.O{
		{"preset": "private_chat", "invite": []string{bob.ID}, "is_direct": true},
		{"preset": "trusted_private_chat", "invite": []string{bob.ID}},
		{"preset": "public_chat", "name": "n", "topic": "t", "visibility": "private"},
		{"creation_content": harness.O{"m.federate": false, "org.example": 1}},
		{"initial_state": []harness.O{{"type": "m.room.guest_access", "state_key": "", "content": harness.O{"guest_access": "forbidden"}}}},
		{"power_level_content_override": harness.O{"events_default": 10}},
		{"room_version": "no such version"},
		{"preset": "no such preset"},
	} {
		a := alice.Do(t, http.MethodPost, harness.Path("v3/createRoom"), body)
		if a.Status == http.StatusOK {
			alice.Get(t, harness.Path("v3/rooms/{}/state", a.JSON().At("room_id")))
		}
	}
}

func sceneMessages(t *testing.T, alice, bob *harness.User, room string) {
	var last string
	for i := range 12 {
		u := []*harness.User{alice, bob}[i%2]
		last = u.SendEvent(t, room, "m.room.message", harness.O{"msgtype": "m.text", "body": fmt.Sprint("line ", i), "z": 1, "a": []int{2, 1}})
		u.Get(t, harness.Path("v3/rooms/{}/event/{}", room, last))
	}
	again := harness.Path("v3/rooms/{}/send/m.room.message/{}", room, "again")
	alice.Put(t, again, harness.Text("once"))
	alice.Put(t, again, harness.Text("once"))
	for _, dir := range []string{"b", "f"} {
		alice.AllMessages(t, room, dir, 7)
	}
	bob.Redact(t, room, last)
	alice.Redact(t, room, last)
	bob.Messages(t, room, "dir", "b", "limit", 3, "filter", harness.Filter(harness.O{"lazy_load_members": true}))
	bob.Do(t, http.MethodPut, harness.Path("v3/rooms/{}/redact/{}/{}", room, "$none", "x"), harness.O{})
	bob.Do(t, http.MethodGet, harness.Path("v3/rooms/{}/event/{}", room, "$none"), nil)
}

func sceneState(t *testing.T, alice, bob *harness.User, room string) {
	for i, topic := range []string{"one", "two", "two"} {
		alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": topic})
		alice.SetState(t, room, "org.example", fmt.Sprint("key/", i), harness.O{"i": i})
	}
	bob.Do(t, http.MethodPut, harness.Path("v3/rooms/{}/state/m.room.topic/", room), harness.O{"topic": "mine"})
	for _, u := range []*harness.User{alice, bob} {
		u.Get(t, harness.Path("v3/rooms/{}/state", room))
		u.State(t, room, "m.room.topic", "")
		u.Get(t, harness.Path("v3/rooms/{}/state/m.room.topic", room)+"?format=event")
		u.Do(t, http.MethodGet, harness.Path("v3/rooms/{}/state/m.room.none/", room), nil)
		u.Get(t, harness.Path("v3/rooms/{}/members", room))
		u.Get(t, harness.Path("v3/rooms/{}/members", room)+"?membership=join")
		u.Get(t, harness.Path("v3/rooms/{}/members", room)+"?not_membership=join")
		u.Get(t, harness.Path("v3/rooms/{}/joined_members", room))
	}
}

func sceneMembership(t *testing.T, s *harness.Server, alice, bob *harness.User) {
	carol := s.Register(t, "carol")
	room := alice.CreateRoom(t, harness.O{"preset": "private_chat", "name": "private"})
	step := func(u *harness.User, verb string, body harness.O) {
		u.Do(t, http.MethodPost, harness.Path("v3/rooms/{}/{}", room, verb), body)
		carol.Sync(t)
	}
	step(carol, "join", harness.O{})
	step(alice, "invite", harness.O{"user_id": carol.ID, "reason": "come"})
	step(carol, "leave", harness.O{"reason": "no"})
	step(alice, "invite", harness.O{"user_id": carol.ID})
	step(carol, "join", harness.O{"reason": "well"})
	step(carol, "kick", harness.O{"user_id": alice.ID})
	step(alice, "kick", harness.O{"user_id": carol.ID, "reason": "out"})
	step(carol, "forget", harness.O{})
	step(alice, "ban", harness.O{"user_id": carol.ID})
	step(alice, "invite", harness.O{"user_id": carol.ID})
	step(alice, "unban", harness.O{"user_id": carol.ID})
	step(alice, "unban", harness.O{"user_id": carol.ID})
	step(alice, "invite", harness.O{"user_id": carol.ID})
	carol.Post(t, harness.Path("v3/join/{}", room), harness.O{})
	step(bob, "join", harness.O{})
	step(alice, "leave", harness.O{})
	alice.Do(t, http.MethodGet, harness.Path("v3/rooms/{}/messages", room)+"?dir=b", nil)
}

func sceneThirdParties(t *testing.T, is *fakeidentity.Server, alice, bob *harness.User) {
	is.Bind("email", "bob@example.org", id.UserID(bob.ID))
	room := alice.CreateRoom(t, harness.O{"invite_3pid": []any{is.Ask("email", "bob@example.org"), is.Ask("email", "robert@example.org")}})
	bob.Leave(t, room)
	for _, address := range []string{"bob@example.org", "robert@example.org"} {
		alice.Do(t, http.MethodPost, harness.Path("v3/rooms/{}/invite", room), is.Ask("email", address))
	}
	bob.Leave(t, room)
	for _, token := range []string{"token-1", "token-2", "token-3"} {
		signed := is.Sign(id.UserID(alice.ID), id.UserID(bob.ID), "token-2", false)
		signed["token"] = token
		bob.Do(t, http.MethodPost, harness.Path("v3/join/{}", room), harness.O{"third_party_signed": signed})
	}
	alice.AllMessages(t, room, "f", 50)
}

func sceneSync(t *testing.T, alice, bob *harness.User, room string) {
	filter := bob.Post(t, harness.Path("v3/user/{}/filter", bob.ID), harness.O{"room": harness.O{"timeline": harness.O{"limit": 2}}}).At("filter_id").String()
	bob.Get(t, harness.Path("v3/user/{}/filter/{}", bob.ID, filter))
	since := bob.Sync(t, "filter", filter).At("next_batch").String()
	for i := range 6 {
		for range i % 4 {
			alice.Send(t, room, "news")
		}
		if i == 4 {
			alice.SetState(t, room, "m.room.name", "", harness.O{"name": "renamed"})
		}
		v := bob.Sync(t, "since", since, "filter", filter)
		bob.Sync(t, "since", since, "filter", lazy(3, false))
		bob.Sync(t, "since", since, "use_state_after", true, "filter", filter)
		since = v.At("next_batch").String()
	}
	bob.Sync(t, "since", since, "full_state", true)
	bob.Sync(t, "since", since, "timeout", 30)
	bob.Sync(t)
	alice.Sync(t, "filter", harness.Filter(harness.O{"room": harness.O{"include_leave": true}}))
}

// sceneLongPolls waits with one client until another does something.
func sceneLongPolls(t *testing.T, alice, bob *harness.User, room string) {
	since := bob.Since(t)
	for i := range 5 {
		answers := waiting(t, bob, since)
		if i%2 == 0 {
			alice.Send(t, room, "wake up")
		} else {
			alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": fmt.Sprint("topic ", i)})
		}
		since = await(t, answers).At("next_batch").String()
	}
	bob.Sync(t, "since", since, "timeout", 50)
}

func sceneErrors(t *testing.T, alice *harness.User, room string) {
	w := fixture{alice, room}
	// The rows of badJSON come in the order of a map, so they are sent by name: a
	// transcript must not depend on that order.
	for _, body := range []string{`{"a":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `{"a":1.5}`, `{"a":9007199254740992}`, `[]`, ``, `nul`} {
		alice.Server.Do(t, w.put(harness.Path("v3/rooms/{}/send/m.room.message/{}", room, "bad"), body))
	}
	for _, row := range append(w.badRoutes(), w.badMembers()...) {
		if row.status != http.StatusOK {
			alice.Server.Do(t, row.request)
		}
	}
	alice.On(alice.Server).Do(t, http.MethodGet, harness.Path("v3/rooms/{}/state", "!none:hs1"), nil)
	stranger := *alice
	stranger.Token = "nonsense"
	stranger.Do(t, http.MethodGet, harness.Path("v3/sync"), nil)
}

func sceneDevices(t *testing.T, alice, bob *harness.User) {
	tablet := alice.Login(t, "TABLET")
	tablet.Put(t, harness.Path("v3/devices/TABLET"), harness.O{"display_name": "the tablet"})
	tablet.Get(t, harness.Path("v3/devices/TABLET"))
	alice.Login(t, "OLD")
	authenticated(t, alice, http.MethodDelete, harness.Path("v3/devices/OLD"), harness.O{})
	authenticated(t, alice, http.MethodPost, harness.Path("v3/delete_devices"), harness.O{"devices": []string{"TABLET"}})
	tablet.Do(t, http.MethodGet, harness.Path("v3/account/whoami"), nil)
	bob.Login(t, "PHONE").Post(t, harness.Path("v3/logout"), nil)
	bob.Post(t, harness.Path("v3/logout/all"), nil)
	bob.Do(t, http.MethodGet, harness.Path("v3/sync"), nil)
}

// authenticated does what needs the password again.
func authenticated(t *testing.T, u *harness.User, method, path string, body harness.O) {
	t.Helper()
	a := u.Do(t, method, path, body)
	require.Equal(t, http.StatusUnauthorized, a.Status, a)
	body["auth"] = harness.O{
		"type": "m.login.password", "session": a.JSON().At("session"), "password": harness.Password,
		"identifier": harness.O{"type": "m.id.user", "user": u.ID},
	}
	require.Equal(t, http.StatusOK, u.Do(t, method, path, body).Status)
}
