// SPDX-License-Identifier: Apache-2.0

package eventauth_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// A room builds events one after another. Each is built on the state of the
// accepted events before it.
type room struct {
	t      testing.TB
	rules  *roomver.Rules
	id     id.RoomID
	state  eventauth.StateMap
	hashes map[id.EventID][sha256.Size]byte
	last   []id.EventID
	depth  int64
}

func newRoom(t testing.TB, rules *roomver.Rules) *room {
	r := &room{
		t: t, rules: rules, state: eventauth.StateMap{},
		hashes: map[id.EventID][sha256.Size]byte{},
	}
	if !rules.RoomIDIsCreateHash {
		r.id = "!room:one.example"
	}
	return r
}

func signer(server id.ServerName) event.Signer {
	seed := sha256.Sum256([]byte(server))
	return event.Signer{Name: server, KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed[:])}
}

func text(s string) *string { return &s }

// build makes an event without checking it or adding it to the room.
func (r *room) build(typ string, stateKey *string, sender id.UserID, content string) *event.Event {
	d := event.Draft{
		RoomID: r.id, Sender: sender, Type: typ, StateKey: stateKey, Content: []byte(content),
		PrevEvents: r.last, Depth: r.depth + 1, OriginServerTS: 1000 + r.depth, ReferenceHashes: r.hashes,
	}
	for _, k := range eventauth.AuthKeys(r.rules, typ, sender, stateKey, d.Content) {
		if e := r.state.Event(k.Type, k.Key); e != nil {
			d.AuthEvents = append(d.AuthEvents, e.ID)
		}
	}
	e, err := event.Build(r.rules, d, signer(sender.Server()))
	require.NoError(r.t, err)
	return e
}

// accept adds an event to the room.
func (r *room) accept(e *event.Event) {
	r.id, r.last, r.depth = e.RoomID, []id.EventID{e.ID}, e.Depth
	r.hashes[e.ID] = e.ReferenceHash()
	if e.IsState() {
		r.state[e.Key()] = e
	}
}

// send builds an event, which must be allowed, and adds it to the room.
func (r *room) send(typ string, stateKey *string, sender id.UserID, content string) *event.Event {
	e := r.build(typ, stateKey, sender, content)
	require.NoError(r.t, eventauth.Check(r.rules, e, r.state, verify))
	r.accept(e)
	return e
}

func verify(ev *event.Event, server id.ServerName) bool {
	for _, key := range ev.SignedBy(server) {
		if ev.VerifySignature(server, key, signer(server).Key.Public().(ed25519.PublicKey)) == nil {
			return true
		}
	}
	return false
}

const (
	alice = id.UserID("@alice:one.example") // creates rooms
	bob   = id.UserID("@bob:two.example")
	carol = id.UserID("@carol:one.example")
)

func (r *room) create() {
	content := `{"room_version":"` + r.rules.Version + `"}`
	if r.rules.CreatorInContent {
		content = `{"creator":"` + string(alice) + `","room_version":"` + r.rules.Version + `"}`
	}
	r.send("m.room.create", text(""), alice, content)
	r.send("m.room.member", text(string(alice)), alice, `{"membership":"join"}`)
}

func TestARoomOfEachVersionCanBeMadeAndJoined(t *testing.T) {
	for _, rules := range roomver.All() {
		t.Run(rules.Version, func(t *testing.T) {
			r := newRoom(t, rules)
			r.create()
			levels := `{"users":{"` + string(alice) + `":100}}`
			if rules.CreatorsPrivileged {
				levels = `{"users":{}}`
			}
			r.send("m.room.power_levels", text(""), alice, levels)
			r.send("m.room.join_rules", text(""), alice, `{"join_rule":"public"}`)
			r.send("m.room.member", text(string(bob)), bob, `{"membership":"join"}`)
			r.send("m.room.message", nil, bob, `{"body":"hello"}`)

			var rejection *eventauth.Rejection
			err := eventauth.Check(rules, r.build("m.room.name", text(""), bob, `{"name":"x"}`), r.state, nil)
			require.ErrorAs(t, err, &rejection)
		})
	}
}
