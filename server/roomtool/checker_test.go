// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

// randomRoom builds a room with forks, merges and rejected events.
func randomRoom(t *testing.T, rules *roomver.Rules, chance *rand.Rand) [][]byte {
	b := newBuilder(rules)
	line := func(format string, args ...any) {
		require.NoError(t, b.addLine(position{"random", len(b.events) + 1}, fmt.Appendf(nil, format, args...)))
	}
	const alice = "@alice:one.example"
	line(`{"name":"0","type":"m.room.create","sender":"%s"}`, alice)
	line(`{"name":"1","type":"m.room.member","state_key":"%s","sender":"%[1]s","content":{"membership":"join"}}`, alice)
	line(`{"name":"2","type":"m.room.join_rules","state_key":"","sender":"%s","content":{"join_rule":"public"}}`, alice)
	ends := []string{"2"}
	for n := 3; n < 40; n++ {
		chance.Shuffle(len(ends), func(i, j int) { ends[i], ends[j] = ends[j], ends[i] })
		after := slices.Clone(ends[:1+chance.IntN(min(3, len(ends)))])
		if chance.IntN(3) == 0 {
			after = []string{fmt.Sprint(2 + chance.IntN(n-2))}
		}
		ends = slices.DeleteFunc(ends, func(e string) bool { return slices.Contains(after, e) })
		ends = append(ends, fmt.Sprint(n))
		common := fmt.Sprintf(`{"name":"%d","after":["%s"],`, n, strings.Join(after, `","`))
		user := fmt.Sprintf("@user%d:two.example", chance.IntN(4))
		switch chance.IntN(5) {
		case 0:
			line(`%s"type":"m.room.member","state_key":"%s","sender":"%[2]s","content":{"membership":"join"}}`, common, user)
		case 1:
			line(`%s"type":"m.room.member","state_key":"%s","sender":"%s","content":{"membership":"ban"}}`, common, user, alice)
		case 2:
			line(`%s"type":"m.room.topic","state_key":"","sender":"%s","content":{"topic":"%d"}}`, common, alice, n)
		case 3:
			line(`%s"type":"m.room.message","sender":"%s"}`, common, user)
		case 4:
			line(`%s"type":"m.room.message","sender":"%s","spoil":"hash"}`, common, alice)
		}
	}
	return b.events
}

func checkRoom(rules *roomver.Rules, lines [][]byte, keep bool) *checker {
	r := newRoom(rules)
	for i, object := range lines {
		r.add(position{"random", i + 1}, object)
	}
	r.sort()
	j := newChecker(r, nil)
	for i := range r.entries {
		j.keep[i] = keep
	}
	j.checkAll()
	return j
}

// statesOf computes the state after every event from scratch, without sharing.
func statesOf(t *testing.T, j *checker) map[int]stateres.State {
	states := map[int]stateres.State{}
	for _, i := range j.room.order {
		e := j.room.entries[i]
		var before []stateres.State
		for _, p := range e.prev {
			before = append(before, states[p])
		}
		state, err := stateres.Resolve(j.room.rules, before, j.room, nil)
		require.NoError(t, err)
		state = maps.Clone(state)
		if e.result.Verdict == accepted && e.ev.IsState() {
			state[e.ev.Key()] = e.ev.ID
		}
		states[i] = state
	}
	return states
}

func TestSharedStatesStayCorrect(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4))
	for _, rules := range roomver.All() {
		lines := randomRoom(t, rules, chance)
		frugal, lavish := checkRoom(rules, lines, false), checkRoom(rules, lines, true)
		states := statesOf(t, frugal)
		for i, want := range states {
			require.Equal(t, want, lavish.after[i].entries, "version %s, line %d", rules.Version, i+1)
			require.Equal(t, frugal.room.entries[i].result, lavish.room.entries[i].result)
		}
		ends := frugal.room.extremities()
		require.NotEmpty(t, ends)
		for _, i := range ends {
			require.Equal(t, states[i], frugal.after[i].entries, "version %s, line %d", rules.Version, i+1)
		}
	}
}

func TestOrderOfLinesDoesNotMatter(t *testing.T) {
	chance := rand.New(rand.NewPCG(5, 6))
	for _, rules := range roomver.All() {
		lines := randomRoom(t, rules, chance)
		results := func() (map[id.EventID]result, stateres.State) {
			j := checkRoom(rules, lines, false)
			all := map[id.EventID]result{}
			for _, e := range j.room.entries {
				all[e.ev.ID] = e.result
			}
			res, err := j.resolution(nil, false)
			require.NoError(t, err)
			return all, res.state
		}
		verdicts, state := results()
		chance.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		again, sameState := results()
		require.Equal(t, verdicts, again)
		require.Equal(t, state, sameState)
	}
}

func TestLongRoomNeedsLittleMemory(t *testing.T) {
	b := newBuilder(roomver.All()[10])
	lines := []string{
		`{"type":"m.room.create","sender":"@alice:one.example"}`,
		`{"type":"m.room.member","state_key":"@alice:one.example","sender":"@alice:one.example","content":{"membership":"join"}}`,
	}
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf(`{"type":"m.key","state_key":"%d","sender":"@alice:one.example"}`, i))
	}
	for i, line := range lines {
		require.NoError(t, b.addLine(position{"long", i + 1}, []byte(line)))
	}
	j := checkRoom(b.rules, b.events, false)
	require.True(t, j.good())
	kept := 0
	for _, s := range j.after {
		if s != nil {
			kept++
		}
	}
	require.Equal(t, 1, kept, "only the state at the end is kept")
}

// roomOf builds the events of descriptions, one per line.
func roomOf(t *testing.T, lines ...string) *builder {
	b := newBuilder(nil)
	for i, line := range append([]string{
		`{"name":"create","type":"m.room.create","sender":"@alice:one.example"}`,
		`{"name":"alice","type":"m.room.member","state_key":"@alice:one.example","sender":"@alice:one.example","content":{"membership":"join"}}`,
	}, lines...) {
		require.NoError(t, b.addLine(position{"room", i + 1}, []byte(line)))
	}
	return b
}

func TestForwardExtremities(t *testing.T) {
	b := roomOf(t,
		`{"name":"strange","type":"m.room.message","sender":"@stranger:one.example"}`,
		`{"type":"m.room.message","sender":"@alice:one.example"}`,
		`{"after":["alice"],"type":"m.room.message","sender":"@stranger:one.example"}`,
	)
	j := checkRoom(b.rules, b.events, false)
	require.Equal(t, []int{3}, j.room.extremities(), "the line after a rejected event, and not what stands before that")
	j = checkRoom(b.rules, slices.Delete(b.events, 3, 4), false)
	require.Equal(t, []int{1}, j.room.extremities())
	res, err := j.resolution(nil, false)
	require.NoError(t, err)
	require.Len(t, res.state, 2)
}

func TestMissingReferences(t *testing.T) {
	b := roomOf(t,
		`{"name":"lost","type":"m.room.message","sender":"@alice:one.example"}`,
		`{"type":"m.room.message","sender":"@alice:one.example"}`,
		`{"after":["lost"],"type":"m.room.message","sender":"@stranger:one.example"}`,
		`{"name":"topic","after":["alice"],"type":"m.room.topic","state_key":"","sender":"@alice:one.example"}`,
	)
	j := checkRoom(b.rules, slices.Delete(slices.Clone(b.events), 2, 3), false)
	require.Equal(t, unknown, j.room.entries[2].result.Verdict)
	require.Equal(t, stepReferences, j.room.entries[2].result.Step)
	require.Equal(t, rejected, j.room.entries[3].result.Verdict, "its auth events alone reject it")
	require.Equal(t, accepted, j.room.entries[4].result.Verdict)
	_, err := j.resolution([]int{2}, false)
	require.ErrorContains(t, err, "is not known")

	j = checkRoom(b.rules, b.events[1:], false)
	require.Contains(t, j.room.entries[0].result.Reason, "is not in the input", "without the create event")
	for _, e := range j.room.entries {
		require.Equal(t, unknown, e.result.Verdict)
	}
}
