// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"flag"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"slices"
	"strings"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

var (
	roomsFlag = flag.Int("rooms", 500, "rooms in the differential test, of all versions together")
	seedFlag  = flag.Uint64("seed", 1, "first seed of the differential test")
)

// A comparison is the result of gomatrixserverlib for one resolution.
type comparison struct {
	name  string
	rules *roomver.Rules // the rules that our implementation and the model use for it
	base  departures     // the departures that always apply
	ask   func(t testing.TB, sets []stateres.State, source stateres.Events, pdus map[id.EventID]gmsl.PDU) (stateres.State, bool)
}

func comparisons(rules *roomver.Rules) []comparison {
	switch rules.StateResolution {
	case roomver.StateResolutionV1:
		return []comparison{{"algorithm 1", rules, departures{}, askV1}}
	case roomver.StateResolutionV2:
		return []comparison{{"algorithm 2", rules, departures{}, askV2}}
	}
	// Its algorithm 2.1 panics on most rooms. For version 12 we therefore also
	// ask for the result of its algorithm 2, with the events and rules of
	// version 12 but without an auth difference.
	older := *rules
	older.StateResolution = roomver.StateResolutionV2
	return []comparison{{"algorithm 2.1", rules, departures{}, askV21}, {"algorithm 2 in version 12", &older, departures{noDifference: true}, askLegacy}}
}

func stateOf(pdus []gmsl.PDU) stateres.State {
	state := stateres.State{}
	for _, p := range pdus {
		state[event.StateKey{Type: p.Type(), Key: *p.StateKey()}] = id.EventID(p.EventID())
	}
	return state
}

func lists(sets []stateres.State, pdus map[id.EventID]gmsl.PDU) [][]gmsl.PDU {
	out := make([][]gmsl.PDU, len(sets))
	for i, set := range sets {
		for _, eventID := range set {
			if p := pdus[eventID]; p != nil {
				out[i] = append(out[i], p)
			}
		}
	}
	return out
}

func askV1(_ testing.TB, sets []stateres.State, _ stateres.Events, pdus map[id.EventID]gmsl.PDU) (stateres.State, bool) {
	all := map[event.StateKey]map[id.EventID]gmsl.PDU{}
	for _, set := range sets {
		for k, v := range set {
			if all[k] == nil {
				all[k] = map[id.EventID]gmsl.PDU{}
			}
			all[k][v] = pdus[v]
		}
	}
	var same, conflicted, auth []gmsl.PDU
	for k, events := range all {
		for _, p := range events {
			if p == nil {
				continue
			}
			if len(events) > 1 {
				conflicted = append(conflicted, p)
				continue
			}
			same = append(same, p)
			switch k.Type {
			case event.TypeCreate, event.TypePowerLevels, event.TypeJoinRules, event.TypeMember, event.TypeThirdPartyInvite:
				auth = append(auth, p)
			}
		}
	}
	return stateOf(append(same, gmsl.ResolveStateConflicts(conflicted, auth, sameSender)...)), true
}

func askV2(_ testing.TB, sets []stateres.State, source stateres.Events, pdus map[id.EventID]gmsl.PDU) (stateres.State, bool) {
	all := slices.Collect(maps.Values(pdus))
	return stateOf(gmsl.ResolveStateConflictsV2New(gmsl.StateResV2, lists(sets, pdus), all, sameSender, isRejected(source))), true
}

// isRejected tells it what was rejected.
func isRejected(source stateres.Events) gmsl.IsRejected {
	return func(eventID string) bool { return source[id.EventID(eventID)].Rejected }
}

// askV21 asks where it does not panic, as it does wherever there is a power event
// to sort, and where it does not need time exponential in the room.
func askV21(t testing.TB, sets []stateres.State, source stateres.Events, pdus map[id.EventID]gmsl.PDU) (state stateres.State, ok bool) {
	m := newModel(pdusRules(t, "12"), source)
	_, conflicted := m.split(sets)
	paths := map[id.EventID]int{}
	for e := range conflicted {
		if countPaths(m, e, paths) > 1000 {
			return nil, false
		}
	}
	defer func() {
		if what := recover(); what != nil {
			require.Contains(t, fmt.Sprint(what), "missing resolved create event")
			state, ok = nil, false
		}
	}()
	all := slices.Collect(maps.Values(pdus))
	return stateOf(gmsl.ResolveStateConflictsV2New(gmsl.StateResV2_1, lists(sets, pdus), all, sameSender, isRejected(source))), true
}

func pdusRules(t testing.TB, version string) *roomver.Rules {
	rules, ok := roomver.Get(version)
	require.True(t, ok)
	return rules
}

func countPaths(m *model, e id.EventID, paths map[id.EventID]int) int {
	if n, ok := paths[e]; ok || m.event(e) == nil {
		return n
	}
	n := 1
	for _, a := range m.event(e).AuthEvents {
		n += countPaths(m, a, paths)
	}
	paths[e] = n
	return n
}

func askLegacy(t testing.TB, sets []stateres.State, source stateres.Events, pdus map[id.EventID]gmsl.PDU) (stateres.State, bool) {
	m := newModel(pdusRules(t, "12"), source)
	same, conflicted := m.split(sets)
	var unconflicted, conflicts []gmsl.PDU
	for _, v := range same {
		if p := pdus[v]; p != nil {
			unconflicted = append(unconflicted, p)
		}
	}
	for v := range conflicted {
		if p := pdus[v]; p != nil {
			conflicts = append(conflicts, p)
		}
	}
	all := slices.Collect(maps.Values(pdus))
	return stateOf(gmsl.ResolveStateConflictsV2(conflicts, unconflicted, all, sameSender, isRejected(source))), true
}

// agree compares two states, ignoring entries that all states share and whose
// events are missing: these cannot be passed to gomatrixserverlib.
func agree(ours, theirs stateres.State, source stateres.Events) bool {
	for k, v := range ours {
		if source[v].Event != nil && theirs[k] != v {
			return false
		}
	}
	for k := range theirs {
		if ours[k] == "" {
			return false
		}
	}
	return true
}

// A departure is a field of departures, with its name.
type departure struct {
	name string
	at   func(*departures) *bool
}

// switches lists all departures, those that explain the most disagreements
// first.
var switches = []departure{
	{"other authorization rules", func(d *departures) *bool { return &d.otherRules }},
	{"the event stands in for its auth events", func(d *departures) *bool { return &d.standsForItself }},
	{"sorts from the end", func(d *departures) *bool { return &d.sortsBackwards }},
	{"mainline steps", func(d *departures) *bool { return &d.countsSteps }},
	{"power events add only conflicted neighbours", func(d *departures) *bool { return &d.pullsNearby }},
	{"shared events stay out", func(d *departures) *bool { return &d.keepsShared }},
	{"creators without power levels", func(d *departures) *bool { return &d.plainLevels }},
	{"empty keys only", func(d *departures) *bool { return &d.emptyKeysOnly }},
	{"a join rule left behind", func(d *departures) *bool { return &d.remembersRule }},
	{"power levels left behind", func(d *departures) *bool { return &d.remembersLevels }},
	{"third-party invites first", func(d *departures) *bool { return &d.invitesFirst }},
	{"the oldest wins if none is allowed", func(d *departures) *bool { return &d.fallsBackToOldest }},
}

// explain returns the names of the smallest set of departures with which the
// model agrees with gomatrixserverlib, or nothing if no set suffices.
func explain(m *model, base departures, sets []stateres.State, theirs stateres.State) string {
	best := -1
	limit := 1 << len(switches)
	for n := 1; n <= len(switches) && best < 0; n++ {
		for set := range limit {
			if bits.OnesCount(uint(set)) != n {
				continue
			}
			m.departures = base
			for i, s := range switches {
				if set&(1<<i) != 0 {
					*s.at(&m.departures) = true
				}
			}
			if agree(m.resolve(sets), theirs, m.source) {
				best = set
				break
			}
		}
	}
	if best < 0 {
		return ""
	}
	var names []string
	for i, s := range switches {
		if best&(1<<i) != 0 {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, "; ")
}

// TestAgainstGomatrixserverlib resolves random rooms with gomatrixserverlib
// too. The model with all departures of docs/stateres.md must return exactly
// its result in every room, so that every disagreement with ours is explained.
// The smallest sufficient set of departures names the cause of each.
func TestAgainstGomatrixserverlib(t *testing.T) {
	discardOutput(t)
	tallies := map[string]*tally{}
	all := roomver.All()
	for i := range *roomsFlag {
		rules := all[i%len(all)]
		seed := *seedFlag<<32 + uint64(i)
		r, sets := randomRoom(t, rules, seed)
		pdus := pdusOf(t, rules.Version, r.source)
		for _, s := range comparisons(rules) {
			name := "version " + rules.Version + ", " + s.name
			if tallies[name] == nil {
				tallies[name] = &tally{why: map[string]int{}}
			}
			tallies[name].rooms++
			ours, err := stateres.Resolve(s.rules, sets, r.source, nil)
			require.NoError(t, err)
			if theirs, ok := s.ask(t, sets, r.source, pdus); ok {
				compare(t, s, r, sets, pdus, ours, theirs, tallies[name])
			} else {
				tallies[name].unanswered++
			}
		}
	}
	for _, rules := range all {
		for _, s := range comparisons(rules) {
			name := "version " + rules.Version + ", " + s.name
			c := tallies[name]
			t.Logf("%s: %d rooms, %d agreed, %d not answered, %d not as the model with all departures", name, c.rooms, c.agreed, c.unanswered, c.unlike)
			for reason, n := range c.why {
				t.Logf("  %d: %s", n, reason)
			}
		}
	}
}

// A tally counts the results of the comparisons.
type tally struct {
	rooms, agreed, unanswered, unlike int
	why                               map[string]int
}

func compare(
	t *testing.T, s comparison, r *room, sets []stateres.State, pdus map[id.EventID]gmsl.PDU, ours, theirs stateres.State, c *tally,
) {
	m := newModel(s.rules, r.source)
	require.Equal(t, ours, m.resolve(sets))
	m.departures = allDepartures()
	m.noDifference, m.pdus = s.base.noDifference, pdus
	if !agree(m.resolve(sets), theirs, r.source) {
		c.unlike++
		t.Errorf("no departure explains a room of version %s", r.rules.Version)
	}
	if agree(ours, theirs, r.source) {
		c.agreed++
		return
	}
	base := s.base
	base.pdus = pdus
	c.why[explain(m, base, sets, theirs)]++
}

// discardOutput discards what gomatrixserverlib prints.
func discardOutput(t testing.TB) {
	out := os.Stdout
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	os.Stdout = null
	t.Cleanup(func() {
		os.Stdout = out
		require.NoError(t, null.Close())
	})
}
