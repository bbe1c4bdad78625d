// SPDX-License-Identifier: Apache-2.0

// Package roomtest serves rooms to tests: the engine and the slices on it, on a
// database of their own, behind their routes. It is for the tests of the engine and
// of the slices that change rooms.
package roomtest

import (
	"testing"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/membership"
	"touchstone.example/server/messages"
	"touchstone.example/server/push"
	"touchstone.example/server/roomcreate"
	"touchstone.example/server/rooms"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/slicetest"
)

// Deps are those of the engine and of the slices on it.
type Deps struct {
	Rooms      rooms.Deps
	Messages   messages.Deps
	Membership membership.Deps
	RoomCreate roomcreate.Deps
}

// A Server serves rooms.
type Server struct {
	*slicetest.Fixture
	T        testing.TB
	Handler  *api.Router
	Rooms    *rooms.Rooms
	Deps     Deps
	Identity *fakeidentity.Server
	StopJobs func()
	Txns     int // transaction IDs given away
}

// New returns a server, whose parts a function, if there is one, may change.
func New(t testing.TB, db *storage.DB, change func(*Deps)) *Server {
	t.Helper()
	s := &Server{Fixture: slicetest.New(t, db), T: t, Identity: fakeidentity.New(t)}
	s.Deps = depsOf(s.Fixture)
	identity := idclient.New(idclient.Options{AllowPrivate: true, RootCAs: s.Identity.Roots(), Log: s.Log})
	s.Deps.Rooms.Identity, s.Deps.Membership.Identity, s.Deps.RoomCreate.Identity = identity, identity, identity
	s = s.Another(change)
	s.Jobs.Handle(rooms.JobGuests, s.Rooms.RemoveGuests)
	s.StopJobs = s.RunJobs(t)
	return s
}

// depsOf are those of a fixture's server. It asks no identity servers.
func depsOf(f *slicetest.Fixture) Deps {
	signer := f.Signer()
	return Deps{
		Rooms: rooms.Deps{
			DB: f.DB, Feed: f.Feed, Env: f.Env, Log: f.Log, Name: slicetest.Name, Signer: signer,
			Verify: func(_ *event.Event, server id.ServerName) bool { return server == signer.Name },
		},
		Messages:   messages.Deps{DB: f.DB, Feed: f.Feed, Env: f.Env},
		Membership: membership.Deps{DB: f.DB},
		RoomCreate: roomcreate.Deps{DB: f.DB, Env: f.Env, Name: slicetest.Name, DefaultVersion: "12"},
	}
}

// Another is the same server in another process, whose parts a function may change.
func (s *Server) Another(change func(*Deps)) *Server {
	c := *s
	if change != nil {
		change(&c.Deps)
	}
	c.Handler = c.Router(c.T, api.Config{Auth: slicetest.Tokens()})
	c.Rooms = c.Deps.mount(c.Handler)
	d := c.Deps.Rooms
	clientapi.MountSync(c.Handler, clientsync.New(clientsync.Deps{
		DB: d.DB, Feed: d.Feed, Env: d.Env, Log: d.Log, Stopping: c.T.Context(), Parts: []syncpart.Part{push.SyncPart{Push: push.New(push.Deps{DB: d.DB, Feed: d.Feed})}},
	}))
	return &c
}

// Mount serves the endpoints of rooms beside a slice that is tested with them. A
// function, if there is one, may change their parts.
func Mount(r *api.Router, f *slicetest.Fixture, change func(*Deps)) *rooms.Rooms {
	d := depsOf(f)
	if change != nil {
		change(&d)
	}
	return d.mount(r)
}

func (d *Deps) mount(r *api.Router) *rooms.Rooms {
	engine := rooms.New(d.Rooms)
	d.Messages.Rooms, d.Membership.Rooms, d.RoomCreate.Rooms = engine, engine, engine
	clientapi.MountCreateRoom(r, roomcreate.New(d.RoomCreate))
	of := membership.New(d.Membership)
	clientapi.MountInviting(r, of)
	clientapi.MountThirdPartyMembership(r, of)
	clientapi.MountJoining(r, of)
	clientapi.MountLeaving(r, of)
	clientapi.MountKicking(r, of)
	clientapi.MountBanning(r, of)
	clientapi.MountListJoinedRooms(r, of)
	events := messages.New(d.Messages)
	clientapi.MountRoomSend(r, events)
	clientapi.MountRoomState(r, events)
	clientapi.MountRedaction(r, events)
	clientapi.MountRooms(r, events)
	clientapi.MountMessagePagination(r, events)
	return engine
}

// Each runs a test on a server of its own on every engine.
func Each(t *testing.T, fn func(t *testing.T, s *Server)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, New(t, db, nil)) })
}

// In is the server for a subtest.
func (s *Server) In(t testing.TB) *Server {
	c := *s
	c.T = t
	return &c
}
