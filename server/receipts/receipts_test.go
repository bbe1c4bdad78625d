// SPDX-License-Identifier: Apache-2.0

package receipts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/accountdata"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/receipts"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// A fixture is receipts beside rooms and sync: alice's room, which bob is in.
type fixture struct {
	*slicetest.Fixture
	t      *testing.T
	router *api.Router
	room   string
	txns   int
	tokens map[string]string // of the last answers, by user
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := slicetest.New(t, db)
		f := &fixture{Fixture: s, t: t, router: s.Router(t, api.Config{Auth: slicetest.Tokens()}), tokens: map[string]string{}}
		slice := receipts.New(receipts.Deps{DB: s.DB, Feed: s.Feed, Env: s.Env})
		clientapi.MountReceipts(f.router, slice)
		clientapi.MountReadMarkers(f.router, slice)
		roomtest.Mount(f.router, s, nil)
		clientapi.MountSync(f.router, clientsync.New(clientsync.Deps{
			DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Stopping: t.Context(),
			Parts: []syncpart.Part{accountdata.SyncPart{}, receipts.SyncPart{}},
		}))
		f.room = f.newRoom()
		fn(t, f)
	})
}

func (f *fixture) newRoom() string {
	room := f.ok("alice", "POST", slicetest.Path("v3/createRoom"), slicetest.O{"preset": "public_chat"}).At("room_id")
	f.ok("bob", "POST", slicetest.Path("v3/rooms/{}/join", room), slicetest.O{})
	return room
}

func (f *fixture) ok(user, method, path string, body any) slicetest.Answer {
	f.t.Helper()
	return slicetest.OK(f.t, f.router, method, path, user, body)
}

// send sends a message of alice's, related to another if that is given.
func (f *fixture) send(relation ...string) string {
	f.t.Helper()
	f.txns++
	content := slicetest.O{"msgtype": "m.text", "body": "hello"}
	if len(relation) > 0 {
		content["m.relates_to"] = slicetest.O{"rel_type": relation[0], "event_id": relation[1]}
	}
	return f.ok("alice", "PUT", slicetest.Path("v3/rooms/{}/send/m.room.message/{}", f.room, f.txns), content).At("event_id")
}

func (f *fixture) receipt(kind, event string) string {
	return slicetest.Path("v3/rooms/{}/receipt/{}/{}", f.room, kind, event)
}

// read moves a receipt of bob's, of a thread if that is given.
func (f *fixture) read(kind, event string, thread ...string) {
	f.t.Helper()
	body := slicetest.O{}
	if len(thread) > 0 {
		body["thread_id"] = thread[0]
	}
	f.ok("bob", "POST", f.receipt(kind, event), body)
}

// next is what a user hears of the room.
func (f *fixture) next(user string) slicetest.Answer {
	f.t.Helper()
	filter := `{"room":{"timeline":{"unread_thread_notifications":true}}}`
	path := slicetest.Path("v3/sync?timeout=0") + slicetest.Query("filter", filter)
	if token := f.tokens[user]; token != "" {
		path += slicetest.Query("since", token)
	}
	a := f.ok(user, "GET", path, nil)
	f.tokens[user] = a.At("next_batch")
	return slicetest.Answer{Body: a.At("rooms", "join", f.room)}
}

// TestReceiptsMoveForward, are told to those whom they concern, and change the
// counts of their user in the same answer.
func TestReceiptsMoveForward(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		events := []string{f.send(), f.send(), f.send()}
		f.next("bob")
		f.next("alice")
		count := func(a slicetest.Answer) string { return a.At("unread_notifications", "notification_count") }
		is := func(kind, event string) string {
			return `{"events":[{"content":{"` + event + `":{"` + kind + `":{"@bob:hs1":{"ts":1767323045000}}}},"type":"m.receipt"}]}`
		}

		f.read("m.read.private", events[1])
		a := f.next("bob")
		require.JSONEq(t, is("m.read.private", events[1]), a.At("ephemeral"))
		require.Equal(t, "1", count(a))
		require.Empty(t, f.next("alice").Body, "private")

		f.read("m.read", events[0])
		a = f.next("bob")
		require.JSONEq(t, is("m.read", events[0]), a.At("ephemeral"))
		require.Equal(t, "1", count(a), "the further one counts")
		require.JSONEq(t, is("m.read", events[0]), f.next("alice").At("ephemeral"))

		f.read("m.read", events[2])
		require.Equal(t, "0", count(f.next("bob")))
		for _, kind := range []string{"m.read", "m.read.private"} {
			f.read(kind, events[0])
		}
		require.Empty(t, f.next("bob").Body, "never backwards")
		f.tokens["bob"] = ""
		a = f.next("bob")
		require.Contains(t, a.At("ephemeral"), events[2])
		require.NotContains(t, a.At("ephemeral"), events[0])
		require.Contains(t, a.At("ephemeral"), "m.read.private")
		f.tokens["alice"] = ""
		require.NotContains(t, f.next("alice").At("ephemeral"), "m.read.private")
	})
}

// TestReceiptsOfThreads: each counts for its thread alone, but for that of the
// whole room.
func TestReceiptsOfThreads(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		root := f.send()
		inThread, main, other := f.send("m.thread", root), f.send(), f.send("m.thread", root)
		reaction := f.send("m.annotation", other)
		counts := func(a slicetest.Answer) [2]string {
			return [2]string{a.At("unread_notifications", "notification_count"), a.At("unread_thread_notifications", root, "notification_count")}
		}
		require.Equal(t, [2]string{"2", "3"}, counts(f.next("bob")))
		f.read("m.read", root, "main")
		require.Equal(t, [2]string{"1", "3"}, counts(f.next("bob")))
		f.read("m.read", inThread, root)
		a := f.next("bob")
		require.Equal(t, [2]string{"1", "2"}, counts(a))
		require.Contains(t, a.At("ephemeral"), `"thread_id":"`+root+`"`)
		f.read("m.read.private", reaction, root)
		require.Equal(t, [2]string{"1", ""}, counts(f.next("bob")))
		last := f.send("m.thread", root)
		require.Equal(t, [2]string{"1", "1"}, counts(f.next("bob")))
		f.read("m.read", main)
		require.Equal(t, [2]string{"0", "1"}, counts(f.next("bob")))
		f.read("m.read", last)
		f.read("m.read", last, root)
		a = f.next("bob")
		require.Equal(t, [2]string{"0", ""}, counts(a))
		require.JSONEq(t, `{"events":[
			{"content":{"`+last+`":{"m.read":{"@bob:hs1":{"ts":1767323045000}}}},"type":"m.receipt"},
			{"content":{"`+last+`":{"m.read":{"@bob:hs1":{"thread_id":"`+root+`","ts":1767323045000}}}},"type":"m.receipt"}]}`,
			a.At("ephemeral"), "an event for each thread, that of the whole room first")

		f.txns++
		f.ok("alice", "PUT", slicetest.Path("v3/rooms/{}/redact/{}/{}", f.room, inThread, f.txns), slicetest.O{})
		f.read("m.read", inThread, root)
	})
}

// TestReadMarkers: one request moves all, and none of them backwards.
func TestReadMarkers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first, second := f.send(), f.send()
		f.next("bob")
		markers := slicetest.Path("v3/rooms/{}/read_markers", f.room)
		f.ok("bob", "POST", markers, slicetest.O{"m.fully_read": second, "m.read": first, "m.read.private": second})
		a := f.next("bob")
		require.JSONEq(t, `{"events":[{"content":{"event_id":"`+second+`"},"type":"m.fully_read"}]}`, a.At("account_data"))
		require.Contains(t, a.At("ephemeral"), `"m.read.private"`)
		require.Equal(t, "0", a.At("unread_notifications", "notification_count"))
		f.ok("bob", "POST", markers, slicetest.O{"m.fully_read": first})
		f.ok("bob", "POST", markers, slicetest.O{})
		require.Empty(t, f.next("bob").Body)
		third := f.send()
		f.next("bob")
		f.ok("bob", "POST", f.receipt("m.fully_read", third), slicetest.O{})
		require.Contains(t, f.next("bob").At("account_data"), third)
	})
}

func TestRefusedReceipts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		root := f.send()
		inThread, main := f.send("m.thread", root), f.send()
		room := f.room
		f.room = f.newRoom()
		elsewhere := f.send()
		f.room = room
		markers := slicetest.Path("v3/rooms/{}/read_markers", f.room)
		row := func(name, path string, body any, status int, code string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "POST", Path: path, Token: "bob", Body: body, Status: status, ErrCode: code}
		}
		thread := func(v any) slicetest.O { return slicetest.O{"thread_id": v} }
		slicetest.Table(t, f.router, []slicetest.Row{
			row("an empty thread", f.receipt("m.read", main), thread(""), 400, "M_INVALID_PARAM"),
			row("a thread that is a number", f.receipt("m.read", main), thread(1), 400, "M_INVALID_PARAM"),
			row("a thread that is null", f.receipt("m.read", main), thread(nil), 400, "M_INVALID_PARAM"),
			row("a thread that is an object", f.receipt("m.read", main), thread(slicetest.O{}), 400, "M_INVALID_PARAM"),
			row("a thread of the fully read marker", f.receipt("m.fully_read", main), thread("main"), 400, "M_INVALID_PARAM"),
			row("another thread", f.receipt("m.read", main), thread(root), 400, "M_INVALID_PARAM"),
			row("the main timeline, for an event in a thread", f.receipt("m.read", inThread), thread("main"), 400, "M_INVALID_PARAM"),
			row("a root's own thread", f.receipt("m.read", root), thread(root), 400, "M_INVALID_PARAM"),
			row("no thread at all", f.receipt("m.read", main), thread("$none"), 400, "M_INVALID_PARAM"),
			row("no event", f.receipt("m.read", "$none"), slicetest.O{}, 404, "M_NOT_FOUND"),
			row("an event of another room", f.receipt("m.read", elsewhere), slicetest.O{}, 404, "M_NOT_FOUND"),
			row("a kind that there is not", f.receipt("m.unread", main), slicetest.O{}, 400, "M_INVALID_PARAM"),
			row("a marker at no event ID", markers, slicetest.O{"m.read": "none"}, 400, "M_INVALID_PARAM"),
			row("a marker at no event", markers, slicetest.O{"m.fully_read": "$none"}, 404, "M_NOT_FOUND"),
			{Name: "a receipt of who is not in the room", Method: "POST", Path: f.receipt("m.read", main), Token: "carol", Body: slicetest.O{}, Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "a marker of who is not in the room", Method: "POST", Path: markers, Token: "carol", Body: slicetest.O{}, Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "no token", Method: "POST", Path: f.receipt("m.read", main), Body: slicetest.O{}, Status: 401, ErrCode: "M_MISSING_TOKEN"},
		})
	})
}
