// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
	"touchstone.example/tests/chance"
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

// Events that stand on each other, as a server that chooses IDs could send them,
// have no place in an order: they count as missing, and so does what stands on
// them.
func TestAuthChainsThatLeadBackToTheirStart(t *testing.T) {
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

// Messages and entries under another key than their own are nonsense, but
// nonsense that may be sent.
func TestNonsenseStates(t *testing.T) {
	for _, rules := range roomver.All() {
		r := newRoom(t, rules, 7)
		r.start()
		r.grow(20)
		base := r.after[r.list[len(r.list)-1].ID]
		for i := range 20 {
			sets := make([]stateres.State, 3)
			for j := range sets {
				sets[j] = stateres.State{}
				for k, v := range base {
					sets[j][k] = v
				}
				e := r.list[r.d.Roll(len(r.list))]
				sets[j][event.StateKey{Type: chance.Pick(&r.d, "x", event.TypeMember, event.TypePowerLevels, event.TypeCreate), Key: chance.Pick(&r.d, "", "k")}] = e.ID
			}
			state, err := stateres.Resolve(rules, sets, r.source, nil)
			require.NoError(t, err)
			again, err := stateres.Resolve(rules, []stateres.State{sets[2], sets[0], sets[1]}, r.source, nil)
			require.NoError(t, err)
			require.Equal(t, state, again, fmt.Sprint(i))
		}
	}
}
