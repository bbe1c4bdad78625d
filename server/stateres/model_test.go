// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"maps"
	"math"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

type ids = map[id.EventID]bool

// A model implements the text of the specification literally, without regard to
// cost. The package must agree with it on every entry. Departures switch single
// steps to what gomatrixserverlib does, so that a test can find out why it
// disagrees.
type model struct {
	rules  *roomver.Rules
	source stateres.Events
	chains map[id.EventID]ids
	departures
}

func newModel(rules *roomver.Rules, source stateres.Events) *model {
	return &model{rules: rules, source: source, chains: map[id.EventID]ids{}}
}

func (m *model) event(eventID id.EventID) *event.Event { return m.source[eventID].Event }

func (m *model) resolve(sets []stateres.State) stateres.State {
	if m.rules.StateResolution == roomver.StateResolutionV1 {
		return m.resolveV1(sets)
	}
	return m.resolveV2(sets)
}

// chain returns the auth chain of an event, without missing events.
func (m *model) chain(eventID id.EventID) ids {
	if c, ok := m.chains[eventID]; ok {
		return c
	}
	c := ids{}
	m.chains[eventID] = c
	if e := m.event(eventID); e != nil {
		for _, a := range e.AuthEvents {
			if m.event(a) != nil {
				c[a] = true
				maps.Copy(c, m.chain(a))
			}
		}
	}
	return c
}

// split returns the unconflicted state map and the conflicted state set.
func (m *model) split(sets []stateres.State) (stateres.State, ids) {
	unconflicted, conflicted := stateres.State{}, ids{}
	for _, set := range sets {
		for k, v := range set {
			if !slices.ContainsFunc(sets, func(s stateres.State) bool { return s[k] != v }) {
				unconflicted[k] = v
			} else {
				conflicted[v] = true
			}
		}
	}
	return unconflicted, conflicted
}

func (m *model) authDifference(sets []stateres.State) ids {
	union := ids{}
	chains := make([]ids, len(sets))
	for i, set := range sets {
		chains[i] = ids{}
		for _, v := range set {
			maps.Copy(chains[i], m.chain(v))
		}
		maps.Copy(union, chains[i])
	}
	maps.DeleteFunc(union, func(e id.EventID, _ bool) bool {
		return !slices.ContainsFunc(chains, func(c ids) bool { return !c[e] })
	})
	return union
}

// subgraph returns the conflicted state subgraph.
func (m *model) subgraph(conflicted ids) ids {
	found := ids{}
	for from := range conflicted {
		for to := range conflicted {
			if !m.chain(from)[to] {
				continue
			}
			found[from], found[to] = true, true
			for between := range m.chain(from) {
				if m.chain(between)[to] {
					found[between] = true
				}
			}
		}
	}
	return found
}

func (m *model) resolveV2(sets []stateres.State) stateres.State {
	m.joinRules, m.levels, m.decoded = nil, nil, false
	unconflicted, conflicted := m.split(sets)
	difference := m.difference(sets, conflicted)
	full := maps.Clone(conflicted)
	maps.Copy(full, difference)
	state := maps.Clone(unconflicted)
	if m.rules.StateResolution == roomver.StateResolutionV21 {
		maps.Copy(full, m.subgraph(conflicted))
		state = stateres.State{}
	}
	maps.DeleteFunc(full, func(e id.EventID, _ bool) bool { return m.event(e) == nil || !m.event(e).IsState() })
	if m.keepsShared {
		for _, v := range unconflicted {
			delete(full, v)
		}
	}

	x := ids{}
	for e := range full {
		if m.isPower(m.event(e)) {
			x[e] = true
			maps.Copy(x, m.pulled(e, full, conflicted))
		}
	}
	m.iterate(state, m.powerOrder(x, func() map[id.EventID]int { return m.counts(full, conflicted, difference) }))
	for e := range x {
		delete(full, e)
	}
	m.iterate(state, m.mainlineOrder(full, state[event.StateKey{Type: event.TypePowerLevels}]))
	maps.Copy(state, unconflicted)
	return state
}

// pulled returns the events that a power event adds to the set X: those of its
// auth chain that are in the full conflicted set.
func (m *model) pulled(e id.EventID, full, conflicted ids) ids {
	found := ids{}
	if m.pullsNearby {
		m.pullNearby(e, conflicted, found)
		return found
	}
	for a := range m.chain(e) {
		if full[a] {
			found[a] = true
		}
	}
	return found
}

func (m *model) isPower(e *event.Event) bool {
	switch e.Type {
	case event.TypePowerLevels, event.TypeJoinRules:
		return !m.emptyKeysOnly || *e.StateKey == ""
	case event.TypeMember:
		if m.emptyKeysOnly && !m.decodes(e) {
			return false
		}
		return *e.StateKey != string(e.Sender) && (e.Membership() == "leave" || e.Membership() == "ban")
	}
	return false
}

// authEvent returns the auth event of an event with this type and an empty
// state key.
func (m *model) authEvent(e *event.Event, typ string) *event.Event {
	for _, a := range e.AuthEvents {
		if s := m.event(a); s != nil && s.IsStateOf(typ, "") {
			return s
		}
	}
	if typ == event.TypeCreate && m.rules.CreateEventImplied {
		return m.event(id.EventID("$" + e.RoomID[1:]))
	}
	return nil
}

// senderLevel returns the power level that the event's auth events give its
// sender.
func (m *model) senderLevel(e *event.Event) int64 {
	create, levels := m.authEvent(e, event.TypeCreate), m.authEvent(e, event.TypePowerLevels)
	if m.plainLevels {
		return m.plainLevel(e, levels)
	}
	return eventauth.NewPowerLevels(m.rules, create, levels).User(e.Sender)
}

func (m *model) byPower(x, y id.EventID) int {
	a, b := m.event(x), m.event(y)
	return cmp.Or(cmp.Compare(m.senderLevel(b), m.senderLevel(a)), cmp.Compare(a.OriginServerTS, b.OriginServerTS), cmp.Compare(x, y))
}

// powerOrder returns events in the reverse topological power ordering.
func (m *model) powerOrder(x ids, counts func() map[id.EventID]int) []id.EventID {
	if m.sortsBackwards {
		return m.sortBackwards(x, counts())
	}
	left := maps.Clone(x)
	var sorted []id.EventID
	for len(left) > 0 {
		var candidates []id.EventID
		for e := range left {
			if !slices.ContainsFunc(m.event(e).AuthEvents, func(a id.EventID) bool { return left[a] }) {
				candidates = append(candidates, e)
			}
		}
		least := slices.MinFunc(candidates, m.byPower)
		sorted = append(sorted, least)
		delete(left, least)
	}
	return sorted
}

// mainline returns the mainline of a power levels event: the chain of power
// levels events by auth events.
func (m *model) mainline(e *event.Event) []id.EventID {
	var list []id.EventID
	for {
		if e = m.authEvent(e, event.TypePowerLevels); e == nil {
			return list
		}
		list = append(list, e.ID)
	}
}

func (m *model) mainlineOrder(events ids, levels id.EventID) []id.EventID {
	var of []id.EventID
	if e := m.event(levels); e != nil {
		of = append([]id.EventID{levels}, m.mainline(e)...)
	}
	type place struct{ position, steps int }
	places := map[id.EventID]place{}
	for e := range events {
		places[e] = place{math.MaxInt, len(m.mainline(m.event(e)))}
		for steps, p := range m.mainline(m.event(e)) {
			if i := slices.Index(of, p); i >= 0 {
				places[e] = place{i, steps}
				break
			}
		}
		if m.countsSteps && places[e].position == math.MaxInt {
			places[e] = place{max(0, len(of)-1), places[e].steps}
		}
	}
	return slices.SortedFunc(maps.Keys(events), func(x, y id.EventID) int {
		a, b := places[x], places[y]
		if !m.countsSteps {
			a.steps, b.steps = 0, 0
		}
		return cmp.Or(cmp.Compare(b.position, a.position), cmp.Compare(a.steps, b.steps),
			cmp.Compare(m.event(x).OriginServerTS, m.event(y).OriginServerTS), cmp.Compare(x, y))
	})
}

// iterate is the "iterative auth checks algorithm" of the specification.
func (m *model) iterate(state stateres.State, list []id.EventID) {
	for _, eventID := range list {
		e := m.event(eventID)
		against := eventauth.StateMap{}
		for _, a := range slices.Backward(e.AuthEvents) {
			if s := m.event(a); s != nil && s.IsState() && !m.source[a].Rejected {
				against[s.Key()] = s
			}
		}
		if create := m.authEvent(e, event.TypeCreate); create != nil && m.rules.CreateEventImplied && !m.source[create.ID].Rejected {
			against[create.Key()] = create
		}
		if m.standsForItself {
			against = m.withEventItself(e, state, against)
		} else {
			for k, v := range state {
				if s := m.event(v); s != nil {
					against[k] = s
				}
			}
		}
		if m.allows(e, against) {
			state[e.Key()] = eventID
		}
	}
}

func (m *model) resolveV1(sets []stateres.State) stateres.State {
	candidates := map[event.StateKey]ids{}
	for _, set := range sets {
		for k, v := range set {
			if candidates[k] == nil {
				candidates[k] = ids{}
			}
			candidates[k][v] = true
		}
	}
	state := stateres.State{}
	for k, events := range candidates {
		if len(events) == 1 {
			for v := range events {
				state[k] = v
			}
			delete(candidates, k)
		}
	}
	for _, pass := range m.passesV1() {
		results := stateres.State{}
		for k, events := range candidates {
			if pass(k) {
				list := m.sortV1(events)
				if winner := m.pickV1(state, k, list); winner != "" {
					results[k] = winner
				}
			}
		}
		maps.Copy(state, results)
	}
	return state
}

// passesV1 lists the types of each pass.
func (m *model) passesV1() []func(event.StateKey) bool {
	isType := func(typ string, anyKey bool) func(event.StateKey) bool {
		return func(k event.StateKey) bool { return k.Type == typ && (anyKey || k.Key == "") }
	}
	passes := []func(event.StateKey) bool{
		isType(event.TypePowerLevels, !m.emptyKeysOnly), isType(event.TypeJoinRules, !m.emptyKeysOnly), isType(event.TypeMember, true),
	}
	if m.invitesFirst {
		passes = slices.Insert(passes, 2, isType(event.TypeThirdPartyInvite, true))
	}
	return append(passes, func(k event.StateKey) bool {
		return !slices.ContainsFunc(passes, func(p func(event.StateKey) bool) bool { return p(k) })
	})
}

func (m *model) sortV1(events ids) []id.EventID {
	list := slices.Collect(maps.Keys(events))
	list = slices.DeleteFunc(list, func(e id.EventID) bool { return m.event(e) == nil || !m.event(e).IsState() })
	slices.SortFunc(list, func(x, y id.EventID) int {
		a, b := sha1.Sum([]byte(x)), sha1.Sum([]byte(y))
		return cmp.Or(cmp.Compare(m.event(x).Depth, m.event(y).Depth), bytes.Compare(b[:], a[:]))
	})
	return list
}

func (m *model) pickV1(state stateres.State, k event.StateKey, list []id.EventID) id.EventID {
	state = maps.Clone(state)
	against := func() eventauth.StateMap {
		all := eventauth.StateMap{}
		for k, v := range state {
			if e := m.event(v); e != nil {
				all[k] = e
			}
		}
		return all
	}
	chain := slices.ContainsFunc(m.passesV1()[:len(m.passesV1())-1], func(p func(event.StateKey) bool) bool { return p(k) })
	var winner id.EventID
	if !chain {
		for _, e := range slices.Backward(list) {
			if m.allows(m.event(e), against()) {
				return e
			}
		}
		if m.fallsBackToOldest && len(list) > 0 {
			return list[0]
		}
		return ""
	}
	for i, e := range list {
		if i > 0 && !m.allows(m.event(e), against()) {
			break
		}
		winner, state[k] = e, e
	}
	return winner
}
