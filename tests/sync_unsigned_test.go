// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var unsignedCases = []syncCase{
	{"the transaction id is told to the device that sent, only", transactionID},
	{"a repeated transaction sends nothing", transactionRepeats},
	{"a transaction belongs to one device, room and type", transactionScope},
	{"state events say what they replace", replacesState},
	{"a redacted event says by what", redactedBecause},
	{"events have an age", eventsHaveAge},
}

func transactionID(t *testing.T, s *harness.Server) {
	phone, bob := s.User(t, "alice"), s.User(t, "bob")
	tablet := phone.Login(t, "TABLET")
	room := phone.PublicRoom(t, bob)
	since := map[*harness.User]string{phone: phone.Since(t), tablet: tablet.Since(t), bob: bob.Since(t)}
	txn := harness.Txn()
	sent := phone.Put(t, harness.Path("v3/rooms/{}/send/m.room.message/{}", room, txn), harness.Text("hi")).At("event_id").String()
	for reader, from := range since {
		want := ""
		if reader == phone {
			want = txn
		}
		for _, ev := range []harness.Value{
			harness.Timeline(reader.Sync(t, "since", from), room)[0],
			reader.Messages(t, room, "dir", "b", "limit", 1).At("chunk", 0),
			reader.Get(t, harness.Path("v3/rooms/{}/event/{}", room, sent)),
		} {
			require.Equal(t, sent, ev.At("event_id").String())
			require.Equal(t, want, ev.At("unsigned", "transaction_id").String(), "to %s on %s", reader.ID, reader.Device)
		}
	}
}

func transactionRepeats(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	since := alice.Since(t)
	txn := harness.Txn()
	path := harness.Path("v3/rooms/{}/send/m.room.message/{}", room, txn)
	first := alice.Put(t, path, harness.Text("one")).At("event_id").String()
	require.Equal(t, first, alice.Put(t, path, harness.Text("one")).At("event_id").String())
	require.Equal(t, first, alice.Put(t, path, harness.Text("another text")).At("event_id").String())
	require.Equal(t, []string{first}, harness.IDs(harness.Timeline(alice.Sync(t, "since", since), room)))

	redact := harness.Path("v3/rooms/{}/redact/{}/{}", room, first, txn)
	redaction := alice.Put(t, redact, harness.O{}).At("event_id").String()
	require.NotEqual(t, first, redaction, "redacting is another endpoint")
	require.Equal(t, redaction, alice.Put(t, redact, harness.O{}).At("event_id").String())
}

func transactionScope(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	tablet := alice.Login(t, "TABLET")
	one, two := alice.CreateRoom(t, nil), alice.CreateRoom(t, nil)
	txn := harness.Txn()
	ids := map[string]bool{}
	for _, send := range []struct {
		u         *harness.User
		room, typ string
	}{{alice, one, "a"}, {tablet, one, "a"}, {alice, two, "a"}, {alice, one, "b"}} {
		ids[send.u.Put(t, harness.Path("v3/rooms/{}/send/{}/{}", send.room, send.typ, txn), harness.O{}).At("event_id").String()] = true
	}
	require.Len(t, ids, 4)

	// A device that logs in again under its ID is the same device.
	first := alice.Put(t, harness.Path("v3/rooms/{}/send/c/{}", one, txn), harness.O{}).At("event_id").String()
	again := alice.Login(t, alice.Device)
	require.Equal(t, first, again.Put(t, harness.Path("v3/rooms/{}/send/c/{}", one, txn), harness.O{}).At("event_id").String())
}

func replacesState(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	first := alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "one"})
	since := bob.Since(t)
	alice.SetState(t, room, "m.room.topic", "", harness.O{"topic": "two"})
	ev := harness.Timeline(bob.Sync(t, "since", since), room)[0]
	require.Equal(t, "one", ev.At("unsigned", "prev_content", "topic").String())
	require.Equal(t, first, ev.At("unsigned", "replaces_state").String())
	require.False(t, ev.At("prev_content").Exists())
}

func redactedBecause(t *testing.T, s *harness.Server) {
	alice, bob := s.User(t, "alice"), s.User(t, "bob")
	room := alice.PublicRoom(t, bob)
	sent := alice.Send(t, room, "mistake")
	since := bob.Since(t)
	redaction := alice.Redact(t, room, sent)
	seen := harness.Timeline(bob.Sync(t, "since", since), room)
	require.Equal(t, []string{redaction}, harness.IDs(seen))
	require.Equal(t, sent, seen[0].At("redacts").String(), "both places, for older clients")
	require.Equal(t, sent, seen[0].At("content", "redacts").String())

	for _, ev := range []harness.Value{
		bob.Get(t, harness.Path("v3/rooms/{}/event/{}", room, sent)),
		bob.Messages(t, room, "dir", "b", "limit", 2).At("chunk", 1),
		harness.Timeline(bob.Sync(t, "filter", limit(2)), room)[0],
	} {
		require.Equal(t, sent, ev.At("event_id").String())
		require.Equal(t, "{}", ev.At("content").Raw())
		require.Equal(t, redaction, ev.At("unsigned", "redacted_because", "event_id").String())
		require.Equal(t, ev.At("room_id").Raw(), ev.At("unsigned", "redacted_because", "room_id").Raw(), "both or neither")
		require.Equal(t, "test", ev.At("unsigned", "redacted_because", "content", "reason").String())
	}
}

func eventsHaveAge(t *testing.T, s *harness.Server) {
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	since := alice.Since(t)
	alice.Send(t, room, "hi")
	ev := harness.Timeline(alice.Sync(t, "since", since), room)[0]
	require.True(t, ev.At("unsigned", "age").Exists())
	require.GreaterOrEqual(t, ev.At("unsigned", "age").Int(), int64(0))
	require.False(t, ev.At("age").Exists())
	require.False(t, ev.At("room_id").Exists(), "sync does not repeat the room in each event")
}
