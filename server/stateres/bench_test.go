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
)

// bigRoom makes a room with many members and many concurrent forks. In each
// fork a moderator changes the topic, the power levels and a name, bans one
// user and kicks another, and two users join.
func bigRoom(tb testing.TB, version string, members, forks int) (*room, []stateres.State) {
	rules, ok := roomver.Get(version)
	require.True(tb, ok)
	r := newRoom(tb, rules, 1)
	content := `{"room_version":"` + version + `"}`
	if rules.CreatorInContent {
		content = `{"creator":"` + string(alice) + `"}`
	}
	r.addAllowed(event.Draft{Type: event.TypeCreate, StateKey: text(""), Sender: alice, Content: []byte(content)})
	r.addAllowed(event.Draft{Type: event.TypeMember, StateKey: text(string(alice)), Sender: alice, Content: []byte(`{"membership":"join"}`)})
	levels := func(n int) []byte {
		own := `"` + string(alice) + `":100,`
		if rules.CreatorsPrivileged {
			own = ""
		}
		return fmt.Appendf(nil, `{"users":{%s"%s":100,"@u%d:two.example":50},"state_default":50}`, own, bob, n)
	}
	r.addAllowed(event.Draft{Type: event.TypePowerLevels, StateKey: text(""), Sender: alice, Content: levels(0)})
	r.addAllowed(event.Draft{Type: event.TypeJoinRules, StateKey: text(""), Sender: alice, Content: []byte(`{"join_rule":"public"}`)})
	r.addAllowed(event.Draft{Type: event.TypeMember, StateKey: text(string(bob)), Sender: bob, Content: []byte(`{"membership":"join"}`)})

	state := maps.Clone(r.after[r.list[len(r.list)-1].ID])
	join := func(prevs []*event.Event, state stateres.State, n int) *event.Event {
		user := id.UserID(fmt.Sprintf("@u%d:two.example", n))
		return r.build(event.Draft{
			Type: event.TypeMember, StateKey: text(string(user)), Sender: user, Content: []byte(`{"membership":"join"}`), OriginServerTS: int64(2000 + n),
		}, prevs, state)
	}
	add := func(e *event.Event, state stateres.State) {
		r.source[e.ID] = stateres.Entry{Event: e}
		r.hashes[e.ID] = e.ReferenceHash()
		r.list = append(r.list, e)
		state[e.Key()] = e.ID
	}
	for n := range members {
		add(join(r.list[len(r.list)-1:], state, n), state)
	}
	last := r.list[len(r.list)-1]
	sets := make([]stateres.State, forks)
	for i := range sets {
		set := maps.Clone(state)
		prevs := []*event.Event{last}
		for j, d := range []event.Draft{
			{Type: "m.room.topic", Sender: alice, StateKey: text(""), Content: fmt.Appendf(nil, `{"topic":"%d"}`, i)},
			{Type: event.TypePowerLevels, Sender: bob, StateKey: text(""), Content: levels(i + 1)},
			{Type: event.TypeMember, Sender: bob, StateKey: text(fmt.Sprintf("@u%d:two.example", 2*i)), Content: []byte(`{"membership":"ban"}`)},
			{Type: event.TypeMember, Sender: alice, StateKey: text(fmt.Sprintf("@u%d:two.example", 2*i+1)), Content: []byte(`{"membership":"leave"}`)},
			{Type: "m.room.name", Sender: bob, StateKey: text(""), Content: fmt.Appendf(nil, `{"name":"%d"}`, i)},
		} {
			d.OriginServerTS = int64(100000 + 10*i + j)
			e := r.build(d, prevs, set)
			add(e, set)
			prevs = []*event.Event{e}
		}
		for n := range 2 {
			add(join(prevs, set, members+2*i+n), set)
		}
		sets[i] = set
	}
	return r, sets
}

// BenchmarkGrowth measures how the time grows with the number of members and
// with the number of forks.
func BenchmarkGrowth(b *testing.B) {
	for _, size := range []struct{ members, forks int }{{1000, 10}, {2000, 10}, {4000, 10}, {8000, 10}, {100, 125}, {100, 250}, {100, 500}, {100, 1000}} {
		b.Run(fmt.Sprintf("members=%d/forks=%d", size.members, size.forks), func(b *testing.B) {
			r, sets := bigRoom(b, "12", size.members, size.forks)
			entries := 0
			for _, set := range sets {
				entries += len(set)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				if _, err := stateres.Resolve(r.rules, sets, r.source, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(entries), "ns/entry")
		})
	}
}

// twoForksOfJoins makes a room with two forks of n joins each. Its power levels
// list 500 users.
func twoForksOfJoins(tb testing.TB, n int) (*room, []stateres.State) {
	r, sets := bigRoom(tb, "11", 10, 1)
	var users []byte
	for i := range 500 {
		users = fmt.Appendf(users, `,"@moderator%d:two.example":50`, i)
	}
	levels := r.build(event.Draft{
		Type: event.TypePowerLevels, Sender: alice, StateKey: text(""), OriginServerTS: 200000,
		Content: fmt.Appendf(nil, `{"users":{"%s":100%s},"state_default":50}`, alice, users),
	}, r.list[len(r.list)-1:], sets[0])
	r.source[levels.ID] = stateres.Entry{Event: levels}
	state := maps.Clone(sets[0])
	state[levels.Key()] = levels.ID
	sets = []stateres.State{maps.Clone(state), maps.Clone(state)}
	for i := range 2 * n {
		set := sets[i%2]
		user := id.UserID(fmt.Sprintf("@joins%d:two.example", i))
		e := r.build(event.Draft{
			Type: event.TypeMember, StateKey: text(string(user)), Sender: user, Content: []byte(`{"membership":"join"}`), OriginServerTS: int64(300000 + i),
		}, []*event.Event{levels}, set)
		r.source[e.ID] = stateres.Entry{Event: e}
		set[e.Key()] = e.ID
	}
	return r, sets
}
