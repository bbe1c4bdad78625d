// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
	"touchstone.example/tests/seedrand"
)

// A filter is one of events, and which they are.
type filter struct {
	is     harness.O
	passes func(ev harness.Value) bool
}

// chooseFilters makes the client's filter.
func (l *syncModel) chooseFilters() {
	l.timeline, l.stateOnly = l.chooseFilter(), filter{harness.O{}, func(harness.Value) bool { return true }}
	if l.dice.OneIn(4) {
		l.stateOnly = l.chooseFilter()
	}
	l.lazy, l.redundant = l.dice.OneIn(2), l.dice.OneIn(3)
}

func (l *syncModel) chooseFilter() filter {
	typed := func(prefixes ...string) func(harness.Value) bool {
		return func(ev harness.Value) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(ev.At("type").String(), p) })
		}
	}
	sent := func(by *harness.User) func(harness.Value) bool {
		return func(ev harness.Value) bool { return ev.At("sender").String() == by.ID }
	}
	url := func(ev harness.Value) bool { return ev.At("content", "url").Exists() }
	not := func(f func(harness.Value) bool) func(harness.Value) bool {
		return func(ev harness.Value) bool { return !f(ev) }
	}
	someone := seedrand.Pick(&l.dice, l.alice, l.bob, l.others[0])
	return seedrand.Pick(&l.dice,
		filter{harness.O{}, func(harness.Value) bool { return true }},
		filter{harness.O{"types": []string{"m.room.message"}}, typed("m.room.message")},
		filter{harness.O{"types": []string{"m.room.message", "m.room.member"}}, typed("m.room.message", "m.room.member")},
		filter{harness.O{"types": []string{"m.*"}}, typed("m.")},
		filter{harness.O{"not_types": []string{"org.*"}}, not(typed("org."))},
		filter{harness.O{"not_types": []string{"m.room.member"}}, not(typed("m.room.member"))},
		filter{harness.O{"senders": []string{someone.ID}}, sent(someone)},
		filter{harness.O{"not_senders": []string{someone.ID}}, not(sent(someone))},
		filter{harness.O{"contains_url": true}, url},
		filter{harness.O{"contains_url": false}, not(url)},
	)
}

// filter encodes the filter as a query parameter; limit 0 is no limit.
func (l *syncModel) filter(limit int) string {
	timeline, state := harness.O{}, harness.O{"lazy_load_members": l.lazy, "include_redundant_members": l.redundant}
	for k, v := range l.timeline.is {
		timeline[k] = v
	}
	for k, v := range l.stateOnly.is {
		state[k] = v
	}
	if limit > 0 {
		timeline["limit"] = limit
	}
	return harness.Filter(harness.O{"room": harness.O{"timeline": timeline, "state": state}})
}

func keyOf(ev harness.Value) [2]string {
	return [2]string{ev.At("type").String(), ev.At("state_key").String()}
}

func memberKey(user string) [2]string { return [2]string{"m.room.member", user} }

// compareState compares the client's state with the room's. With lazy loading the
// client need not have all members, and it need not have what the state filter
// excludes.
func (l *syncModel) compareState(t *testing.T) {
	answer := l.at(l.bob).Do(t, "GET", harness.Path("v3/rooms/{}/state", l.room), nil)
	if answer.Status == 403 || l.entry == "" && l.done[0] == "world_readable" {
		return // nothing to compare with: bob never was in it, or may see what came later
	}
	wanted, known, seen := map[[2]string]string{}, map[[2]string]string{}, map[[2]string]bool{}
	for _, ev := range answer.JSON().List() {
		key := keyOf(ev)
		seen[key] = true
		if key == memberKey(l.bob.ID) && ev.At("content", "membership").String() != "join" {
			continue // that of whoever was banned since goes on, the room's state does not
		}
		if _, is := l.state[key]; !l.stateOnly.passes(ev) || l.lazy && key[0] == "m.room.member" && !is {
			continue
		}
		wanted[key] = ev.At("event_id").String()
		if is := l.state[key]; is != "" {
			known[key] = is
		}
	}
	for key := range l.state {
		require.True(t, seen[key], "%v: there is no %v", l.done, key)
	}
	require.Equal(t, wanted, known, "%v", l.done)
}

// compareMembers checks that the client has the members that it needs to show a
// part of a response.
func (l *syncModel) compareMembers(t *testing.T, part harness.Value) {
	if !l.lazy || len(l.stateOnly.is) > 0 {
		return
	}
	var again []string
	for _, ev := range l.told(part) {
		if ev.At("type").String() == "m.room.member" {
			again = append(again, ev.At("state_key").String())
		}
	}
	for _, ev := range part.At("timeline", "events").List() {
		sender := ev.At("sender").String()
		require.NotEmpty(t, l.state[memberKey(sender)], "%v: who is %s?", l.done, sender)
		if l.redundant {
			require.Contains(t, again, sender, "%v", l.done)
		}
	}
	for _, hero := range part.At("summary", "m.heroes").Strings() {
		require.NotEmpty(t, l.state[memberKey(hero)], "%v: who is %s?", l.done, hero)
	}
}

// notRedundant: members that the client already has are not sent again, except
// those in a gap.
func (l *syncModel) notRedundant(t *testing.T, part harness.Value, whole bool) {
	if !l.lazy || l.redundant || whole || part.At("timeline", "limited").Bool() || len(l.servers) > 1 {
		return // another server does not know what this one told
	}
	events := part.At("state", "events").List()
	if l.stateAfter {
		events = part.At("state_after", "events").List()
	}
	for _, ev := range events {
		if ev.At("type").String() == "m.room.member" {
			require.NotEqual(t, l.state[keyOf(ev)], ev.At("event_id").String(), "%v: told again", l.done)
		}
	}
}
