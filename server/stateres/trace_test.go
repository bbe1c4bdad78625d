// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

// replay checks the steps of a trace again: against just the entries that a
// step lists, each event must get the same verdict.
func replay(t *testing.T, r *room, trace *stateres.Trace) stateres.State {
	state := stateres.State{}
	for _, step := range trace.Steps {
		e := r.source[step.Event].Event
		require.NotNil(t, e)
		against := eventauth.StateMap{}
		for _, use := range step.Uses {
			against[event.StateKey{Type: use.Type, Key: use.StateKey}] = r.source[use.Event].Event
			if use.From == "auth_events" {
				require.Contains(t, e.AuthEvents, use.Event)
				require.False(t, r.source[use.Event].Rejected)
			}
		}
		err := eventauth.Check(r.rules, e, against, nil)
		require.Equal(t, step.Allowed, err == nil || step.Unchecked)
		if !step.Allowed {
			var rejection *eventauth.Rejection
			require.ErrorAs(t, err, &rejection)
			require.Equal(t, rejection.Rule, step.Rule)
			require.NotEmpty(t, step.Reason)
			continue
		}
		state[e.Key()] = e.ID
	}
	for _, back := range trace.Restored {
		key := event.StateKey{Type: back.Type, Key: back.StateKey}
		require.Equal(t, back.Event, state[key])
		state[key] = back.Shared
	}
	return state
}

// Each winner passes its own authorization check, and the trace shows it.
func TestTraceCanBeReplayed(t *testing.T) {
	for v, rules := range roomver.All() {
		steps, lost := 0, map[stateres.Outcome]int{}
		for i := range 80 {
			r, sets := randomRoom(t, rules, uint64(v*1000000+i))
			var trace stateres.Trace
			state, err := stateres.Resolve(rules, sets, r.source, &trace)
			require.NoError(t, err)
			steps += len(trace.Steps)
			if rules.StateResolution != roomver.StateResolutionV1 {
				applied := replay(t, r, &trace)
				for key, eventID := range applied {
					require.Equal(t, eventID, state[key], "%s", &trace)
				}
			}
			for _, c := range trace.Conflicts {
				require.Equal(t, state[event.StateKey{Type: c.Type, Key: c.StateKey}], c.Winner)
				won := 0
				for _, of := range c.Candidates {
					lost[of.Outcome]++
					switch of.Outcome {
					case stateres.Won:
						won++
						require.Equal(t, c.Winner, of.Event)
					case stateres.Rejected:
						require.False(t, trace.Steps[of.Step-1].Allowed)
					case stateres.Replaced:
						require.Equal(t, c.Winner, of.By)
					case stateres.Missing:
						require.Contains(t, trace.Missing, of.Event)
					}
				}
				require.LessOrEqual(t, won, 1)
			}
			again := stateres.Trace{Steps: make([]stateres.Step, 3)}
			slices.Reverse(sets)
			_, err = stateres.Resolve(rules, sets, r.source, &again)
			require.NoError(t, err)
			require.Equal(t, trace.Steps, again.Steps)
			require.Equal(t, trace.AuthDifference, again.AuthDifference)
		}
		require.Greater(t, steps, 250)
		for _, fate := range []stateres.Outcome{stateres.Won, stateres.Rejected, stateres.Replaced, stateres.Missing} {
			require.NotZero(t, lost[fate], "version %s: %s", rules.Version, fate)
		}
	}
}

func TestATraceAsTextAndAsJSON(t *testing.T) {
	rules, _ := roomver.Get("2")
	r := newRoom(t, rules, 1)
	add := func(name, typ, key, content string, after int) {
		prevs := r.list[:0]
		state := stateres.State{}
		if after >= 0 {
			prevs = r.list[after : after+1]
			state = r.after[prevs[0].ID]
		}
		e := r.build(event.Draft{
			EventID: id.EventID("$" + name + ":one.example"), Type: "m.room." + typ, StateKey: text(key), Sender: alice, Content: []byte(content), OriginServerTS: int64(len(r.list)),
		}, prevs, state)
		r.addEvent(e, state, false)
	}
	add("create", "create", "", `{"creator":"@alice:one.example"}`, -1)
	add("alice", "member", string(alice), `{"membership":"join"}`, 0)
	add("one", "power_levels", "", `{"users":{"@alice:one.example":100}}`, 1)
	add("two", "power_levels", "", `{"users":{"@alice:one.example":40}}`, 1)
	add("topic", "topic", "", `{}`, 2)
	add("gone", "name", "", `{}`, 1)
	sets := []stateres.State{r.after["$topic:one.example"], r.after["$two:one.example"], maps.Clone(r.after["$gone:one.example"])}
	delete(r.source, "$gone:one.example")

	var trace stateres.Trace
	_, err := stateres.Resolve(rules, sets, r.source, &trace)
	require.NoError(t, err)
	require.Equal(t, `room version 2, algorithm 2: 3 states share 2 entries and conflict over 3
m.room.name "":
  $gone:one.example of state 2 is missing
  nothing wins
m.room.power_levels "":
  $one:one.example of state 0 is replaced in step 3 by $two:one.example
  $two:one.example of state 1 wins
m.room.topic "":
  $topic:one.example of state 0 is rejected in step 4 by rule 8: the sender may not send events of this type
  nothing wins
auth difference:
  $alice:one.example
missing:
  $gone:one.example
step 1, power events: $alice:one.example, m.room.member "@alice:one.example" by @alice:one.example, level 100, at 1
  with m.room.create "" $create:one.example from state
  is allowed
step 2, power events: $one:one.example, m.room.power_levels "" by @alice:one.example, level 100, at 2
  with m.room.create "" $create:one.example from state
  with m.room.member "@alice:one.example" $alice:one.example from state
  is allowed
step 3, power events: $two:one.example, m.room.power_levels "" by @alice:one.example, level 100, at 3
  with m.room.create "" $create:one.example from state
  with m.room.power_levels "" $one:one.example from state
  with m.room.member "@alice:one.example" $alice:one.example from state
  is allowed and replaces $one:one.example
step 4, mainline: $topic:one.example, m.room.topic "" by @alice:one.example, mainline position infinite, at 4
  with m.room.create "" $create:one.example from state
  with m.room.power_levels "" $two:one.example from state
  with m.room.member "@alice:one.example" $alice:one.example from state
  is rejected by rule 8: the sender may not send events of this type
`, trace.String())

	b, err := json.Marshal(trace.Steps[3])
	require.NoError(t, err)
	require.JSONEq(t, `{"pass":"mainline","event_id":"$topic:one.example","type":"m.room.topic","state_key":"","sender":"@alice:one.example",
		"mainline_position":"infinite","origin_server_ts":4,"uses":[
		{"type":"m.room.create","state_key":"","event_id":"$create:one.example","from":"state"},
		{"type":"m.room.power_levels","state_key":"","event_id":"$two:one.example","from":"state"},
		{"type":"m.room.member","state_key":"@alice:one.example","event_id":"$alice:one.example","from":"state"}],
		"allowed":false,"rule":"8","reason":"the sender may not send events of this type"}`, string(b))
	b, err = json.Marshal(trace.Conflicts[1])
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"m.room.power_levels","state_key":"","winner":"$two:one.example","candidates":[
		{"event_id":"$one:one.example","states":[0],"fate":"replaced","step":3,"by":"$two:one.example"},
		{"event_id":"$two:one.example","states":[1],"fate":"won","step":3}]}`, string(b))
}
