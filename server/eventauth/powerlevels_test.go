// SPDX-License-Identifier: Apache-2.0

package eventauth_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// levelsOf returns the power levels of a room whose m.room.power_levels has
// this content, or which has no such event.
func levelsOf(t *testing.T, rules *roomver.Rules, content string) eventauth.PowerLevels {
	var f fixture
	if content == "" {
		f.Remove = [][2]string{{event.TypePowerLevels, ""}}
	} else {
		f.State = []fixtureEvent{{
			Type: event.TypePowerLevels, StateKey: text(""), Sender: "@creator:one.example", Content: json.RawMessage(content),
		}}
	}
	_, state := f.state(t, rules)
	return eventauth.PowerLevelsOf(rules, state)
}

// Spec: client-server "m.room.power_levels".
func TestDefaultPowerLevels(t *testing.T) {
	for _, rules := range roomver.All() {
		for _, content := range []string{"", `{}`} {
			p := levelsOf(t, rules, content)
			require.EqualValues(t, 50, p.Ban())
			require.EqualValues(t, 50, p.Kick())
			require.EqualValues(t, 50, p.Redact())
			require.EqualValues(t, 50, p.State())
			require.EqualValues(t, 50, p.Event("x", true))
			require.EqualValues(t, 50, p.Notification("room"))
			require.EqualValues(t, 0, p.Invite())
			require.EqualValues(t, 0, p.Event("x", false))
			require.EqualValues(t, 0, p.User("@user:two.example"))
			creator := p.User("@creator:one.example")
			switch {
			case rules.CreatorsPrivileged:
				require.Equal(t, eventauth.Infinite, creator)
			case content == "":
				require.EqualValues(t, 100, creator)
			default:
				require.EqualValues(t, 0, creator)
			}
		}
	}
}

func TestGivenPowerLevels(t *testing.T) {
	for _, rules := range roomver.All() {
		p := levelsOf(t, rules, `{"ban":1,"kick":2,"redact":3,"invite":4,"state_default":5,"events_default":6,
			"users_default":7,"users":{"@a:x":8},"events":{"e":9},"notifications":{"room":10}}`)
		require.EqualValues(t, 1, p.Ban())
		require.EqualValues(t, 2, p.Kick())
		require.EqualValues(t, 3, p.Redact())
		require.EqualValues(t, 4, p.Invite())
		require.EqualValues(t, 5, p.State())
		require.EqualValues(t, 5, p.Event("x", true))
		require.EqualValues(t, 6, p.Event("x", false))
		require.EqualValues(t, 7, p.User("@b:x"))
		require.EqualValues(t, 8, p.User("@a:x"))
		require.EqualValues(t, 9, p.Event("e", true))
		require.EqualValues(t, 9, p.Event("e", false))
		require.EqualValues(t, 10, p.Notification("room"))
		require.EqualValues(t, 50, p.Notification("other"))
	}
}

// Spec: room version 1, "m.room.power_levels events accept values as strings"
// and "as floats".
func TestHistoricalFormsOfPowerLevels(t *testing.T) {
	const none = -99
	for _, tc := range []struct {
		raw              string
		v1, v6, v10, v12 int64
	}{
		{`50`, 50, 50, 50, 50},
		{`-50`, -50, -50, -50, -50},
		{`"50"`, 50, 50, none, none},
		{`"000100"`, 100, 100, none, none},
		{`"+100"`, 100, 100, none, none},
		{`"-100"`, -100, -100, none, none},
		{`" 00100 "`, 100, 100, none, none},
		{`"\t -100\n"`, -100, -100, none, none},
		{`"1.0"`, none, none, none, none},
		{`"- 1"`, none, none, none, none},
		{`""`, none, none, none, none},
		{`"٣"`, none, none, none, none},
		{`null`, none, none, none, none},
		{`true`, none, none, none, none},
		{`[1]`, none, none, none, none},
		{`{}`, none, none, none, none},
	} {
		for version, want := range map[string]int64{"1": tc.v1, "6": tc.v6, "10": tc.v10, "12": tc.v12} {
			rules, _ := roomver.Get(version)
			p := levelsOf(t, rules, `{"users_default":-99,"users":{"@a:x":`+tc.raw+`}}`)
			require.Equal(t, want, p.User("@a:x"), "%s in version %s", tc.raw, version)
		}
	}
	for raw, want := range map[string]int64{
		`51.9`:                    51,
		`-51.9`:                   -51,
		`5.114698E4`:              51146,
		`1e2`:                     100,
		`-0.0`:                    0,
		`1e300`:                   eventauth.Infinite - 1,
		`-1e300`:                  -(eventauth.Infinite - 1),
		`9223372036854775807`:     eventauth.Infinite - 1,
		`123456789012345678901`:   eventauth.Infinite - 1,
		`"123456789012345678901"`: eventauth.Infinite - 1,
		`"-99999999999999999999"`: -(eventauth.Infinite - 1),
	} {
		for _, version := range []string{"1", "2", "3", "4", "5"} {
			rules, _ := roomver.Get(version)
			p := levelsOf(t, rules, `{"users":{"@a:x":`+raw+`}}`)
			require.Equal(t, want, p.User("@a:x"), "%s in version %s", raw, version)
		}
	}
}

// TestPowerLevelsOfTheExamples decodes the examples of the room version
// documents, each in the versions whose documents have it.
//
// Spec: room version 1, "m.room.power_levels events accept values as floats"
// and "as strings".
func TestPowerLevelsOfTheExamples(t *testing.T) {
	for _, rules := range roomver.All()[:5] {
		p := levelsOf(t, rules, `{"ban":50,"events":{"m.room.power_levels":100},"events_default":0,"state_default":50,`+
			`"users":{"@example:example.org":100,"@alice:localhost":50,"@bob:localhost":50.57},"users_default":0}`)
		require.EqualValues(t, 50, p.User("@bob:localhost"), "both have the same effective power level")
		require.EqualValues(t, 50, p.User("@alice:localhost"))
		require.EqualValues(t, 100, p.User("@example:example.org"))
		require.EqualValues(t, 100, p.Event("m.room.power_levels", true))
	}
	for _, rules := range roomver.All() {
		p := levelsOf(t, rules, `{"ban":"51","events":{"m.room.power_levels":"100"},"events_default":"1","state_default":"49",`+
			`"users":{"@example:localhost":"100"},"users_default":"2"}`)
		got := []int64{
			p.Ban(), p.Event("m.room.power_levels", true), p.Event("x", false), p.State(), p.User("@example:localhost"), p.User("@other:localhost"),
		}
		want := []int64{51, 100, 1, 49, 100, 2}
		if rules.IntegerPowerLevels { // not accepted as levels
			want = []int64{50, 50, 0, 50, 0, 0}
		}
		require.Equal(t, want, got, "version %s", rules.Version)
	}
}

func TestPowerLevelsAsFloatsAreAuthorised(t *testing.T) {
	for _, version := range []string{"1", "5"} {
		rules, _ := roomver.Get(version)
		var f fixture
		r, state := f.state(t, rules)
		try := func(users string) error {
			return eventauth.Check(rules, r.build(fixtureEvent{
				Type: event.TypePowerLevels, StateKey: text(""), Sender: "@admin:one.example",
				Content: json.RawMessage(`{"users":{"@admin:one.example":100,` + users + `}}`),
			}), state, nil)
		}
		require.NoError(t, try(`"@mod:two.example":50.57`))
		require.NoError(t, try(`"@mod:two.example":1.009E2`))
		requireRule(t, "10.7.1", try(`"@mod:two.example":1.019E2`))
	}
}

// Spec: room version 1, "m.room.power_levels events accept values as floats":
// values outside the range of a double.
func TestPowerLevelsBeyondFloat64AreRejected(t *testing.T) {
	huge := strings.Repeat("9", 400)
	for _, rules := range roomver.All()[:5] {
		for _, first := range []bool{false, true} {
			var f fixture
			if first {
				f.Remove = [][2]string{{event.TypePowerLevels, ""}}
			}
			r, state := f.state(t, rules)
			for member, rule := range map[string]string{
				`"users":{"@mod:two.example":` + huge + `}`: "10.1", `"ban":-` + huge: "10", `"events":{"x":` + huge + `}`: "10",
				`"notifications":{"room":` + huge + `}`: "10",
			} {
				sender := id.UserID("@admin:one.example")
				if first {
					sender = "@creator:one.example"
				}
				requireRule(t, rule, eventauth.Check(rules, r.build(fixtureEvent{
					Type: event.TypePowerLevels, StateKey: text(""), Sender: sender, Content: json.RawMessage(`{` + member + `}`),
				}), state, nil))
			}
		}
	}
}

func TestCreators(t *testing.T) {
	var f fixture
	f.State = []fixtureEvent{{
		Type: event.TypeCreate, StateKey: text(""), Sender: "@creator:one.example",
		Content: json.RawMessage(`{"creator":"@named:one.example","additional_creators":["@more:two.example","@creator:one.example"]}`),
	}}
	for _, rules := range roomver.All() {
		_, state := f.state(t, rules)
		create := state.Event(event.TypeCreate, "")
		want := []id.UserID{"@creator:one.example"}
		switch {
		case rules.CreatorInContent:
			want = []id.UserID{"@named:one.example"}
		case rules.AdditionalCreators:
			want = append(want, "@more:two.example")
		}
		require.Equal(t, want, eventauth.Creators(rules, create))
		require.Empty(t, eventauth.Creators(rules, nil))
		levels := eventauth.NewPowerLevels(rules, create, nil)
		for _, user := range want {
			require.GreaterOrEqual(t, levels.User(user), int64(100))
		}
		require.Zero(t, levels.User("@user:two.example"))
	}
}

// Spec: room version 3, "Handling redactions".
func TestARedactionTakesEffectByPowerOrByServer(t *testing.T) {
	var f fixture
	for _, rules := range roomver.All() {
		r, state := f.state(t, rules)
		levels := eventauth.PowerLevelsOf(rules, state)
		target := r.build(fixtureEvent{Type: "m.room.message", Sender: "@user:two.example", Content: json.RawMessage(`{}`)})
		by := func(sender id.UserID) bool {
			return levels.MayRedact(r.build(fixtureEvent{Type: event.TypeRedaction, Sender: sender, Content: json.RawMessage(`{}`)}), target)
		}
		require.True(t, by("@admin:one.example"), "power suffices")
		require.True(t, by("@user:two.example"), "one's own events")
		require.True(t, by("@invited:two.example"), "events of the same server")
		require.Equal(t, rules.RedactionNeedsAuth, by("@other:one.example"), "authorization decided before")
	}
}
