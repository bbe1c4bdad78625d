// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
	"touchstone.example/tests/seedrand"
)

func text(s string) *string { return &s }

const (
	alice = id.UserID("@alice:one.example") // creates rooms
	bob   = id.UserID("@bob:two.example")
	carol = id.UserID("@carol:one.example")
	dan   = id.UserID("@dan:two.example")
	eve   = id.UserID("@eve:three.example")
)

var users = []id.UserID{alice, bob, carol, dan, eve}

var signers = map[id.ServerName]event.Signer{}

func init() {
	for _, user := range users {
		seed := sha256.Sum256([]byte(user.Server()))
		signers[user.Server()] = event.Signer{Name: user.Server(), KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed[:])}
	}
}

// A room is built event by event. Each event gets the resolved state of its
// previous events.
type room struct {
	t              testing.TB
	rules          *roomver.Rules
	d              seedrand.Dice
	id             id.RoomID
	source         stateres.Events
	list           []*event.Event
	after          map[id.EventID]stateres.State
	hashes         map[id.EventID][sha256.Size]byte
	malformed      bool // some events have malformed content
	inventedStates bool // some states are sets of events that no server following the rules would have
}

func newRoom(t testing.TB, rules *roomver.Rules, seed uint64) *room {
	r := &room{
		t: t, rules: rules, d: seedrand.Dice(seed), source: stateres.Events{},
		after: map[id.EventID]stateres.State{}, hashes: map[id.EventID][sha256.Size]byte{},
	}
	if !rules.RoomIDIsCreateHash {
		r.id = "!room:one.example"
	}
	return r
}

// build makes an event after prevs, with auth events from a state. It returns
// nil if the same event exists already.
func (r *room) build(d event.Draft, prevs []*event.Event, state stateres.State) *event.Event {
	d.RoomID, d.ReferenceHashes = r.id, r.hashes
	for _, p := range prevs {
		d.PrevEvents = append(d.PrevEvents, p.ID)
		d.Depth = max(d.Depth, p.Depth)
	}
	d.Depth++
	if d.AuthEvents == nil {
		for _, k := range eventauth.AuthKeys(r.rules, d.Type, d.Sender, d.StateKey, d.Content) {
			if eventID, ok := state[k]; ok {
				d.AuthEvents = append(d.AuthEvents, eventID)
			}
		}
	}
	e, err := event.Build(r.rules, d, signers[d.Sender.Server()])
	require.NoError(r.t, err)
	if r.source[e.ID].Event != nil {
		return nil
	}
	return e
}

// addEvent adds an event to the room, with the state after it.
func (r *room) addEvent(e *event.Event, before stateres.State, rejected bool) {
	r.id = e.RoomID
	r.source[e.ID] = stateres.Entry{Event: e, Rejected: rejected}
	r.hashes[e.ID] = e.ReferenceHash()
	r.list = append(r.list, e)
	after := before
	if e.IsState() && (!rejected || r.d.OneIn(2)) {
		after = make(stateres.State, len(before)+1)
		for k, v := range before {
			after[k] = v
		}
		after[e.Key()] = e.ID
	}
	r.after[e.ID] = after
}

// authState converts a state to one that eventauth checks against.
func (r *room) authState(state stateres.State) eventauth.StateMap {
	m := make(eventauth.StateMap, len(state))
	for k, eventID := range state {
		if e := r.source[eventID].Event; e != nil {
			m[k] = e
		}
	}
	return m
}

func (r *room) start() {
	content := `{"room_version":"` + r.rules.Version + `"}`
	if r.rules.CreatorInContent {
		content = `{"creator":"` + string(alice) + `","room_version":"` + r.rules.Version + `"}`
	} else if r.rules.AdditionalCreators && r.d.OneIn(4) {
		content = `{"additional_creators":["` + string(carol) + `"],"room_version":"` + r.rules.Version + `"}`
	}
	r.addAllowed(event.Draft{Type: event.TypeCreate, StateKey: text(""), Sender: alice, Content: []byte(content)})
	r.addAllowed(event.Draft{Type: event.TypeMember, StateKey: text(string(alice)), Sender: alice, Content: []byte(`{"membership":"join"}`)})
	if !r.d.OneIn(5) {
		users := `"` + string(alice) + `":100,`
		if r.rules.CreatorsPrivileged {
			users = ""
		}
		r.addAllowed(event.Draft{Type: event.TypePowerLevels, StateKey: text(""), Sender: alice, Content: []byte(
			`{"ban":50,"events":{"m.room.power_levels":40},"events_default":0,"invite":0,"kick":50,"notifications":{"room":50},"redact":50,` +
				`"state_default":` + seedrand.Pick(&r.d, "0", "50") + `,"users":{` + users + `"` + string(bob) + `":` + seedrand.Pick(&r.d, "50", "100") + `},"users_default":0}`)})
	}
	if !r.d.OneIn(5) {
		r.addAllowed(event.Draft{Type: event.TypeJoinRules, StateKey: text(""), Sender: alice, Content: []byte(`{"join_rule":"public"}`)})
	}
}

// addAllowed adds an event after the last one; the rules must allow it.
func (r *room) addAllowed(d event.Draft) *event.Event {
	var prevs []*event.Event
	state := stateres.State{}
	if n := len(r.list); n > 0 {
		prevs = r.list[n-1:]
		state = r.after[prevs[0].ID]
	}
	if d.OriginServerTS == 0 {
		d.OriginServerTS = 1000 + int64(len(r.list))
	}
	e := r.build(d, prevs, state)
	require.NotNil(r.t, e)
	require.NoError(r.t, eventauth.Check(r.rules, e, r.authState(state), nil), "%s", e.PDU())
	r.addEvent(e, state, false)
	return e
}

// grow tries to add this many random events after random events of the room.
func (r *room) grow(attempts int) {
	for range attempts {
		prevs := r.prevs()
		sets := make([]stateres.State, len(prevs))
		for i, p := range prevs {
			sets[i] = r.after[p.ID]
		}
		state, err := stateres.Resolve(r.rules, sets, r.source, nil)
		require.NoError(r.t, err)
		d := r.attempt(state)
		// Times are close together, so that ties are frequent; now and then one
		// is far off.
		d.OriginServerTS = 1000 + int64(len(r.list)/3)
		if r.d.OneIn(6) {
			d.OriginServerTS = 1000 + int64(r.d.Roll(20))
		}
		e := r.build(d, prevs, state)
		if e == nil {
			continue
		}
		err = eventauth.Check(r.rules, e, r.authState(state), nil)
		if err != nil && (!r.inventedStates || !r.d.OneIn(4)) {
			continue
		}
		r.addEvent(e, state, err != nil)
	}
}

// prevs picks one to three previous events, mostly recent ones.
func (r *room) prevs() []*event.Event {
	var prevs []*event.Event
	n := len(r.list)
	for range seedrand.Pick(&r.d, 1, 1, 1, 2, 3) {
		i := n - 1 - r.d.Roll(min(n, 4))
		if r.d.OneIn(4) {
			i = min(n-1, 4) + r.d.Roll(max(1, n-4))
		}
		if p := r.list[min(i, n-1)]; !slices.Contains(prevs, p) {
			prevs = append(prevs, p)
		}
	}
	return prevs
}

// attempt drafts a random event of a random user, whether allowed or not.
func (r *room) attempt(state stateres.State) event.Draft {
	d := &r.d
	sender := seedrand.Pick(d, users...)
	if d.OneIn(2) { // a user who has power
		sender = seedrand.Pick(d, alice, alice, bob)
	}
	draft := event.Draft{Sender: sender, StateKey: text("")}
	switch d.Roll(12) {
	case 0, 1, 2:
		draft.Type, draft.StateKey = event.TypeMember, text(string(sender))
		draft.Content = r.member(seedrand.Pick(d, "join", "join", "join", "join", "leave", "knock"))
	case 3, 4, 5:
		draft.Type, draft.StateKey = event.TypeMember, text(string(seedrand.Pick(d, users...)))
		draft.Content = r.member(seedrand.Pick(d, "leave", "ban", "ban", "invite", "invite"))
	case 6, 7, 8:
		draft.Type, draft.Content = event.TypePowerLevels, []byte(r.levels(state))
	case 9:
		draft.Type = event.TypeJoinRules
		draft.Content = []byte(`{"join_rule":"` + seedrand.Pick(d, "public", "public", "invite", "knock", "restricted", "knock_restricted") + `"}`)
	case 10:
		draft.Type, draft.StateKey = seedrand.Pick(d, "m.room.message", event.TypeRedaction), nil
		draft.Content = []byte(`{"body":"` + strconv.Itoa(d.Roll(1000)) + `"}`)
		draft.Redacts = r.list[d.Roll(len(r.list))].ID
		if draft.Type != event.TypeRedaction {
			draft.Redacts = ""
		}
	default:
		draft.Type = seedrand.Pick(d, "m.room.topic", "m.room.topic", "m.room.name", event.TypeThirdPartyInvite, event.TypeAliases)
		draft.StateKey = text(seedrand.Pick(d, "", "", "x", string(sender.Server()), string(sender)))
		draft.Content = []byte(`{"n":` + strconv.Itoa(d.Roll(1000)) + `}`)
	}
	if r.malformed && draft.Type != event.TypeRedaction && d.OneIn(5) {
		draft.Content = []byte(seedrand.Pick(d, `{}`, `{"membership":1}`, `{"membership":"ban","displayname":5}`, `{"users":5}`, `{"users":{"x":1}}`,
			`{"users":{"@bob:two.example":"50"},"ban":"x"}`, `{"join_rule":null}`, `{"join_rule":"x"}`, `{"users_default":{}}`))
	}
	return draft
}

func (r *room) member(membership string) []byte {
	more := ""
	if membership == "join" && r.rules.Restricted && r.d.OneIn(4) {
		more = `"join_authorised_via_users_server":"` + string(seedrand.Pick(&r.d, users...)) + `",`
	}
	if r.d.OneIn(3) {
		more = `"displayname":"` + strconv.Itoa(r.d.Roll(100)) + `",` + more
	}
	return []byte(`{` + more + `"membership":"` + membership + `"}`)
}

// levels returns the room's power levels with one or two changes.
func (r *room) levels(state stateres.State) string {
	levels := map[string]int{"ban": 50, "kick": 50, "redact": 50, "invite": 0, "state_default": 50, "events_default": 0, "users_default": 0}
	users, events := map[string]int{}, map[string]int{"m.room.power_levels": 40}
	if !r.rules.CreatorsPrivileged {
		users[string(alice)] = 100
	}
	if e := r.source[state[event.StateKey{Type: event.TypePowerLevels}]].Event; e != nil {
		for name := range levels {
			if n, err := strconv.Atoi(string(e.ContentMember(name))); err == nil {
				levels[name] = n
			}
		}
		clear(users)
		for user, v := range event.Members(e.ContentMember("users")) {
			if n, err := strconv.Atoi(string(v)); err == nil {
				users[user] = n
			}
		}
	}
	for range 1 + r.d.Roll(2) {
		level := seedrand.Pick(&r.d, 0, 20, 40, 50, 60, 100)
		switch r.d.Roll(8) {
		case 0, 1:
			levels[seedrand.Pick(&r.d, "ban", "kick", "redact", "invite", "state_default", "users_default")] = level
		case 2:
			delete(users, string(seedrand.Pick(&r.d, bob, carol, dan, eve)))
		default:
			users[string(seedrand.Pick(&r.d, bob, bob, carol, dan, eve))] = level
		}
	}
	object := func(m map[string]int) string {
		var members []string
		for name, n := range m {
			members = append(members, `"`+name+`":`+strconv.Itoa(n))
		}
		slices.Sort(members)
		return strings.Join(members, ",")
	}
	return fmt.Sprintf(`{%s,"events":{%s},"notifications":{"room":50},"users":{%s}}`, object(levels), object(events), object(users))
}

// forks picks the states to resolve.
func (r *room) forks() []stateres.State {
	sets := make([]stateres.State, 2+r.d.Roll(4))
	for i := range sets {
		sets[i] = r.after[r.list[len(r.list)-1-r.d.Roll(min(len(r.list), 15))].ID]
		if r.inventedStates && r.d.OneIn(3) {
			// An invented state: random events of the room.
			made := stateres.State{}
			for _, k := range slices.SortedFunc(maps.Keys(sets[i]), byKey) {
				if !r.d.OneIn(10) || k.Type == event.TypeCreate {
					made[k] = sets[i][k]
				}
			}
			for range r.d.Roll(3) {
				if e := r.list[r.d.Roll(len(r.list))]; e.IsState() && e.Type != event.TypeCreate {
					made[e.Key()] = e.ID
				}
			}
			sets[i] = made
		}
	}
	return sets
}

func byKey(a, b event.StateKey) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Key, b.Key))
}

// removeRejectAndRedact removes some events from the source, marks some as rejected and redacts
// some.
func (r *room) removeRejectAndRedact() {
	for _, e := range r.list[1:] {
		switch entry := r.source[e.ID]; r.d.Roll(20) {
		case 0:
			delete(r.source, e.ID)
		case 1:
			entry.Rejected = true
			r.source[e.ID] = entry
		case 2:
			entry.Event = e.Redact()
			r.source[e.ID] = entry
		}
	}
}

// randomRoom makes a room with forks. The seed decides which features it has.
func randomRoom(t testing.TB, rules *roomver.Rules, seed uint64) (*room, []stateres.State) {
	r := newRoom(t, rules, seed)
	r.malformed, r.inventedStates = r.d.OneIn(4), r.d.OneIn(4)
	spoilt := r.d.OneIn(4)
	r.start()
	r.grow(15 + r.d.Roll(40))
	sets := r.forks()
	if spoilt {
		r.removeRejectAndRedact()
	}
	return r, sets
}
