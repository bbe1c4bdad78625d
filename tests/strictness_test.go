// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestStrictnessRules shows both sides of each strictness rule that changes
// behaviour: the specification's under the profile strict, and what Complement and
// deployed clients need under synapse.
func TestStrictnessRules(t *testing.T) {
	for _, profile := range []struct {
		name   string
		letter bool
	}{{"strict", true}, {"synapse", false}} {
		t.Run(profile.name, func(t *testing.T) {
			s := harness.Start(t, harness.Options{Settings: []string{"TOUCHSTONE_STRICTNESS_PROFILE=" + profile.name}})
			s.Unchecked = !profile.letter // a departure may show in an answer
			for name, check := range departures {
				t.Run(name, func(t *testing.T) { check(t, s, profile.letter) })
			}
		})
	}
}

var departures = map[string]func(t *testing.T, s *harness.Server, letter bool){
	"body-missing": func(t *testing.T, s *harness.Server, letter bool) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		room := alice.PublicRoom(t)
		answer := bob.Do(t, "POST", harness.Path("v3/rooms/{}/join", room), nil)
		require.Equal(t, pick(letter, 400, 200), answer.Status)
		if letter {
			require.Equal(t, "M_NOT_JSON", answer.JSON().At("errcode").String())
		}
	},
	"device-keys-same": func(t *testing.T, s *harness.Server, letter bool) {
		alice := newKeyOwner(s.User(t, "alice"))
		alice.upload(t)
		alice.key = signingKey("another")
		answer := alice.Do(t, "POST", harness.Path("v3/keys/upload"), harness.O{
			"device_keys": signed(t, alice.identity(), alice.ID, alice.Device, alice.key)})
		require.Equal(t, pick(letter, 400, 200), answer.Status)
	},
	"device-keys-signed": func(t *testing.T, s *harness.Server, letter bool) {
		alice := newKeyOwner(s.User(t, "alice"))
		keys := alice.identity()
		keys["signatures"] = harness.O{}
		answer := alice.Do(t, "POST", harness.Path("v3/keys/upload"), harness.O{"device_keys": keys})
		require.Equal(t, pick(letter, 400, 200), answer.Status)
	},
	"event-fields": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		room := alice.CreateRoom(t, nil)
		alice.Send(t, room, "hello")
		f := harness.Filter(harness.O{"event_fields": []string{"content.body"}})
		event := alice.Sync(t, "filter", f).At("rooms", "join", room, "timeline", "events", -1)
		want := []string{"content"}
		if letter {
			want = []string{"content", "event_id", "origin_server_ts", "sender", "type"}
		}
		require.Equal(t, want, event.Keys())
		require.Equal(t, []string{"body"}, event.At("content").Keys())
	},
	"forgotten-leave": func(t *testing.T, s *harness.Server, letter bool) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		room := alice.PublicRoom(t, bob)
		since := bob.Since(t)
		bob.Leave(t, room)
		bob.Forget(t, room)
		require.Equal(t, !letter, bob.Sync(t, "since", since).At("rooms", "leave", room).Exists())
		require.False(t, bob.Sync(t).At("rooms", "leave", room).Exists(), "an initial sync never shows it")
	},
	"guest-join-by-name": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "initial_state": []harness.O{
			harness.O{"type": "m.room.guest_access", "content": harness.O{"guest_access": "can_join"}}}})
		shut := alice.PublicRoom(t)
		guest := s.Guest(t)
		answer := guest.Do(t, "POST", harness.Path("v3/join/{}", room), harness.O{})
		require.Equal(t, pick(letter, 403, 200), answer.Status)
		require.Equal(t, 403, guest.Do(t, "POST", harness.Path("v3/join/{}", shut), harness.O{}).Status)
		require.Equal(t, 200, guest.Do(t, "POST", harness.Path("v3/rooms/{}/join", room), harness.O{}).Status)
	},
	"join-extra-content": func(t *testing.T, s *harness.Server, letter bool) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		room := alice.PublicRoom(t)
		bob.Post(t, harness.Path("v3/join/{}", room), harness.O{"foo": "bar", "membership": "ban"})
		member := alice.State(t, room, "m.room.member", bob.ID)
		require.Equal(t, !letter, member.At("foo").Exists())
		require.Equal(t, "join", member.At("membership").String())
	},
	"joined-limited": func(t *testing.T, s *harness.Server, letter bool) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		room := alice.PublicRoom(t)
		since := bob.Since(t)
		bob.Join(t, room)
		f := harness.Filter(harness.O{"room": harness.O{"timeline": harness.O{"limit": 50}}})
		timeline := bob.Sync(t, "since", since, "filter", f).At("rooms", "join", room, "timeline")
		require.Equal(t, !letter, timeline.At("limited").Bool())
	},
	"joined-profile": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		room := alice.CreateRoom(t, nil)
		member := alice.Get(t, harness.Path("v3/rooms/{}/joined_members", room)).At("joined", alice.ID)
		require.Equal(t, !letter, member.At("avatar_url").Exists())
	},
	"messages-without-dir": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		room := alice.CreateRoom(t, nil)
		answer := alice.Do(t, "GET", harness.Path("v3/rooms/{}/messages", room), nil)
		require.Equal(t, pick(letter, 400, 200), answer.Status)
		if letter {
			require.Equal(t, "M_MISSING_PARAM", answer.JSON().At("errcode").String())
		}
	},
	"null-lists": func(t *testing.T, s *harness.Server, letter bool) {
		alice := newKeyOwner(s.User(t, "alice"))
		alice.upload(t)
		answer := alice.Do(t, "POST", harness.Path("v3/keys/query"), harness.O{"device_keys": harness.O{alice.ID: nil}})
		require.Equal(t, pick(letter, 400, 200), answer.Status)
		require.Equal(t, !letter, answer.JSON().At("device_keys", alice.ID, alice.Device).Exists())
	},
	"profile-avatar-empty": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		answer := alice.Do(t, "PUT", harness.Path("v3/profile/{}/avatar_url", alice.ID), harness.O{"avatar_url": ""})
		require.Equal(t, pick(letter, 400, 200), answer.Status)
	},
	"profile-avatar-url": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		answer := alice.Do(t, "PUT", harness.Path("v3/profile/{}/avatar_url", alice.ID), harness.O{"avatar_url": "no picture"})
		require.Equal(t, pick(letter, 400, 200), answer.Status)
	},
	"profile-unset": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		for _, field := range []string{"displayname", "avatar_url"} {
			alice.Do(t, "DELETE", harness.Path("v3/profile/{}/{}", alice.ID, field), nil)
			answer := alice.Do(t, "GET", harness.Path("v3/profile/{}/{}", alice.ID, field), nil)
			require.Equal(t, pick(letter, 404, 200), answer.Status)
			if !letter {
				require.Equal(t, "{}", string(answer.Body))
			}
			alice.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/profile/{}/{}", "@nobody:hs1", field), nil)
		}
		alice.Fails(t, 404, "M_NOT_FOUND", "GET", harness.Path("v3/profile/{}/com.example.x", alice.ID), nil)
	},
	"state-idempotent": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		room := alice.CreateRoom(t, nil)
		first := alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "same"})
		again := alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "same"})
		require.Equal(t, letter, first != again)
		require.NotEqual(t, again, alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "other"}))
	},
	"unstable-twins": func(t *testing.T, s *harness.Server, letter bool) {
		alice := s.User(t, "alice")
		for _, path := range []string{"unstable/keys/device_signing/upload", "unstable/keys/signatures/upload"} {
			require.Equal(t, pick(letter, 404, 200), alice.Do(t, "POST", harness.Path(path), harness.O{}).Status)
		}
	},
}

func pick(letter bool, strict, otherwise int) int {
	if letter {
		return strict
	}
	return otherwise
}

// TestCreatorPowerLevel: the profile lenient removes creators from a new room's
// power levels and logs that, the other profiles refuse them, and in no profile can
// the power levels of an existing room name a creator.
func TestCreatorPowerLevel(t *testing.T) {
	for profile, status := range map[string]int{"strict": 400, "lenient": 200, "synapse": 400} {
		t.Run(profile, func(t *testing.T) {
			s := harness.Start(t, harness.Options{Settings: []string{"TOUCHSTONE_STRICTNESS_PROFILE=" + profile}})
			alice := s.User(t, "alice")
			levels := harness.O{"users": harness.O{alice.ID: 100}}
			answer := alice.Do(t, "POST", harness.Path("v3/createRoom"), harness.O{"power_level_content_override": levels})
			require.Equal(t, status, answer.Status, answer)
			if status == 200 {
				room := answer.JSON().At("room_id").String()
				require.Equal(t, "{}", alice.State(t, room, "m.room.power_levels", "").At("users").String())
			}
			room := alice.CreateRoom(t, nil)
			answer = alice.Do(t, "PUT", harness.Path("v3/rooms/{}/state/m.room.power_levels/", room), levels)
			require.Equal(t, 400, answer.Status, answer)
		})
	}
}

// TestForgottenRoomIsNotSynced under the default profile: only Complement wants to
// see its leave.
func TestForgottenRoomIsNotSynced(t *testing.T) {
	s := harness.Start(t, harness.Options{Settings: []string{"TOUCHSTONE_STRICTNESS_PROFILE=lenient"}})
	departures["forgotten-leave"](t, s, true)
}

// TestComplementRegressions are behaviours that its suite found missing.
func TestComplementRegressions(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	t.Run("members at prev_batch are those of the moment of the sync", func(t *testing.T) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		room := alice.PublicRoom(t)
		at := alice.Sync(t).At("rooms", "join", room, "timeline", "prev_batch").String()
		bob.Join(t, room)
		chunk := alice.Get(t, harness.Path("v3/rooms/{}/members", room)+harness.Query("at", at)).At("chunk").List()
		require.Len(t, chunk, 1)
		require.Equal(t, alice.ID, chunk[0].At("state_key").String())
	})
	t.Run("a canonical alias leads to its room", func(t *testing.T) {
		alice := s.User(t, "alice")
		name := s.Unique("alias")
		own := alice.CreateRoom(t, harness.O{"room_alias_name": name})
		other := alice.CreateRoom(t, nil)
		set := func(room, alias string, status int, errcode string) {
			path := harness.Path("v3/rooms/{}/state/m.room.canonical_alias/", room)
			alice.Fails(t, status, errcode, "PUT", path, harness.O{"alias": alias})
		}
		set(other, "#"+name+":hs1", 400, "M_BAD_ALIAS")
		set(other, "#nobody-made-it:hs1", 400, "M_BAD_ALIAS")
		set(other, "%no-alias:hs1", 400, "M_INVALID_PARAM")
		alice.SetState(t, own, "m.room.canonical_alias", "", harness.O{"alt_aliases": []string{"#" + name + ":hs1"}})
	})
	t.Run("unsigned.membership is leave before anybody invited", func(t *testing.T) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		room := alice.PublicRoom(t)
		before := alice.Send(t, room, "before")
		bob.Join(t, room)
		event := bob.Get(t, harness.Path("v3/rooms/{}/event/{}", room, before))
		require.Equal(t, "leave", event.At("unsigned", "membership").String())
	})
	t.Run("two rooms made alike at one instant are two", func(t *testing.T) {
		frozen := harness.Start(t, harness.Options{Clock: "2026-01-02T03:04:05Z", Seed: "x"})
		alice := frozen.User(t, "alice")
		require.NotEqual(t, alice.CreateRoom(t, nil), alice.CreateRoom(t, nil))
	})
}
