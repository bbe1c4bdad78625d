// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/rooms"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
	"touchstone.example/storage"
)

// A world is the other servers: their keys, and what they answer when they are
// asked. What it holds of a room is a model of the room, after the text alone.
type world struct {
	keys   map[id.ServerName]rooms.VerifyKey // in place of the true ones
	hidden map[id.EventID]bool               // what nobody tells
	model  *model
	policy func(*event.Event) ([]byte, error)
	asked  []string
	silent bool // nobody tells missing events
}

func newWorld() *world {
	return &world{keys: map[id.ServerName]rooms.VerifyKey{}, hidden: map[id.EventID]bool{}}
}

// signerOf is the key of one of the world's servers.
func signerOf(server id.ServerName) event.Signer {
	seed := sha256.Sum256([]byte(server))
	return event.Signer{Name: server, KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed[:])}
}

const farFuture = int64(1) << 52

func (w *world) VerifyKey(_ context.Context, server id.ServerName, keyID id.KeyID, _ int64) (rooms.VerifyKey, error) {
	if key, ok := w.keys[server]; ok {
		return key, nil
	}
	s := signerOf(server)
	if keyID != s.KeyID {
		return rooms.VerifyKey{}, storage.ErrNotFound
	}
	return rooms.VerifyKey{Key: s.Key.Public().(ed25519.PublicKey), ValidUntilTS: farFuture}, nil
}

var errSilent = errors.New("nobody answers")

func (w *world) tell(ids []id.EventID) (pdus [][]byte) {
	for _, eventID := range ids {
		if e := w.model.events[eventID].Event; e != nil && !w.hidden[eventID] {
			pdus = append(pdus, e.PDU())
		}
	}
	return pdus
}

func (w *world) MissingEvents(_ context.Context, _ id.ServerName, _ id.RoomID, earliest, latest []id.EventID, limit int) ([][]byte, error) {
	w.asked = append(w.asked, "missing events")
	if w.silent {
		return nil, errSilent
	}
	known := map[id.EventID]bool{}
	for _, eventID := range earliest {
		known[eventID] = true
	}
	var out []id.EventID
	for next := latest; len(next) > 0 && len(out) < limit; next = next[1:] {
		for _, prev := range w.model.events[next[0]].Event.PrevEvents {
			if !known[prev] && !w.hidden[prev] {
				known[prev] = true
				out = append([]id.EventID{prev}, out...)
				next = append(next, prev)
			}
		}
	}
	return w.tell(out), nil
}

func (w *world) EventAuth(_ context.Context, _ id.ServerName, _ id.RoomID, of id.EventID) ([][]byte, error) {
	w.asked = append(w.asked, "auth chain")
	return w.tell(w.model.chain(w.model.events[of].Event.AuthEvents)), nil
}

func (w *world) State(_ context.Context, _ id.ServerName, _ id.RoomID, before id.EventID) (state, auth [][]byte, err error) {
	w.asked = append(w.asked, "state")
	if w.hidden[before] {
		return nil, nil, errSilent
	}
	var ids []id.EventID
	for _, eventID := range w.model.before[before] {
		ids = append(ids, eventID)
	}
	return w.tell(ids), w.tell(w.model.chain(ids)), nil
}

func (w *world) Event(_ context.Context, _ id.ServerName, of id.EventID) ([]byte, error) {
	w.asked = append(w.asked, "event")
	if pdus := w.tell([]id.EventID{of}); len(pdus) == 1 {
		return pdus[0], nil
	}
	return nil, errSilent
}

func (w *world) PolicySignature(_ context.Context, _ id.ServerName, ev *event.Event) ([]byte, error) {
	w.asked = append(w.asked, "policy")
	if w.policy == nil {
		return nil, errSilent
	}
	return w.policy(ev)
}

// A model is what a room is by the text of the specification: the state before
// and after each event, and what becomes of those that are received.
type model struct {
	t       testing.TB
	rules   *roomver.Rules
	id      id.RoomID
	events  stateres.Events
	list    []*event.Event
	before  map[id.EventID]stateres.State
	after   map[id.EventID]stateres.State
	outcome map[id.EventID]rooms.Outcome
	tips    []id.EventID
	redacts map[id.EventID]bool // redactions that were applied
}

func newModel(t testing.TB, rules *roomver.Rules, roomID id.RoomID) *model {
	return &model{
		t: t, rules: rules, id: roomID, events: stateres.Events{}, before: map[id.EventID]stateres.State{},
		after: map[id.EventID]stateres.State{}, outcome: map[id.EventID]rooms.Outcome{}, redacts: map[id.EventID]bool{},
	}
}

// chain lists events with all that their auth chains have.
func (m *model) chain(ids []id.EventID) (out []id.EventID) {
	seen := map[id.EventID]bool{}
	for next := ids; len(next) > 0; next = next[1:] {
		if e := m.events[next[0]].Event; e != nil && !seen[e.ID] {
			seen[e.ID] = true
			out = append(out, e.ID)
			next = append(next[:len(next):len(next)], e.AuthEvents...)
		}
	}
	return out
}

func (m *model) resolve(ids []id.EventID) stateres.State {
	sets := make([]stateres.State, len(ids))
	for i, eventID := range ids {
		after, known := m.after[eventID]
		require.True(m.t, known, "the model does not know %s", eventID)
		sets[i] = after
	}
	state, err := stateres.Resolve(m.rules, sets, m.events, nil)
	require.NoError(m.t, err)
	return state
}

// current is the room's state: that which all its extremities resolve to.
func (m *model) current() stateres.State { return m.resolve(m.tips) }

func (m *model) authState(ids []id.EventID) eventauth.StateMap {
	var events []*event.Event
	for _, eventID := range ids {
		events = append(events, m.events[eventID].Event)
	}
	return eventauth.StateOf(events...)
}

func values(state stateres.State) (ids []id.EventID) {
	for _, eventID := range state {
		ids = append(ids, eventID)
	}
	return ids
}

// build makes an event after others, authorised by the state there.
func (m *model) build(d event.Draft, prevs ...id.EventID) *event.Event {
	state := m.resolve(prevs)
	d.RoomID, d.PrevEvents, d.ReferenceHashes = m.id, prevs, map[id.EventID][sha256.Size]byte{}
	if d.OriginServerTS == 0 {
		d.OriginServerTS = 1_767_323_045_000 + int64(len(m.list))
	}
	for _, prev := range prevs {
		d.Depth = max(d.Depth, min(m.events[prev].Event.Depth, m.rules.MaxDepth-1)+1)
	}
	if d.AuthEvents == nil {
		for _, key := range eventauth.AuthKeys(m.rules, d.Type, d.Sender, d.StateKey, d.Content) {
			if eventID, ok := state[key]; ok {
				d.AuthEvents = append(d.AuthEvents, eventID)
			}
		}
	}
	if m.rules.ReferencesCarryHashes {
		for eventID, e := range m.events {
			d.ReferenceHashes[eventID] = e.Event.ReferenceHash()
		}
	}
	e, err := event.Build(m.rules, d, signerOf(d.Sender.Server()))
	require.NoError(m.t, err)
	return e
}

// know adds an event, with the states around it, by the checks 4 and 5.
func (m *model) know(e *event.Event) {
	if m.events[e.ID].Event != nil {
		return
	}
	before := m.resolve(e.PrevEvents)
	auth := m.authState(e.AuthEvents)
	events := make([]*event.Event, 0, len(e.AuthEvents))
	for _, eventID := range e.AuthEvents {
		events = append(events, m.events[eventID].Event)
	}
	err := eventauth.CheckAuthEvents(m.rules, e, events, func(eventID id.EventID) bool { return m.events[eventID].Rejected })
	if err == nil {
		if m.rules.CreateEventImplied && e.Type != event.TypeCreate {
			auth[event.StateKey{Type: event.TypeCreate}] = m.events[id.EventID("$"+m.id[1:])].Event
		}
		err = eventauth.Check(m.rules, e, auth, nil)
	}
	if err == nil {
		err = eventauth.Check(m.rules, e, m.authState(values(before)), nil)
	}
	m.events[e.ID] = stateres.Entry{Event: e, Rejected: err != nil}
	m.list = append(m.list, e)
	m.before[e.ID], m.after[e.ID] = before, before
	if e.IsState() && err == nil {
		after := stateres.State{e.Key(): e.ID}
		for key, eventID := range before {
			if key != e.Key() {
				after[key] = eventID
			}
		}
		m.after[e.ID] = after
	}
}

// redact applies a redaction that was received, if it may be applied.
//
// Spec: room version 3 "Handling redactions".
func (m *model) redact(by *event.Event) {
	target := m.events[by.Redacts()].Event
	if target == nil || m.outcome[by.ID] != rooms.Accepted || m.outcome[target.ID] == "" || m.events[target.ID].Rejected {
		return
	}
	if eventauth.PowerLevelsOf(m.rules, m.authState(values(m.before[by.ID]))).MayRedact(by, target) {
		m.events[target.ID] = stateres.Entry{Event: target.Redact()}
		m.redacts[by.ID] = true
	}
}

// receive is what becomes of an event, and of the room, by check 6.
func (m *model) receive(e *event.Event) rooms.Outcome {
	m.know(e)
	switch {
	case m.events[e.ID].Rejected:
		m.outcome[e.ID] = rooms.Rejected
	case len(m.tips) > 0 && eventauth.Check(m.rules, e, m.authState(values(m.current())), nil) != nil:
		m.outcome[e.ID] = rooms.SoftFailed
	default:
		m.outcome[e.ID] = rooms.Accepted
		behind := map[id.EventID]bool{}
		for next := e.PrevEvents; len(next) > 0; next = next[1:] {
			behind[next[0]] = true
			if m.outcome[next[0]] != rooms.Accepted {
				next = append(next[:len(next):len(next)], m.events[next[0]].Event.PrevEvents...)
			}
		}
		tips := []id.EventID{e.ID}
		for _, tip := range m.tips {
			if !behind[tip] {
				tips = append(tips, tip)
			}
		}
		m.tips = tips
	}
	return m.outcome[e.ID]
}
