// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

// departures are the ways in which gomatrixserverlib does not follow the text
// of the specification. docs/stateres.md lists them with the section that
// decides each.
type departures struct {
	otherRules        bool // its authorization rules
	keepsShared       bool // what all states share stays out of the full conflicted set
	pullsNearby       bool // power events add only those auth events that are conflicted, and their conflicted auth events
	emptyKeysOnly     bool // power levels and join rules have an empty key, members decode
	standsForItself   bool // where an auth event would fill a gap in the state, the event being checked does
	sortsBackwards    bool // Kahn's algorithm runs from the latest event, and some are counted twice
	plainLevels       bool // the level of a sender without power levels is 0
	countsSteps       bool // the way to the mainline breaks ties, and no mainline is its oldest end
	noDifference      bool // no auth difference
	invitesFirst      bool // algorithm 1: third-party invites have a pass before members
	fallsBackToOldest bool // algorithm 1: if no event is allowed, the oldest wins

	remembersRule   bool // after a restricted join, the next event is checked against another join rule
	remembersLevels bool // power levels that it cannot decode leave the previous ones in force

	pdus map[id.EventID]gmsl.PDU
	// The power levels that the last event was checked against; nil if there
	// were none. At the start it has levels by which nobody may change power
	// levels.
	levels  gmsl.PDU
	decoded bool // whether it could decode them
	// The join rules that the last event was checked against, and the join rule
	// they were taken for.
	joinRules gmsl.PDU
	joinRule  string
}

func allDepartures() departures {
	return departures{
		otherRules: true, keepsShared: true, pullsNearby: true, emptyKeysOnly: true, standsForItself: true, sortsBackwards: true,
		plainLevels: true, countsSteps: true, invitesFirst: true, fallsBackToOldest: true, remembersRule: true, remembersLevels: true,
	}
}

func sameSender(_ spec.RoomID, sender spec.SenderID) (*spec.UserID, error) {
	return spec.NewUserID(string(sender), true)
}

// allows reports whether the authorization rules of the chosen implementation
// allow an event.
func (m *model) allows(e *event.Event, state eventauth.StateMap) bool {
	if !m.otherRules && !m.remembersRule && !m.remembersLevels {
		return eventauth.Check(m.rules, e, state, nil) == nil
	}
	needed := gmsl.StateNeededForAuth([]gmsl.PDU{m.pdus[e.ID]})
	var by []gmsl.PDU
	for _, k := range needed.Tuples() {
		if s := state.Event(k.EventType, k.StateKey); s != nil {
			by = append(by, m.pdus[s.ID])
		}
	}
	if m.remembersLevels && m.rules.StateResolution != roomver.StateResolutionV1 {
		ok := false
		if by, ok = m.useRememberedLevels(e, by); !ok {
			return false
		}
	}
	provider, err := gmsl.NewAuthEvents(by)
	if err != nil {
		return false
	}
	if m.remembersRule && m.rules.StateResolution != roomver.StateResolutionV1 {
		m.useRememberedJoinRule(e, state, provider)
	}
	return gmsl.Allowed(m.pdus[e.ID], provider, sameSender) == nil
}

// useRememberedLevels replaces power levels that gomatrixserverlib cannot
// decode by the ones it used before. ok reports whether they may allow the
// event.
func (m *model) useRememberedLevels(e *event.Event, by []gmsl.PDU) (with []gmsl.PDU, ok bool) {
	at := slices.IndexFunc(by, func(p gmsl.PDU) bool { return p.Type() == event.TypePowerLevels && p.StateKeyEquals("") })
	if at < 0 {
		m.levels, m.decoded = nil, true
		return by, true
	}
	if _, err := gmsl.NewPowerLevelContentFromEvent(by[at]); err == nil {
		m.levels, m.decoded = by[at], true
		return by, true
	}
	if with = slices.Delete(by, at, at+1); m.levels != nil {
		with = append(with, m.levels)
	}
	return with, m.decoded || e.Type != event.TypePowerLevels
}

// useRememberedJoinRule applies the join rule that an earlier restricted join
// left in force, and computes which one this event leaves in force.
func (m *model) useRememberedJoinRule(e *event.Event, state eventauth.StateMap, provider *gmsl.AuthEvents) {
	rules, _ := provider.JoinRules()
	if rules == nil || rules != m.joinRules {
		m.joinRules, m.joinRule = rules, eventauth.JoinRuleOf(state)
	}
	if rules == nil {
		return
	}
	if m.joinRule != eventauth.JoinRuleOf(state) {
		changed := strings.Replace(string(rules.JSON()), `"join_rule":"`+eventauth.JoinRuleOf(state)+`"`, `"join_rule":"`+m.joinRule+`"`, 1)
		impl := gmsl.MustGetRoomVersion(rules.Version())
		if p, err := impl.NewEventFromTrustedJSONWithEventID(rules.EventID(), []byte(changed), false); err == nil {
			_ = provider.AddEvent(p)
		}
	}
	if !m.rules.Restricted || e.Type != event.TypeMember || e.Membership() != "join" || *e.StateKey != string(e.Sender) ||
		m.joinRule != "restricted" && m.joinRule != "knock_restricted" {
		return
	}
	if create := state.Event(event.TypeCreate, ""); create == nil || slices.Equal(e.PrevEvents, []id.EventID{create.ID}) {
		return // the join rule cannot change the result
	}
	via, _ := e.ContentText("join_authorised_via_users_server")
	switch was := eventauth.MembershipOf(state, e.Sender); {
	case was == "ban":
	case was == "join" || was == "invite" || via == "":
		m.joinRule = "invite"
	case gmsl.Allowed(m.pdus[e.ID], provider, sameSender) == nil:
		m.joinRule = "public"
	}
}

func (m *model) difference(sets []stateres.State, conflicted ids) ids {
	if !m.noDifference {
		return m.authDifference(sets)
	}
	found := ids{}
	for e := range conflicted {
		if len(m.chain(e)) > 0 {
			found[e] = true
		}
	}
	return found
}

func (m *model) pullNearby(from id.EventID, conflicted, found ids) {
	for _, a := range m.event(from).AuthEvents {
		if conflicted[a] && m.event(a) != nil && !found[a] {
			found[a] = true
			m.pullNearby(a, conflicted, found)
		}
	}
}

// decodes reports whether gomatrixserverlib can decode the content of a member
// event.
func (m *model) decodes(e *event.Event) bool {
	var content gmsl.MemberContent
	return json.Unmarshal(e.Content, &content) == nil
}

func (m *model) plainLevel(e, levels *event.Event) int64 {
	if m.rules.CreatorsPrivileged {
		create := m.authEvent(e, event.TypeCreate)
		if slices.Contains(eventauth.Creators(m.rules, create), e.Sender) {
			return eventauth.Infinite
		}
	}
	if levels == nil {
		return 0
	}
	content, err := gmsl.NewPowerLevelContentFromEvent(m.pdus[levels.ID])
	if err != nil {
		return 0
	}
	return content.UserLevel(spec.SenderID(e.Sender))
}

// withEventItself returns the state that gomatrixserverlib checks an event
// against. Where the resolved state lacks an entry that the event has an auth
// event for, it adds the event itself, which may replace an entry of the state.
func (m *model) withEventItself(e *event.Event, state stateres.State, auth eventauth.StateMap) eventauth.StateMap {
	against := eventauth.StateMap{}
	needed := gmsl.StateNeededForAuth([]gmsl.PDU{m.pdus[e.ID]})
	for _, k := range needed.Tuples() {
		key := event.StateKey{Type: k.EventType, Key: k.StateKey}
		if s := m.event(state[key]); s != nil {
			against[key] = s
		} else if auth[key] != nil && slices.Contains(e.AuthEvents, auth[key].ID) {
			against[e.Key()] = e
		}
	}
	return against
}

// counts returns how often each event occurs in the list that gomatrixserverlib
// sorts.
func (m *model) counts(full, conflicted, difference ids) map[id.EventID]int {
	counts := map[id.EventID]int{}
	pulled := ids{}
	for e := range full {
		if m.isPower(m.event(e)) {
			if conflicted[e] {
				counts[e]++
			}
			if difference[e] {
				counts[e]++
			}
			m.pullNearby(e, conflicted, pulled)
		}
	}
	for e := range pulled {
		counts[e]++
	}
	return counts
}

// sortBackwards sorts as gomatrixserverlib does: Kahn's algorithm from the
// latest event.
func (m *model) sortBackwards(x ids, counts map[id.EventID]int) []id.EventID {
	citations := map[id.EventID]int{}
	for e := range x {
		for _, a := range m.event(e).AuthEvents {
			citations[a] += max(1, counts[e])
		}
	}
	left := maps.Clone(x)
	var free, sorted []id.EventID
	release := func(e id.EventID) {
		if left[e] && citations[e] == 0 {
			delete(left, e)
			free = append(free, e)
		}
	}
	for e := range x {
		release(e)
	}
	for len(free) > 0 {
		slices.SortFunc(free, m.byPower)
		last := free[len(free)-1]
		free = free[:len(free)-1]
		sorted = append(sorted, last)
		for _, a := range m.event(last).AuthEvents {
			citations[a]--
			release(a)
		}
	}
	slices.Reverse(sorted)
	return append(slices.SortedFunc(maps.Keys(left), m.byPower), sorted...)
}

// pdusOf parses events with gomatrixserverlib.
func pdusOf(t testing.TB, version string, source stateres.Events) map[id.EventID]gmsl.PDU {
	impl, err := gmsl.GetRoomVersion(gmsl.RoomVersion(version))
	require.NoError(t, err)
	pdus := make(map[id.EventID]gmsl.PDU, len(source))
	for eventID, entry := range source {
		p, err := impl.NewEventFromTrustedJSONWithEventID(string(eventID), entry.Event.PDU(), false)
		require.NoError(t, err)
		pdus[eventID] = p
	}
	return pdus
}
