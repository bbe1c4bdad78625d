// SPDX-License-Identifier: Apache-2.0

package clientsync_test

import (
	"context"
	"fmt"
	"slices"
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
	kindKeys           = feed.NewKind("test.keys", feed.TopicReads)
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
		out.Typing = map[int64]syncpart.Typing{r.NID: {Users: []id.UserID{"@x:hs1"}, Changed: []id.UserID{"@x:hs1"}}}
	}
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
	}, news)
}

// mailbox has messages to every device at some positions, of which a page is one.
type mailbox struct{ positions, acknowledged *[]int64 }

func (mailbox) Kinds() []feed.Kind { return []feed.Kind{kindPrivateReceipt} }

func (m mailbox) Acknowledged(_ id.UserID, _ id.DeviceID, upTo int64) {
	*m.acknowledged = append(*m.acknowledged, upTo)
}

func (m mailbox) Read(_ context.Context, _ *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	for _, pos := range *m.positions {
		switch {
		case pos <= w.ToDevice || pos > w.UpTo:
		case out.ToDevice != nil:
			out.ToDevice.Next = (*m.positions)[slices.Index(*m.positions, pos)-1]
			return nil
		default:
			content := fmt.Appendf(nil, `{"pos":%d}`, pos)
			out.ToDevice = &syncpart.Page{Events: []syncpart.Sent{{Sender: "@x:hs1", Typed: syncpart.Typed{Type: "m.x", Content: content}}}}
		}
	}
	return nil
}

// TestMessagesToADeviceComeInPages: the next page comes at once, the same one again
// for the same token, and a token says what the client has.
func TestMessagesToADeviceComeInPages(t *testing.T) {
	var positions, acknowledged []int64
	each(t, func(t *testing.T, w *fixture) {
		w.room("bob")
		token := w.since("bob", "").At("next_batch")
		positions, acknowledged = nil, nil
		for range 3 {
			positions = append(positions, w.change(kindPrivateReceipt, "bob", 0, 0))
		}
		for i, filter := range []string{`{}`, `{"room":{"state":{"lazy_load_members":true}}}`, `{}`} {
			for range 2 {
				a := w.since("bob", token, "filter", filter)
				require.Contains(t, a.At("to_device", "events"), fmt.Sprintf(`{"pos":%d}`, positions[i]), "page %d", i)
				if acknowledged = nil; i < 2 {
					require.Equal(t, a.At("next_batch"), w.since("bob", token, "filter", filter).At("next_batch"))
				}
			}
			token = w.since("bob", token, "filter", filter).At("next_batch")
			acknowledged = nil
			w.since("bob", token)
			if i < 2 {
				require.Equal(t, []int64{positions[i]}, acknowledged)
			}
		}
		cost := w.DB.Stats()
		a := w.since("bob", token)
		require.Empty(t, a.At("to_device"))
		require.Zero(t, w.DB.Stats().Since(cost).Reads)
		require.GreaterOrEqual(t, acknowledged[0], positions[2], "all of them")
	}, mailbox{&positions, &acknowledged})
}

// left are the keys that devices have left, always the same.
type left struct{ loads *int }

func (left) Kinds() []feed.Kind { return []feed.Kind{kindKeys} }

func (l left) Load(_ context.Context, _ *storage.Reader, _ id.UserID, _ id.DeviceID) (*syncpart.KeyCounts, error) {
	*l.loads++
	return &syncpart.KeyCounts{OneTime: map[string]int64{"signed_curve25519": int64(*l.loads)}, UnusedFallback: []string{"x"}}, nil
}

// TestWhatStandsInEveryAnswer is remembered until it changes, and is no news.
func TestWhatStandsInEveryAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		loads := 0
		w.sync.Standing = left{&loads}
		w.room("bob")
		a := w.since("bob", w.since("bob", "").At("next_batch"))
		for range 2 {
			require.Equal(t, `{"signed_curve25519":1}`, a.At("device_one_time_keys_count"))
			require.Equal(t, `["x"]`, a.At("device_unused_fallback_key_types"))
			cost := w.DB.Stats()
			a = w.since("bob", a.At("next_batch"))
			require.Zero(t, w.DB.Stats().Since(cost).Reads)
		}
		w.change(kindKeys, "bob", 0, 0)
		require.Equal(t, "2", w.since("bob", a.At("next_batch")).At("device_one_time_keys_count", "signed_curve25519"))
		require.Equal(t, "3", w.since("bob/PHONE", "").At("device_one_time_keys_count", "signed_curve25519"), "each device has its own")
	})
}

// watcher notes which memberships changed.
type watcher struct{ seen *[]syncpart.MemberChange }

func (watcher) Kinds() []feed.Kind { return nil }

func (watcher) WantsMembers() {}

func (o watcher) Read(_ context.Context, _ *storage.Reader, w *syncpart.Window, _ *syncpart.News) error {
	*o.seen = append(*o.seen, w.Members...)
	return nil
}

// TestPartsHearOfChangedMemberships: of those in the user's rooms, whether the
// feed remembers what changed or not.
func TestPartsHearOfChangedMemberships(t *testing.T) {
	var seen []syncpart.MemberChange
	each(t, func(t *testing.T, w *fixture) {
		room, other := w.room("bob", "carol"), w.room("carol")
		nid, otherNID := w.nid(room), w.nid(other)
		token := w.since("bob", "").At("next_batch")
		changes := func() []syncpart.MemberChange {
			seen = nil
			w.since("bob", token)
			return seen
		}
		w.send(room)
		require.Empty(t, changes())
		slicetest.OK(t, w.router, "POST", slicetest.Path("v3/rooms/{}/leave", room), "carol", slicetest.O{})
		slicetest.OK(t, w.router, "POST", slicetest.Path("v3/rooms/{}/leave", other), "carol", slicetest.O{})
		slicetest.OK(t, w.router, "POST", slicetest.Path("v3/rooms/{}/join", room), "dan", slicetest.O{})
		want := []syncpart.MemberChange{{RoomNID: nid, User: slicetest.User("carol"), Was: "join", Is: "leave"}, {RoomNID: nid, User: slicetest.User("dan"), Was: "", Is: "join"}}
		require.Equal(t, want, changes())
		slicetest.OK(t, w.router, "POST", slicetest.Path("v3/rooms/{}/join", other), "bob", slicetest.O{})
		want = append([]syncpart.MemberChange{{RoomNID: otherNID, User: slicetest.User("bob"), Was: "", Is: "join"}}, want...)
		require.Equal(t, want, changes())
		w.busy()
		require.Equal(t, want, changes())
		token = w.since("bob", token).At("next_batch")
		slicetest.OK(t, w.router, "POST", slicetest.Path("v3/rooms/{}/leave", room), "bob", slicetest.O{})
		require.Equal(t, []syncpart.MemberChange{{RoomNID: nid, User: slicetest.User("bob"), Was: "join", Is: "leave"}}, changes())
	}, watcher{&seen})
}

// TestIgnoredUsers: their messages, receipts, typing and invitations are not told,
// their state events are, and nothing is made up for when they are ignored no more.
func TestIgnoredUsers(t *testing.T) {
	reads := 0
	each(t, func(t *testing.T, w *fixture) {
		room := w.room("bob", "carol")
		nid := w.nid(room)
		token := w.since("bob", "").At("next_batch")
		w.setData("bob", 0, "m.ignored_user_list", `{"ignored_users":{"@alice:hs1":{},"@bob:hs1":{}}}`)
		token = w.since("bob", token).At("next_batch")
		first := w.send(room)
		w.read(kindReceipt, "alice", nid, first)
		slicetest.OK(t, w.router, "POST", slicetest.Path("v3/createRoom"), "alice", slicetest.O{"invite": slicetest.L{"@bob:hs1"}})
		require.Empty(t, w.since("bob", token).At("rooms"))
		initial := w.since("bob", "")
		require.NotContains(t, initial.Body, first)
		require.Contains(t, initial.Body, `"m.room.create"`, "alice's state events")
		require.Empty(t, initial.At("rooms", "invite"))
		require.NotContains(t, w.messages("bob", room), first)
		require.Contains(t, w.messages("carol", room), first)

		w.sendAs("carol", room)
		a := w.since("bob", token)
		require.Contains(t, a.Body, `"sender":"@carol:hs1"`)
		require.NotContains(t, a.Body, first)
		require.Equal(t, "false", a.At("rooms", "join", room, "timeline", "limited"))
		token = a.At("next_batch")
		slicetest.OK(t, w.router, "PUT", slicetest.Path("v3/rooms/{}/state/m.room.topic/", room), "alice", slicetest.O{"topic": "x"})
		require.Contains(t, w.since("bob", token).Body, "m.room.topic")
		token = w.since("bob", token).At("next_batch")
		w.setData("bob", 0, "m.ignored_user_list", `{"ignored_users":[]}`)
		a = w.since("bob", token)
		require.NotContains(t, a.Body, first)
		require.Contains(t, w.since("bob", "").Body, first)
		second := w.send(room)
		require.Contains(t, w.since("bob", a.At("next_batch")).Body, second)
	}, receipts{&reads})
}

// TestBlockedInvitations are in no sync, and come back with permission.
func TestBlockedInvitations(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token := w.since("bob", "").At("next_batch")
		invited := slicetest.OK(t, w.router, "POST", slicetest.Path("v3/createRoom"), "alice", slicetest.O{"invite": slicetest.L{"@bob:hs1"}}).At("room_id")
		require.NotEmpty(t, w.since("bob", token).At("rooms", "invite", invited))
		w.setData("bob", 0, "m.invite_permission_config", `{"default_action":"block"}`)
		require.Empty(t, w.since("bob", token).At("rooms", "invite"))
		require.Empty(t, w.since("bob", "").At("rooms", "invite"))
		w.setData("bob", 0, "m.invite_permission_config", `{"default_action":"org.other"}`)
		require.NotEmpty(t, w.since("bob", token).At("rooms", "invite", invited))
	})
}
