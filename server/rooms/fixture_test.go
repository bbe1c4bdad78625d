// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/push"
	"touchstone.example/server/rooms"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/slicetest"
)

// A house is rooms on a database of their own, behind their routes.
type house struct {
	*slicetest.Fixture
	t      testing.TB
	router *api.Router
	rooms  *rooms.Rooms
	deps   rooms.Deps // of rooms
	world  *world
	txns   int

	identity *fakeidentity.Server
	stopJobs func()
}

func newHouse(t testing.TB, db *storage.DB) *house {
	t.Helper()
	s := slicetest.New(t, db)
	signer := s.Signer()
	w := newWorld()
	is := fakeidentity.New(t)
	deps := rooms.Deps{
		DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Name: slicetest.Name, Signer: signer, DefaultVersion: "12",
		Verify: func(_ *event.Event, server id.ServerName) bool { return server == signer.Name },
		Keys:   w, Remote: w,
		Identity: idclient.New(idclient.Options{AllowPrivate: true, RootCAs: is.Roots(), Log: s.Log}),
	}
	r := rooms.New(deps)
	s.Jobs.Handle(rooms.JobGuests, r.CloseToGuests)
	stopJobs := s.RunJobs(t)
	h := &house{Fixture: s, t: t, router: s.Router(t, api.Config{Auth: slicetest.Tokens()}), rooms: r, world: w, identity: is, deps: deps, stopJobs: stopJobs}
	clientapi.MountCreateRoom(h.router, r)
	clientapi.MountInviting(h.router, r)
	clientapi.MountThirdPartyMembership(h.router, r)
	clientapi.MountJoining(h.router, r)
	clientapi.MountLeaving(h.router, r)
	clientapi.MountKicking(h.router, r)
	clientapi.MountBanning(h.router, r)
	clientapi.MountRoomSend(h.router, r)
	clientapi.MountRoomState(h.router, r)
	clientapi.MountRedaction(h.router, r)
	clientapi.MountRooms(h.router, r)
	clientapi.MountListJoinedRooms(h.router, r)
	clientapi.MountMessagePagination(h.router, r)
	clientapi.MountSync(h.router, clientsync.New(clientsync.Deps{
		DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Stopping: t.Context(), Parts: []syncpart.Part{push.SyncPart{Push: push.New(push.Deps{DB: s.DB, Feed: s.Feed})}},
	}))
	return h
}

// each runs a test in a house on every engine.
func each(t *testing.T, fn func(t *testing.T, h *house)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newHouse(t, db)) })
}

// in is the house for a subtest.
func (h *house) in(t testing.TB) *house {
	c := *h
	c.t = t
	return &c
}

func (h *house) do(method, path, token string, body any) slicetest.Answer {
	h.t.Helper()
	return slicetest.Do(h.t, h.router, method, path, token, body)
}

func (h *house) ok(method, path, token string, body any) slicetest.Answer {
	h.t.Helper()
	return slicetest.OK(h.t, h.router, method, path, token, body)
}

// create makes a room.
func (h *house) create(token string, body slicetest.O) string {
	h.t.Helper()
	return h.ok("POST", pathCreate, token, body).At("room_id")
}

// public makes a room of alice's that these join.
func (h *house) public(members ...string) string {
	h.t.Helper()
	room := h.create("alice", slicetest.O{"preset": "public_chat"})
	for _, m := range members {
		h.act(m, room, "join", slicetest.O{})
	}
	return room
}

// act changes a membership: join, leave, forget, invite, kick, ban, unban.
func (h *house) act(token, room, what string, body slicetest.O) {
	h.t.Helper()
	h.ok("POST", at(room, what), token, body)
}

// target is the body of what one does to another.
func target(name string) slicetest.O { return slicetest.O{"user_id": slicetest.User(name)} }

// send sends a message and returns its event ID.
func (h *house) send(token, room, body string) string {
	h.t.Helper()
	h.txns++
	return h.ok("PUT", at(room, "send/m.room.message/{}", h.txns), token, slicetest.O{"msgtype": "m.text", "body": body}).At("event_id")
}

// set sets state and returns the event ID.
func (h *house) set(token, room, typ, key string, content any) string {
	h.t.Helper()
	return h.ok("PUT", at(room, "state/{}/{}", typ, key), token, content).At("event_id")
}

// state is the content of a state event, as one sees it.
func (h *house) state(token, room, typ, key string) slicetest.Answer {
	h.t.Helper()
	return h.ok("GET", at(room, "state/{}/{}", typ, key), token, nil)
}

// membership is what somebody is in a room, as alice sees it.
func (h *house) membership(room, name string) string {
	h.t.Helper()
	a := h.do("GET", at(room, "state/m.room.member/{}", slicetest.User(name)), "alice", nil)
	return a.At("membership")
}

const pathCreate = "/_matrix/client/v3/createRoom"

// at is a path below a room's.
func at(room, rest string, args ...any) string {
	return slicetest.Path("v3/rooms/{}/"+rest, append([]any{room}, args...)...)
}

// list reads the events of an answer: an array, or a member that is one.
func list(t testing.TB, raw string) (events []clientEvent) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(raw), &events))
	return events
}

type clientEvent struct {
	ID       id.EventID     `json:"event_id"`
	Type     string         `json:"type"`
	StateKey *string        `json:"state_key"`
	Sender   id.UserID      `json:"sender"`
	RoomID   id.RoomID      `json:"room_id"`
	TS       int64          `json:"origin_server_ts"`
	Content  map[string]any `json:"content"`
	Unsigned map[string]any `json:"unsigned"`
}

// rows are requests with one token.
type rows []slicetest.Row

func (r *rows) add(name, method, path, token string, body any, status int, errcode string) {
	*r = append(*r, slicetest.Row{Name: name, Method: method, Path: path, Token: token, Body: body, Status: status, ErrCode: errcode})
}
