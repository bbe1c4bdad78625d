// SPDX-License-Identifier: Apache-2.0

package clientsync_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

// A slice of its own in a test: receipts, which have an audience, change a count,
// and are a value of the room. It keeps them in the log of changes.
var (
	kindReceipt        = feed.NewKind("test.receipt", feed.TopicEphemeral, feed.TopicReads)
	kindPrivateReceipt = feed.NewKind("test.receipt_private", feed.TopicReads)
)

type receipts struct{ reads *int }

func (receipts) Kinds() []feed.Kind { return []feed.Kind{kindReceipt, kindPrivateReceipt} }

func (r receipts) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	*r.reads++
	since := map[int64]int64{}
	for _, room := range w.Rooms {
		since[room.NID] = room.Since
	}
	changes, err := tx.Changes(ctx, 0, w.UpTo, 1_000_000)
	out.Receipts, out.Recounted = map[int64][]syncpart.Receipt{}, map[int64]bool{}
	for _, c := range changes {
		own, private := c.UserID == string(w.User), c.Kind == string(kindPrivateReceipt)
		from, known := since[c.RoomNID]
		if !known {
			from = w.Since
		}
		if c.Kind != string(kindReceipt) && !private || private && !own || !own && !known || c.Pos <= from {
			continue
		}
		ids, err := tx.EventIDs(ctx, []int64{c.Ref})
		if err != nil {
			return err
		}
		kind := "m.read"
		if private {
			kind = "m.read.private"
		}
		out.Receipts[c.RoomNID] = append(out.Receipts[c.RoomNID], syncpart.Receipt{User: id.UserID(c.UserID), Kind: kind, Event: ids[c.Ref], TS: 7})
		if own {
			out.Recounted[c.RoomNID] = true
		}
	}
	return err
}

// read has a user read a room up to an event.
func (w *fixture) read(kind feed.Kind, user string, roomNID int64, eventID string) {
	w.t.Helper()
	var e *storage.Event
	require.NoError(w.t, w.DB.Read(w.t.Context(), func(tx *storage.Reader) (err error) {
		e, err = tx.Event(w.t.Context(), id.EventID(eventID))
		return err
	}))
	w.change(kind, user, roomNID, e.NID, func(tx *storage.Writer, _ int64) error {
		return tx.MarkRead(w.t.Context(), roomNID, slicetest.User(user), e.Pos)
	})
}

// TestPartsReachSync: what parts tell comes to the right users, in the right
// places, and wakes nobody else.
func TestPartsReachSync(t *testing.T) {
	reads := 0
	each(t, func(t *testing.T, w *fixture) {
		room, other := w.room("bob", "carol"), w.room("bob")
		nid := w.nid(room)
		bob := w.since("bob", "")
		require.Contains(t, bob.Body, `"type":"m.push_rules"`)
		token := bob.At("next_batch")
		first, second := w.send(room), w.send(room)
		a := w.since("bob", token)
		require.Equal(t, "2", a.At("rooms", "join", room, "unread_notifications", "notification_count"), a)
		token = a.At("next_batch")
		carol := w.since("carol", "").At("next_batch")

		w.read(kindReceipt, "bob", nid, first)
		a = w.since("bob", token)
		require.JSONEq(t, `{"events":[{"type":"m.receipt","content":{"`+first+`":{"m.read":{"@bob:hs1":{"ts":7}}}}}]}`,
			a.At("rooms", "join", room, "ephemeral"))
		require.Equal(t, "1", a.At("rooms", "join", room, "unread_notifications", "notification_count"), "a count")
		require.JSONEq(t, `{"events":[]}`, a.At("rooms", "join", room, "timeline"))
		require.Empty(t, a.At("rooms", "join", other))
		require.Empty(t, a.At("account_data"))
		token = a.At("next_batch")
		a = w.since("carol", carol)
		require.Contains(t, a.At("rooms", "join", room, "ephemeral"), first, "a value of the room, for all its members")
		require.Empty(t, a.At("rooms", "join", room, "unread_notifications"), "and bob's count")
		carol = a.At("next_batch")
		a = w.since("carol", carol, "filter", `{"room":{"ephemeral":{"types":["m.typing"]}}}`)
		require.Empty(t, a.At("rooms"))

		w.read(kindPrivateReceipt, "bob", nid, second)
		before := reads
		a = w.since("carol", carol)
		require.Empty(t, a.At("rooms"), "an audience")
		require.Equal(t, before, reads, "who has no news is not read for")
		a = w.since("bob", token)
		require.Contains(t, a.At("rooms", "join", room, "ephemeral"), `"m.read.private"`)
		require.Equal(t, "0", a.At("rooms", "join", room, "unread_notifications", "notification_count"))
		token, before = a.At("next_batch"), reads

		w.setData("bob", nid, "m.tag", `{"tags":{}}`)
		w.setData("bob", 0, "org.x", `{"a":1}`)
		cost := w.DB.Stats()
		require.Empty(t, w.since("carol", carol).At("rooms"), "bob's own data")
		require.Zero(t, w.DB.Stats().Since(cost).Reads, "which wakes nobody else")
		a = w.since("bob", token)
		require.JSONEq(t, `{"events":[{"content":{"tags":{}},"type":"m.tag"}]}`, a.At("rooms", "join", room, "account_data"))
		require.JSONEq(t, `{"events":[{"content":{"a":1},"type":"org.x"}]}`, a.At("account_data"))
		require.Equal(t, before, reads, "receipts have no news")
		w.setData("bob", 0, "org.x", "")
		a = w.since("bob", a.At("next_batch"))
		require.JSONEq(t, `{"events":[{"content":{},"type":"org.x"}]}`, a.At("account_data"), "deleted")
		require.NotContains(t, w.since("bob", "").Body, "org.x")
	}, receipts{&reads})
}

// fixed tells the same whenever its kind changes.
type fixed syncpart.News

func (fixed) Kinds() []feed.Kind { return []feed.Kind{kindPrivateReceipt} }

func (f fixed) Read(_ context.Context, _ *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	*out = syncpart.News(f)
	for _, r := range w.Rooms {
		out.Typing = map[int64][]id.UserID{r.NID: {"@x:hs1"}}
	}
	out.ToDevice.Next = w.ToDevice + 1
	return nil
}

// TestEachPieceOfNewsHasItsPlace: also those that no slice tells yet.
func TestEachPieceOfNewsHasItsPlace(t *testing.T) {
	hello := syncpart.Typed{Type: "m.x", Content: []byte(`{"a":1}`)}
	news := fixed{
		Presence:    []syncpart.Sent{{Sender: "@x:hs1", Typed: syncpart.Typed{Type: "m.presence", Content: []byte(`{"presence":"online"}`)}}},
		ToDevice:    &syncpart.Page{Events: []syncpart.Sent{{Sender: "@x:hs1", Typed: hello}}},
		DeviceLists: &syncpart.DeviceLists{Changed: []id.UserID{"@x:hs1"}, Left: []id.UserID{}},
	}
	each(t, func(t *testing.T, w *fixture) {
		room := w.room("bob")
		a := w.since("bob", "")
		require.JSONEq(t, `{"events":[{"type":"m.typing","content":{"user_ids":["@x:hs1"]}}]}`, a.At("rooms", "join", room, "ephemeral"))
		require.JSONEq(t, `{"events":[{"sender":"@x:hs1","type":"m.presence","content":{"presence":"online"}}]}`, a.At("presence"))
		require.JSONEq(t, `{"events":[{"sender":"@x:hs1","type":"m.x","content":{"a":1}}]}`, a.At("to_device"))
		require.JSONEq(t, `{"changed":["@x:hs1"],"left":[]}`, a.At("device_lists"))
		lazy := []string{"filter", `{"room":{"state":{"lazy_load_members":true}}}`}
		for acknowledged := int64(1); acknowledged < 4; acknowledged++ {
			token, err := feed.ParseToken(a.At("next_batch"))
			require.NoError(t, err)
			require.Equal(t, acknowledged, token.ToDevice)
			empty, err := feed.ParseToken(w.since("bob", a.At("next_batch")).At("next_batch"))
			require.NoError(t, err)
			require.Equal(t, acknowledged, empty.ToDevice, "an empty answer acknowledges nothing")
			w.change(kindPrivateReceipt, "bob", 0, 0)
			a = w.since("bob", a.At("next_batch"), lazy...)
			require.NotEmpty(t, a.At("to_device"))
		}
	}, news)
}
