// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestUncommonStringsRoundTrip: uncommon but allowed strings are returned as they
// were sent, including NUL, which PostgreSQL cannot store as text.
func TestUncommonStringsRoundTrip(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		alice := s.User(t, "alice")
		room := alice.CreateRoom(t, nil)
		odd := "a\x00b\ufffe\u2028<&>\"\\/\U0001F600"

		sent := alice.Send(t, room, odd)
		require.Equal(t, odd, alice.Get(t, harness.Path("v3/rooms/{}/event/{}", room, sent)).At("content", "body").String())

		typed := alice.SendEvent(t, room, "test\x00type", harness.O{"k\x00": 1})
		got := alice.Get(t, harness.Path("v3/rooms/{}/event/{}", room, typed))
		require.Equal(t, "test\x00type", got.At("type").String())
		require.Equal(t, []string{"k\x00"}, got.At("content").Keys())

		for _, key := range []string{"", odd, "a/b", "a%2Fb", "..", alice.ID, "?x=1#y", "+ "} {
			alice.SetState(t, room, "test", key, harness.O{"key": key})
			require.Equal(t, key, alice.State(t, room, "test", key).At("key").String(), "state key %q", key)
		}
		alice.SetState(t, room, "m.room.name", "", harness.O{"name": odd})
		require.Equal(t, odd, alice.State(t, room, "m.room.name", "").At("name").String())

		alice.Put(t, harness.Path("v3/profile/{}/displayname", alice.ID), harness.O{"displayname": odd})
		require.Equal(t, odd, alice.Get(t, harness.Path("v3/profile/{}/displayname", alice.ID)).At("displayname").String())
		alice.Put(t, harness.Path("v3/devices/{}", alice.Device), harness.O{"display_name": odd})
		require.Equal(t, odd, alice.Get(t, harness.Path("v3/devices/{}", alice.Device)).At("display_name").String())
	})
}

// TestNumbersRoundTrip: integers keep all their digits, members their order of
// no meaning, and rooms of the first versions even their floats.
func TestNumbersRoundTrip(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		alice := s.User(t, "alice")
		room := alice.CreateRoom(t, nil)
		for sent, want := range map[string]string{
			"9007199254740991": "9007199254740991", "-9007199254740991": "-9007199254740991",
			"-0": "0", "1e10": "10000000000", "1.0": "1",
		} {
			id := alice.SendEvent(t, room, "test", `{"n":`+sent+`}`)
			require.Equal(t, want, alice.Get(t, harness.Path("v3/rooms/{}/event/{}", room, id)).At("content", "n").Raw(), sent)
		}
		old := alice.CreateRoom(t, harness.O{"room_version": "5"})
		id := alice.SendEvent(t, old, "test", `{"n":1.5}`)
		require.Equal(t, "1.5", alice.Get(t, harness.Path("v3/rooms/{}/event/{}", old, id)).At("content", "n").Raw())
	})
}
