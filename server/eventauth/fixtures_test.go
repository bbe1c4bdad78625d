// SPDX-License-Identifier: Apache-2.0

package eventauth_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// A fixture is one line of testdata: an event, the differences of the state to
// baseState, and the expected results. Each result is "allow" or the number of
// the rule that rejects the event, keyed by the first room version that has
// this result. Versions before the first key are not tested.
type fixture struct {
	Name   string
	State  []fixtureEvent
	Remove [][2]string
	Event  fixtureEvent
	Want   map[string]string
}

type fixtureEvent struct {
	Type         string          `json:"type"`
	StateKey     *string         `json:"state_key"`
	Sender       id.UserID       `json:"sender"`
	Content      json.RawMessage `json:"content"`
	RoomID       id.RoomID       `json:"room_id"`
	Redacts      id.EventID      `json:"redacts"`
	Prev         string          `json:"prev"`   // "create", "last", or something else
	Create       bool            `json:"create"` // the event is a create event
	AlsoSignedBy []id.ServerName `json:"also_signed_by"`
}

// baseState is a room with one member of each kind. The server one.example
// created the room; the other server is two.example.
const baseState = `[
	{"type":"m.room.create","state_key":"","sender":"@creator:one.example","content":{"creator":"@creator:one.example"}},
	{"type":"m.room.member","state_key":"@creator:one.example","sender":"@creator:one.example","content":{"membership":"join"}},
	{"type":"m.room.member","state_key":"@admin:one.example","sender":"@admin:one.example","content":{"membership":"join"}},
	{"type":"m.room.member","state_key":"@other:one.example","sender":"@other:one.example","content":{"membership":"join"}},
	{"type":"m.room.member","state_key":"@mod:two.example","sender":"@mod:two.example","content":{"membership":"join"}},
	{"type":"m.room.member","state_key":"@user:two.example","sender":"@user:two.example","content":{"membership":"join"}},
	{"type":"m.room.member","state_key":"@invited:two.example","sender":"@mod:two.example","content":{"membership":"invite"}},
	{"type":"m.room.member","state_key":"@banned:two.example","sender":"@mod:two.example","content":{"membership":"ban"}},
	{"type":"m.room.member","state_key":"@knocking:two.example","sender":"@knocking:two.example","content":{"membership":"knock"}},
	{"type":"m.room.power_levels","state_key":"","sender":"@creator:one.example","content":{"users":{"@admin:one.example":100,"@mod:two.example":50}}},
	{"type":"m.room.join_rules","state_key":"","sender":"@admin:one.example","content":{"join_rule":"invite"}}
]`

func readFixtures(t testing.TB, path string) []fixture {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var fixtures []fixture
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		var f fixture
		require.NoError(t, json.Unmarshal(s.Bytes(), &f), s.Text())
		fixtures = append(fixtures, f)
	}
	return fixtures
}

// A fixtureRoom builds the events of a fixture for one room version.
type fixtureRoom struct {
	t      testing.TB
	rules  *roomver.Rules
	id     id.RoomID
	create *event.Event
	hashes map[id.EventID][sha256.Size]byte
}

const elsewhere = id.EventID("$elsewhere:one.example")

// state builds the state of a fixture.
func (f *fixture) state(t testing.TB, rules *roomver.Rules) (*fixtureRoom, eventauth.StateMap) {
	var all []fixtureEvent
	require.NoError(t, json.Unmarshal([]byte(baseState), &all))
	r := &fixtureRoom{t: t, rules: rules, id: "!room:one.example", hashes: map[id.EventID][sha256.Size]byte{elsewhere: {}}}
	state := eventauth.StateMap{}
	for _, fe := range append(all, f.State...) {
		if fe.Type == event.TypeCreate {
			fe.Create = true
			r.create = r.build(fe)
			r.id = r.create.RoomID
		}
	}
	for _, fe := range append(all, f.State...) {
		e := r.create
		if fe.Type != event.TypeCreate {
			e = r.build(fe)
		}
		state[e.Key()] = e
	}
	for _, key := range f.Remove {
		require.NotNil(t, state.Event(key[0], key[1]), "nothing to remove")
		delete(state, event.StateKey{Type: key[0], Key: key[1]})
	}
	return r, state
}

func (r *fixtureRoom) build(fe fixtureEvent) *event.Event {
	d := event.Draft{
		RoomID: r.id, Sender: fe.Sender, Type: fe.Type, StateKey: fe.StateKey, Content: []byte(fe.Content),
		Redacts: fe.Redacts, Depth: 5, OriginServerTS: 1000, PrevEvents: []id.EventID{elsewhere},
		ReferenceHashes: r.hashes,
	}
	if fe.Create {
		d.PrevEvents = nil
		if r.rules.RoomIDIsCreateHash {
			d.RoomID = ""
		}
	}
	switch fe.Prev {
	case "create":
		r.hashes[r.create.ID] = r.create.ReferenceHash()
		d.PrevEvents = []id.EventID{r.create.ID}
	case "last":
		d.PrevEvents = []id.EventID{elsewhere}
	}
	if fe.RoomID != "" {
		d.RoomID = fe.RoomID
	}
	e, err := event.Build(r.rules, d, signer(fe.Sender.Server()))
	require.NoError(r.t, err)
	for _, server := range fe.AlsoSignedBy {
		e, err = e.Sign(signer(server))
		require.NoError(r.t, err)
	}
	return e
}

// selected returns the entries of a state that the auth events selection
// selects, and the create event.
func selected(ev *event.Event, state eventauth.StateMap) eventauth.StateMap {
	part := eventauth.StateOf(state.Event(event.TypeCreate, ""))
	for _, k := range eventauth.AuthKeysOf(ev) {
		if e := state.Event(k.Type, k.Key); e != nil {
			part[k] = e
		}
	}
	return part
}

// want returns the expected result for a version.
func (f *fixture) want(version int) (rule string, ok bool) {
	for v := version; v > 0; v-- {
		if rule, ok := f.Want[strconv.Itoa(v)]; ok {
			return rule, true
		}
	}
	return "", false
}

func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		for _, f := range readFixtures(t, file) {
			t.Run(f.Name, func(t *testing.T) {
				for i, rules := range roomver.All() {
					want, ok := f.want(i + 1)
					if !ok {
						continue
					}
					r, state := f.state(t, rules)
					ev := r.build(f.Event)
					err := eventauth.Check(rules, ev, state, verify)
					require.Equal(t, err, eventauth.Check(rules, ev, selected(ev, state), verify),
						"the selected auth events decide as the whole state does")
					if want == "allow" {
						require.NoError(t, err, "version %s", rules.Version)
						continue
					}
					var rejection *eventauth.Rejection
					require.ErrorAs(t, err, &rejection, "version %s", rules.Version)
					require.Equal(t, want, rejection.Rule, "version %s: %s", rules.Version, rejection.Reason)
				}
			})
		}
	}
}
