// SPDX-License-Identifier: Apache-2.0

package clientsync_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/accountdata"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/feed"
	"touchstone.example/server/push"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// A fixture is sync beside rooms, on a database of their own.
type fixture struct {
	*slicetest.Fixture
	t      testing.TB
	sync   *clientsync.Sync
	router *api.Router
	parts  []syncpart.Part
	txns   int
}

func each(t *testing.T, fn func(t *testing.T, w *fixture), more ...syncpart.Part) {
	storagetest.EachInTurn(t, func(t *testing.T, db *storage.DB) { // parts count for the test
		s := slicetest.New(t, db)
		w := &fixture{Fixture: s, t: t, router: s.Router(t, api.Config{Auth: slicetest.Tokens()})}
		w.parts = append([]syncpart.Part{push.SyncPart{Push: push.New(push.Deps{DB: db, Feed: w.Feed})}, accountdata.SyncPart{}}, more...)
		w.sync = clientsync.New(clientsync.Deps{
			DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Stopping: t.Context(), Parts: w.parts,
		})
		roomtest.Mount(w.router, s, nil)
		clientapi.MountSync(w.router, w.sync)
		fn(t, w)
	})
}

// room makes a room of alice's that these join.
func (w *fixture) room(members ...string) string {
	w.t.Helper()
	room := slicetest.OK(w.t, w.router, "POST", slicetest.Path("v3/createRoom"), "alice", slicetest.O{"preset": "public_chat"}).At("room_id")
	for _, m := range members {
		slicetest.OK(w.t, w.router, "POST", slicetest.Path("v3/rooms/{}/join", room), m, slicetest.O{})
	}
	return room
}

// send sends a message of alice's.
func (w *fixture) send(room string) (eventID string) { return w.sendAs("alice", room) }

func (w *fixture) sendAs(user, room string) (eventID string) {
	w.t.Helper()
	w.txns++
	path := slicetest.Path("v3/rooms/{}/send/m.room.message/{}", room, w.txns)
	return slicetest.OK(w.t, w.router, "PUT", path, user, slicetest.O{"msgtype": "m.text", "body": "hello"}).At("event_id")
}

// messages is a page of a room's messages.
func (w *fixture) messages(user, room string) string {
	w.t.Helper()
	return slicetest.OK(w.t, w.router, "GET", slicetest.Path("v3/rooms/{}/messages?dir=b&limit=50", room), user, nil).Body
}

// since syncs after a token, "" for none.
func (w *fixture) since(user, token string, more ...string) slicetest.Answer {
	w.t.Helper()
	path := slicetest.Path("v3/sync?timeout=0")
	if token != "" {
		path += slicetest.Query("since", token)
	}
	for i := 0; i < len(more); i += 2 {
		path += slicetest.Query(more[i], more[i+1])
	}
	return slicetest.OK(w.t, w.router, "GET", path, user, nil)
}

// nid is a room's row.
func (w *fixture) nid(room string) (nid int64) {
	w.t.Helper()
	require.NoError(w.t, w.DB.Read(w.t.Context(), func(tx *storage.Reader) error {
		r, err := tx.Room(w.t.Context(), id.RoomID(room))
		if err == nil {
			nid = r.NID
		}
		return err
	}))
	return nid
}

// change writes a row of the log, with what else belongs to it, and waits until
// the feed has it.
func (w *fixture) change(kind feed.Kind, user string, roomNID, ref int64, also ...func(tx *storage.Writer, pos int64) error) (pos int64) {
	w.t.Helper()
	c := storage.Change{Kind: string(kind), RoomNID: roomNID, Ref: ref}
	if user != "" {
		c.UserID = string(slicetest.User(user))
	}
	require.NoError(w.t, w.DB.Write(w.t.Context(), func(tx *storage.Writer) (err error) {
		if c.Pos, err = tx.ReservePosition(w.t.Context()); err != nil {
			return err
		}
		for _, write := range also {
			if err := write(tx, c.Pos); err != nil {
				return err
			}
		}
		return tx.InsertChange(w.t.Context(), c)
	}))
	require.NoError(w.t, w.Feed.WaitFor(w.t.Context(), c.Pos))
	return c.Pos
}

// setData sets account data; room 0 is none, and no content deletes it.
func (w *fixture) setData(user string, roomNID int64, typ, content string) {
	w.t.Helper()
	w.change(feed.KindAccountData, user, roomNID, 0, func(tx *storage.Writer, pos int64) error {
		return tx.PutAccountData(w.t.Context(), &storage.AccountData{
			UserID: slicetest.User(user), RoomNID: roomNID, Type: typ, Content: []byte(content), Pos: pos,
		})
	})
}
