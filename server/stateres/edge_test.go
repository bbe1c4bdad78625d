// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
	"touchstone.example/tests/seedrand"
)

func TestStatesThatDoNotConflictNeedNoEvents(t *testing.T) {
	name := event.StateKey{Type: "m.room.name"}
	for _, rules := range roomver.All() {
		for _, sets := range [][]stateres.State{nil, {}, {nil}, {{}}, {{}, nil}, {{name: "$x"}}, {{name: "$x"}, {name: "$x"}}} {
			state, err := stateres.Resolve(rules, sets, broken{}, nil)
			require.NoError(t, err)
			want := stateres.State{}
			if len(sets) > 0 && sets[0] != nil {
				want = sets[0]
			}
			require.Equal(t, want, state)
		}
		same := stateres.State{name: "$x"}
		state, err := stateres.Resolve(rules, []stateres.State{same}, stateres.Events{}, nil)
		require.NoError(t, err)
		state[name] = "$y"
		require.Equal(t, id.EventID("$x"), same[name], "the result is the caller's to change")
	}
}

func TestOnlyMissingEventsConflict(t *testing.T) {
	name, topic := event.StateKey{Type: "m.room.name"}, event.StateKey{Type: "m.room.topic"}
	for _, rules := range roomver.All() {
		var trace stateres.Trace
		state, err := stateres.Resolve(rules, []stateres.State{{name: "$x", topic: "$t"}, {name: "$y", topic: "$t"}}, stateres.Events{}, &trace)
		require.NoError(t, err)
		require.Equal(t, stateres.State{topic: "$t"}, state)
		require.Equal(t, []id.EventID{"$x", "$y"}, trace.Missing)
	}
}

func TestAnUnknownAlgorithmIsAnError(t *testing.T) {
	rules := *roomver.All()[1]
	rules.StateResolution = "3"
	name := event.StateKey{Type: "m.room.name"}
	_, err := stateres.Resolve(&rules, []stateres.State{{name: "$x"}, {}}, stateres.Events{}, nil)
	require.ErrorContains(t, err, `no algorithm "3"`)
}

// A server that chooses event IDs can send events that are in each other's auth
// chains. They cannot be ordered: they count as missing, and so does every
// event that has them in its auth chain.
func TestCircularAuthChains(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		rules, _ := roomver.Get(version)
		room := id.RoomID("!r:one.example")
		source := stateres.Events{}
		add := func(name, typ, content string, auth ...id.EventID) *event.Event {
			key := ""
			if typ == event.TypeMember {
				key = string(alice)
			}
			e := parse(t, rules, room, event.Draft{
				EventID: id.EventID("$" + name + ":one.example"), Type: typ, StateKey: &key, Sender: alice, Content: []byte(content), AuthEvents: auth, Depth: 1,
			})
			source[e.ID] = stateres.Entry{Event: e}
			return e
		}
		create := add("create", event.TypeCreate, `{"creator":"@alice:one.example"}`)
		member := add("alice", event.TypeMember, `{"membership":"join"}`, create.ID)
		a := add("a", event.TypePowerLevels, `{"users":{"@alice:one.example":100}}`, create.ID, member.ID, "$b:one.example")
		b := add("b", event.TypePowerLevels, `{"users":{"@alice:one.example":90}}`, create.ID, member.ID, "$a:one.example")
		own := add("own", "m.room.name", `{}`, create.ID, member.ID, "$own:one.example")
		on := add("on", "m.room.topic", `{}`, create.ID, member.ID, a.ID)
		fine := add("fine", "m.room.topic", `{}`, create.ID, member.ID)
		base := stateres.State{create.Key(): create.ID, member.Key(): member.ID}
		with := func(events ...*event.Event) stateres.State {
			set := stateres.State{}
			for k, v := range base {
				set[k] = v
			}
			for _, e := range events {
				set[e.Key()] = e.ID
			}
			return set
		}
		state, err := stateres.Resolve(rules, []stateres.State{with(a, on, own), with(b, fine)}, source, nil)
		require.NoError(t, err)
		again, err := stateres.Resolve(rules, []stateres.State{with(b, fine), with(a, on, own)}, source, nil)
		require.NoError(t, err)
		require.Equal(t, state, again)
		if version == "2" {
			require.Equal(t, with(fine), state)
		}
	}
}

// Entries that all states share stay unchanged, even malformed ones: an event
// under a key that is not its own, one event under two keys, an event of
// another type under the key of power levels or of a member.
//
// Spec: room version 2, "Unconflicted state map and conflicted state set": "The
// entries in S[i] for each i that are the same".
func TestMalformedSharedEntriesStay(t *testing.T) {
	name, topic := event.StateKey{Type: "m.room.name"}, event.StateKey{Type: "m.room.topic"}
	for _, rules := range roomver.All() {
		r := newRoom(t, rules, 3)
		r.start()
		named := r.addAllowed(event.Draft{Type: name.Type, StateKey: text(""), Sender: alice, Content: []byte(`{"name":"x"}`)})
		last := r.list[len(r.list)-1:]
		var topics []*event.Event
		for _, of := range []string{"a", "b"} {
			e := r.build(event.Draft{Type: topic.Type, StateKey: text(""), Sender: alice, Content: []byte(`{"topic":"` + of + `"}`)}, last, r.after[named.ID])
			r.addEvent(e, r.after[named.ID], false)
			topics = append(topics, e)
		}
		for what, extra := range map[string]stateres.State{
			"a foreign key":              {{Type: "m.room.avatar"}: named.ID},
			"no own key":                 {{Type: "m.room.avatar"}: named.ID, name: r.list[0].ID},
			"many keys":                  {{Type: "a", Key: "x"}: named.ID, {Type: "b"}: named.ID, {Type: event.TypeMember, Key: "@x:y"}: named.ID},
			"a conflicted event":         {{Type: "m.room.avatar"}: topics[0].ID},
			"in a member's place":        {{Type: event.TypeMember, Key: string(bob)}: named.ID},
			"in place of the levels":     {{Type: event.TypePowerLevels}: named.ID},
			"an event that is not there": {{Type: "m.room.avatar"}: "$nowhere", {Type: "m.room.pinned_events"}: "$nowhere"},
		} {
			sets := make([]stateres.State, 3)
			for i := range sets {
				sets[i] = maps.Clone(r.after[topics[i%2].ID])
				maps.Copy(sets[i], extra)
			}
			got, err := stateres.Resolve(rules, sets, r.source, nil)
			require.NoError(t, err)
			for k, v := range extra {
				require.Equal(t, v, got[k], "version %s, %s", rules.Version, what)
			}
			require.Equal(t, newModel(rules, r.source).resolve(sets), got, "version %s, %s", rules.Version, what)
		}
	}
}

// States may contain message events, and events under a key other than their
// own. A server may send such states, and they must not break the algorithm.
func TestMalformedStates(t *testing.T) {
	for _, rules := range roomver.All() {
		r := newRoom(t, rules, 7)
		r.start()
		r.grow(20)
		base := r.after[r.list[len(r.list)-1].ID]
		put := func(sets ...stateres.State) {
			e := r.list[r.d.Roll(len(r.list))]
			k := event.StateKey{Type: seedrand.Pick(&r.d, "x", "y", event.TypeMember, event.TypePowerLevels, event.TypeCreate), Key: seedrand.Pick(&r.d, "", "k")}
			for _, set := range sets {
				set[k] = e.ID
			}
		}
		for i := range 60 {
			sets := []stateres.State{maps.Clone(base), maps.Clone(base), maps.Clone(base)}
			for range r.d.Roll(3) {
				put(sets...)
			}
			for range r.d.Roll(4) {
				put(sets[r.d.Roll(3)])
			}
			state, err := stateres.Resolve(rules, sets, r.source, nil)
			require.NoError(t, err)
			require.Equal(t, newModel(rules, r.source).resolve(sets), state, "version %s, %d", rules.Version, i)
			again, err := stateres.Resolve(rules, []stateres.State{sets[2], sets[0], sets[1]}, r.source, nil)
			require.NoError(t, err)
			require.Equal(t, state, again, fmt.Sprint(i))
		}
	}
}

// Events of one sender with equal timestamps on two branches are ordered by ID,
// in each pass: the greater ID is applied last, so it wins.
//
// Spec: room version 2, "Reverse topological power ordering", "Mainline
// ordering".
func TestTiesAreBrokenByIDs(t *testing.T) {
	for _, rules := range roomver.All()[1:] {
		r := newRoom(t, rules, 5)
		content := `{"room_version":"` + rules.Version + `"}`
		if rules.CreatorInContent {
			content = `{"creator":"` + string(alice) + `"}`
		}
		r.addAllowed(event.Draft{Type: event.TypeCreate, StateKey: text(""), Sender: alice, Content: []byte(content)})
		r.addAllowed(event.Draft{Type: event.TypeMember, StateKey: text(string(alice)), Sender: alice, Content: []byte(`{"membership":"join"}`)})
		last := r.list[len(r.list)-1:]
		base := r.after[last[0].ID]
		for typ, content := range map[string]string{
			event.TypePowerLevels: `{"users_default":%d,"users":{` + own(rules) + `}}`, event.TypeJoinRules: `{"join_rule":"public","n":%d}`, "m.room.topic": `{"n":%d}`,
		} {
			var sets []stateres.State
			greatest := id.EventID("")
			for n := range 6 {
				e := r.build(event.Draft{
					Type: typ, StateKey: text(""), Sender: alice, Content: fmt.Appendf(nil, content, n), OriginServerTS: 5000,
				}, last, base)
				r.addEvent(e, base, false)
				sets, greatest = append(sets, r.after[e.ID]), max(greatest, e.ID)
			}
			state, err := stateres.Resolve(rules, sets, r.source, nil)
			require.NoError(t, err)
			require.Equal(t, greatest, state[event.StateKey{Type: typ}], "version %s, %s", rules.Version, typ)
		}
	}
}

// own returns the creator's entry in the users of power levels, where the room
// version allows one.
func own(rules *roomver.Rules) string {
	if rules.CreatorsPrivileged {
		return ""
	}
	return `"` + string(alice) + `":100`
}
