// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

// parse makes an event without signatures.
func parse(tb testing.TB, rules *roomver.Rules, room id.RoomID, d event.Draft) *event.Event {
	list := func(ids []id.EventID) string {
		var refs []string
		for _, ref := range ids {
			quoted := `"` + string(ref) + `"`
			if rules.ReferencesCarryHashes {
				quoted = `[` + quoted + `,{"sha256":""}]`
			}
			refs = append(refs, quoted)
		}
		return "[" + strings.Join(refs, ",") + "]"
	}
	where := ""
	if room != "" {
		where = `"room_id":"` + string(room) + `",`
	}
	if rules.EventID == roomver.EventIDGiven {
		where += `"event_id":"` + string(d.EventID) + `",`
	}
	pdu := fmt.Sprintf(`{"auth_events":%s,"content":%s,"depth":%d,"hashes":{"sha256":"x"},"origin_server_ts":%d,"prev_events":%s,%s`+
		`"sender":"%s","signatures":{},"state_key":"%s","type":"%s"}`,
		list(d.AuthEvents), d.Content, d.Depth, d.OriginServerTS, list(d.PrevEvents), where, d.Sender, *d.StateKey, d.Type)
	e, err := event.Parse(rules, []byte(pdu))
	require.NoError(tb, err)
	return e
}

// longRoom makes a room whose power levels changed n times, so that its auth
// chain is that long, and two forks that end with different power levels.
func longRoom(tb testing.TB, version string, n int) (*roomver.Rules, stateres.Events, []stateres.State) {
	rules, _ := roomver.Get(version)
	source := stateres.Events{}
	add := func(room id.RoomID, d event.Draft) *event.Event {
		d.Sender, d.Depth = alice, 1
		if d.StateKey == nil {
			d.StateKey = text("")
		}
		e := parse(tb, rules, room, d)
		source[e.ID] = stateres.Entry{Event: e}
		return e
	}
	first := id.RoomID("")
	if !rules.RoomIDIsCreateHash {
		first = "!room:one.example"
	}
	create := add(first, event.Draft{Type: event.TypeCreate, Content: []byte(`{"room_version":"` + version + `"}`)})
	named := []id.EventID{create.ID}
	if rules.CreateEventImplied {
		named = nil
	}
	member := add(create.RoomID, event.Draft{
		Type: event.TypeMember, StateKey: text(string(alice)), Content: []byte(`{"membership":"join"}`), PrevEvents: []id.EventID{create.ID}, AuthEvents: named,
	})
	auth := append(named, member.ID)
	own := `"` + string(alice) + `":100000000,`
	if rules.CreatorsPrivileged {
		own = ""
	}
	var levels [2]*event.Event
	for i := range n {
		for fork := range levels {
			if fork == 1 && i < n-2 {
				levels[1] = levels[0]
				continue
			}
			a := auth
			if levels[fork] != nil {
				a = append(auth[:len(auth):len(auth)], levels[fork].ID)
			}
			levels[fork] = add(create.RoomID, event.Draft{
				Type: event.TypePowerLevels, Content: fmt.Appendf(nil, `{"users":{%s"@u:x":%d}}`, own, i+fork), AuthEvents: a, OriginServerTS: int64(2*i + fork),
			})
		}
	}
	sets := make([]stateres.State, 2)
	for fork, e := range levels {
		topic := add(create.RoomID, event.Draft{
			Type: "m.room.topic", Content: fmt.Appendf(nil, `{"topic":"%d"}`, fork), AuthEvents: append(auth[:len(auth):len(auth)], e.ID), OriginServerTS: int64(2*n + 1 - fork),
		})
		sets[fork] = stateres.State{create.Key(): create.ID, member.Key(): member.ID, e.Key(): e.ID, topic.Key(): topic.ID}
	}
	return rules, source, sets
}

func TestAnAuthChainOf100000Events(t *testing.T) {
	for _, version := range []string{"11", "12"} {
		rules, source, sets := longRoom(t, version, 100000)
		var trace stateres.Trace
		state, err := stateres.Resolve(rules, sets, source, &trace)
		require.NoError(t, err)
		require.Len(t, trace.AuthDifference, 2)
		require.Equal(t, sets[1][event.StateKey{Type: event.TypePowerLevels}], state[event.StateKey{Type: event.TypePowerLevels}])
		require.Equal(t, sets[1][event.StateKey{Type: "m.room.topic"}], state[event.StateKey{Type: "m.room.topic"}])
	}
}

func TestAThousandForks(t *testing.T) {
	for _, version := range []string{"1", "2", "12"} {
		r, sets := bigRoom(t, version, 20, 1000)
		var trace stateres.Trace
		state, err := stateres.Resolve(r.rules, sets, r.source, &trace)
		require.NoError(t, err)
		for _, c := range trace.Conflicts {
			for _, candidate := range c.Candidates {
				var states []int
				for i, set := range sets {
					if set[event.StateKey{Type: c.Type, Key: c.StateKey}] == candidate.Event {
						states = append(states, i)
					}
				}
				require.Equal(t, states, candidate.States)
			}
		}
		require.Len(t, state, 5+2+20+2000, "version %s: five entries without a user, two old members, and all that were there or joined", version)
	}
}

func BenchmarkAuthChain(b *testing.B) {
	for _, n := range []int{12500, 25000, 50000, 100000} {
		rules, source, sets := longRoom(b, "12", n)
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stateres.Resolve(rules, sets, source, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}
