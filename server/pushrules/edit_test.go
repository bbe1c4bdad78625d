// SPDX-License-Identifier: Apache-2.0

package pushrules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/pushrules"
)

func raw(s string) jsontext.Value { return jsontext.Value(s) }

// ids lists the rules that the user made of a kind; "…" stands for the default
// rules.
func ids(s *pushrules.Ruleset, k pushrules.Kind) string {
	var out []string
	for _, r := range s.Rules(k) {
		switch {
		case !r.Default():
			out = append(out, r.ID)
		case len(out) == 0 || out[len(out)-1] != "…":
			out = append(out, "…")
		}
	}
	return strings.Join(out, " ")
}

func put(t *testing.T, s *pushrules.Ruleset, k pushrules.Kind, ruleID, body, before, after string) {
	t.Helper()
	require.NoError(t, s.Put(k, ruleID, raw(body), before, after))
}

func TestRulePosition(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	const body = `{"actions":["notify"]}`
	put(t, s, pushrules.Override, "a", body, "", "")
	require.Equal(t, "… a …", ids(s, pushrules.Override), "after the master rule only")
	require.Equal(t, ".m.rule.master", s.Rules(pushrules.Override)[0].ID)
	put(t, s, pushrules.Override, "b", body, "", "")
	require.Equal(t, "… b a …", ids(s, pushrules.Override), "a new rule is the most important one")
	put(t, s, pushrules.Override, "c", body, "a", "")
	require.Equal(t, "… b c a …", ids(s, pushrules.Override), "before")
	put(t, s, pushrules.Override, "d", body, "", "a")
	require.Equal(t, "… b c a d …", ids(s, pushrules.Override), "after")
	put(t, s, pushrules.Override, "e", body, "b", "a")
	require.Equal(t, "… e b c a d …", ids(s, pushrules.Override), "before counts")
	put(t, s, pushrules.Override, "c", `{"actions":[]}`, "", "")
	require.Equal(t, "… e b c a d …", ids(s, pushrules.Override), "a changed rule stays")
	put(t, s, pushrules.Override, "c", `{"actions":[]}`, "e", "")
	require.Equal(t, "… c e b a d …", ids(s, pushrules.Override), "or moves")
	put(t, s, pushrules.Override, "c", `{"actions":[]}`, "", "d")
	require.Equal(t, "… e b a d c …", ids(s, pushrules.Override))

	put(t, s, pushrules.Underride, "a", body, "", "")
	require.Equal(t, "a …", ids(s, pushrules.Underride))
	put(t, s, pushrules.Content, "a", `{"actions":[],"pattern":"x"}`, "", "")
	put(t, s, pushrules.Content, "b", `{"actions":[],"pattern":"x"}`, "", "")
	require.Equal(t, "b a", ids(s, pushrules.Content))
}

func TestANewRuleIsEnabledAndAChangedOneStaysAsItIs(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	put(t, s, pushrules.Sender, "@a:x", `{"actions":[]}`, "", "")
	put(t, s, pushrules.Sender, "@b:x", `{"actions":[]}`, "", "")
	rule, ok := s.Rule(pushrules.Sender, "@a:x")
	require.True(t, ok)
	require.True(t, rule.Enabled)
	require.False(t, rule.Default())
	require.NoError(t, s.SetEnabled(pushrules.Sender, "@a:x", false))
	for _, before := range []string{"", "@b:x"} {
		put(t, s, pushrules.Sender, "@a:x", `{"actions":["notify"]}`, before, "")
		rule, _ = s.Rule(pushrules.Sender, "@a:x")
		require.False(t, rule.Enabled)
		require.Equal(t, `["notify"]`, string(rule.Actions))
	}
}

func TestRulesThatCannotBePut(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for name, c := range map[string]struct {
		kind          pushrules.Kind
		id, body      string
		before, after string
		want          error
	}{
		"an id that begins with a dot":           {id: ".m.rule.message", want: pushrules.ErrRuleID},
		"an id that is not UTF-8":                {id: "a\xff", want: pushrules.ErrRuleID},
		"an id with a slash":                     {id: "a/b", want: pushrules.ErrRuleID},
		"an id with a backslash":                 {id: `a\b`, want: pushrules.ErrRuleID},
		"an empty id":                            {id: "", want: pushrules.ErrRuleID},
		"a room rule without a room":             {kind: pushrules.Room, id: "a", want: pushrules.ErrRuleID},
		"a sender rule without a user":           {kind: pushrules.Sender, id: "a", want: pushrules.ErrRuleID},
		"an unknown anchor before":               {id: "a", before: "b", want: pushrules.ErrAnchor},
		"an unknown anchor after":                {id: "a", after: "b", want: pushrules.ErrAnchor},
		"an anchor that is a default rule":       {id: "a", before: ".m.rule.reaction", want: pushrules.ErrAnchor},
		"the master rule as an anchor":           {id: "a", after: ".m.rule.master", want: pushrules.ErrAnchor},
		"itself as an anchor":                    {id: "mine", before: "mine", want: pushrules.ErrAnchor},
		"no object":                              {id: "a", body: `[]`, want: pushrules.ErrRule},
		"no JSON":                                {id: "a", body: `{`, want: pushrules.ErrRule},
		"no body":                                {id: "a", body: ` `, want: pushrules.ErrRule},
		"a member twice":                         {id: "a", body: `{"actions":[],"actions":[]}`, want: pushrules.ErrRule},
		"no actions":                             {id: "a", body: `{}`, want: pushrules.ErrRule},
		"actions that are null":                  {id: "a", body: `{"actions":null}`, want: pushrules.ErrRule},
		"actions that are no list":               {id: "a", body: `{"actions":"notify"}`, want: pushrules.ErrRule},
		"an action that is a number":             {id: "a", body: `{"actions":[1]}`, want: pushrules.ErrRule},
		"an action that is null":                 {id: "a", body: `{"actions":[null]}`, want: pushrules.ErrRule},
		"a tweak without a name":                 {id: "a", body: `{"actions":[{"set_tweak":1}]}`, want: pushrules.ErrRule},
		"conditions that are no list":            {id: "a", body: `{"actions":[],"conditions":{}}`, want: pushrules.ErrRule},
		"conditions that are null":               {id: "a", body: `{"actions":[],"conditions":null}`, want: pushrules.ErrRule},
		"a condition that is a string":           {id: "a", body: `{"actions":[],"conditions":["a"]}`, want: pushrules.ErrRule},
		"a condition without a kind":             {id: "a", body: `{"actions":[],"conditions":[{}]}`, want: pushrules.ErrRule},
		"a kind that is a number":                {id: "a", body: `{"actions":[],"conditions":[{"kind":1}]}`, want: pushrules.ErrRule},
		"event_match without a key":              {id: "a", body: condition(`"kind":"event_match","pattern":"a"`), want: pushrules.ErrRule},
		"event_match without a pattern":          {id: "a", body: condition(`"kind":"event_match","key":"a"`), want: pushrules.ErrRule},
		"event_match with a number":              {id: "a", body: condition(`"kind":"event_match","key":"a","pattern":1`), want: pushrules.ErrRule},
		"event_match with a long pattern":        {id: "a", body: condition(`"kind":"event_match","key":"a","pattern":"` + long + `"`), want: pushrules.ErrRule},
		"event_property_is without a value":      {id: "a", body: condition(`"kind":"event_property_is","key":"a"`), want: pushrules.ErrRule},
		"event_property_is without a key":        {id: "a", body: condition(`"kind":"event_property_is","value":1`), want: pushrules.ErrRule},
		"event_property_is with a list":          {id: "a", body: condition(`"kind":"event_property_is","key":"a","value":[]`), want: pushrules.ErrRule},
		"event_property_is with a fraction":      {id: "a", body: condition(`"kind":"event_property_is","key":"a","value":1.5`), want: pushrules.ErrRule},
		"event_property_is with a big number":    {id: "a", body: condition(`"kind":"event_property_is","key":"a","value":9007199254740992`), want: pushrules.ErrRule},
		"event_property_contains with an object": {id: "a", body: condition(`"kind":"event_property_contains","key":"a","value":{}`), want: pushrules.ErrRule},
		"room_member_count without is":           {id: "a", body: condition(`"kind":"room_member_count"`), want: pushrules.ErrRule},
		"room_member_count with a number":        {id: "a", body: condition(`"kind":"room_member_count","is":2`), want: pushrules.ErrRule},
		"room_member_count of no number":         {id: "a", body: condition(`"kind":"room_member_count","is":">="`), want: pushrules.ErrRule},
		"room_member_count of a negative one":    {id: "a", body: condition(`"kind":"room_member_count","is":"-1"`), want: pushrules.ErrRule},
		"room_member_count with another sign":    {id: "a", body: condition(`"kind":"room_member_count","is":"=<2"`), want: pushrules.ErrRule},
		"sender_notification_permission alone":   {id: "a", body: condition(`"kind":"sender_notification_permission"`), want: pushrules.ErrRule},
		"a content rule without a pattern":       {kind: pushrules.Content, id: "a", want: pushrules.ErrRule},
		"a content rule whose pattern is null":   {kind: pushrules.Content, id: "a", body: `{"actions":[],"pattern":null}`, want: pushrules.ErrRule},
		"a content rule with a long pattern":     {kind: pushrules.Content, id: "a", body: `{"actions":[],"pattern":"` + long + `"}`, want: pushrules.ErrRule},
	} {
		s := pushrules.Standard.Defaults(alice)
		put(t, s, pushrules.Override, "mine", `{"actions":[]}`, "", "")
		was := string(s.AppendJSON(nil))
		if c.body == "" {
			c.body = `{"actions":[]}`
		}
		require.ErrorIs(t, s.Put(c.kind, c.id, raw(c.body), c.before, c.after), c.want, name)
		require.Equal(t, was, string(s.AppendJSON(nil)), name)
	}
}

func condition(members string) string {
	return `{"actions":[],"conditions":[{` + members + `}]}`
}

func TestPutKeepsConditionsAndActionsAsSent(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	put(t, s, pushrules.Override, "a", ` { "actions" : [ "dont_notify" , {"set_tweak":"sound","value":1e2,"<&>":"\u00e9"} ] ,
		"conditions" : [ {"kind":"org.example.new","x":9007199254740993} ] , "pattern":"ignored", "other": 1 } `, "", "")
	rule, _ := s.Rule(pushrules.Override, "a")
	require.Equal(t, `{"rule_id":"a","default":false,"enabled":true,"conditions":[{"kind":"org.example.new","x":9007199254740993}],`+
		`"actions":["dont_notify",{"set_tweak":"sound","value":1e2,"<&>":"\u00e9"}]}`, string(rule.AppendJSON(nil, pushrules.Override)))

	put(t, s, pushrules.Content, "\"b\"\x00", `{"actions":[],"pattern":"<\u0000é*>","conditions":"ignored"}`, "", "")
	rule = s.Rules(pushrules.Content)[0]
	require.JSONEq(t, `{"rule_id":"\"b\"\u0000","default":false,"enabled":true,"pattern":"<\u0000é*>","actions":[]}`, string(rule.AppendJSON(nil, pushrules.Content)))

	put(t, s, pushrules.Room, "!a:x", `{"actions":[],"conditions":"ignored","pattern":7}`, "", "")
	rule = s.Rules(pushrules.Room)[0]
	require.Equal(t, `{"rule_id":"!a:x","default":false,"enabled":true,"actions":[]}`, string(rule.AppendJSON(nil, pushrules.Room)))
}

func TestChangingAndDeleting(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	put(t, s, pushrules.Room, "!a:x", `{"actions":[]}`, "", "")
	handedOut := s.Rules(pushrules.Room)

	require.NoError(t, s.SetActions(pushrules.Room, "!a:x", raw(`["notify"]`)))
	require.NoError(t, s.SetEnabled(pushrules.Room, "!a:x", false))
	rule, _ := s.Rule(pushrules.Room, "!a:x")
	require.Equal(t, pushrules.Rule{ID: "!a:x", Actions: raw(`["notify"]`)}, rule)
	require.Equal(t, `[]`, string(handedOut[0].Actions), "what was handed out does not change")
	require.ErrorIs(t, s.SetActions(pushrules.Room, "!a:x", raw(`{}`)), pushrules.ErrRule)

	require.ErrorIs(t, s.SetActions(pushrules.Room, "!b:x", raw(`{}`)), pushrules.ErrNotFound)
	require.ErrorIs(t, s.SetEnabled(pushrules.Sender, "!a:x", true), pushrules.ErrNotFound)
	require.ErrorIs(t, s.Delete(pushrules.Room, "!b:x"), pushrules.ErrNotFound)
	require.ErrorIs(t, s.Delete(pushrules.Override, ".m.rule.master"), pushrules.ErrNotFound)
	require.NoError(t, s.Delete(pushrules.Room, "!a:x"))
	_, ok := s.Rule(pushrules.Room, "!a:x")
	require.False(t, ok)
	require.True(t, s.IsDefault())
}

func TestAnUpgradedRoomTakesOverTheRule(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	require.False(t, s.CopyRoom("!old:x", "!new:x"))
	put(t, s, pushrules.Room, "!old:x", `{"actions":["dont_notify"]}`, "", "")
	require.NoError(t, s.SetEnabled(pushrules.Room, "!old:x", false))
	require.True(t, s.CopyRoom("!old:x", "!new:x"))
	require.Equal(t, "!new:x !old:x", ids(s, pushrules.Room))
	rule, _ := s.Rule(pushrules.Room, "!new:x")
	require.Equal(t, pushrules.Rule{ID: "!new:x", Actions: raw(`["dont_notify"]`)}, rule)
	require.False(t, s.CopyRoom("!old:x", "!new:x"), "a room's own rule stays")
}

func TestNumberOfRulesIsLimited(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `,{"rule_id":"r%d","enabled":true,"actions":[]}`, i)
	}
	s, err := pushrules.Standard.Parse(alice, raw(`{"override":[`+b.String()[1:]+`]}`))
	require.NoError(t, err)
	require.ErrorIs(t, s.Put(pushrules.Override, "one more", raw(`{"actions":[]}`), "", ""), pushrules.ErrFull)
	require.NoError(t, s.Put(pushrules.Override, "r1", raw(`{"actions":["notify"]}`), "", ""))
	_, err = pushrules.Standard.Parse(alice, raw(`{"override":[{"rule_id":"r","enabled":true,"actions":[]}`+b.String()+`]}`))
	require.ErrorIs(t, err, pushrules.ErrFull)
}

func TestParseReadsWhatWasWritten(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	for _, data := range [][]byte{s.AppendJSON(nil), s.AppendChanges(nil), []byte(`{}`)} {
		same, err := pushrules.Standard.Parse(alice, data)
		require.NoError(t, err)
		require.Equal(t, string(s.AppendJSON(nil)), string(same.AppendJSON(nil)))
		require.True(t, same.IsDefault())
	}
	require.Equal(t, `{"override":[],"content":[],"room":[],"sender":[],"underride":[]}`, string(s.AppendChanges(nil)))

	put(t, s, pushrules.Override, "a", `{"actions":["notify"],"conditions":[{"kind":"room_member_count","is":"2"}]}`, "", "")
	put(t, s, pushrules.Override, "b", `{"actions":[]}`, "", "")
	put(t, s, pushrules.Content, "c", `{"actions":[],"pattern":"x"}`, "", "")
	put(t, s, pushrules.Room, "!a:x", `{"actions":[]}`, "", "")
	put(t, s, pushrules.Sender, "@a:x", `{"actions":[]}`, "", "")
	put(t, s, pushrules.Underride, "d", `{"actions":[]}`, "", "")
	require.NoError(t, s.SetEnabled(pushrules.Override, ".m.rule.master", true))
	require.NoError(t, s.SetEnabled(pushrules.Override, "b", false))
	require.NoError(t, s.SetActions(pushrules.Underride, ".m.rule.message", raw(`["dont_notify"]`)))
	for _, data := range [][]byte{s.AppendJSON(nil), s.AppendChanges(nil)} {
		same, err := pushrules.Standard.Parse(alice, data)
		require.NoError(t, err)
		require.Equal(t, string(s.AppendJSON(nil)), string(same.AppendJSON(nil)))
	}
	var changes map[string][]struct {
		ID string `json:"rule_id"`
	}
	require.NoError(t, json.Unmarshal(s.AppendChanges(nil), &changes))
	require.Len(t, changes["override"], 3)
	require.Len(t, changes["underride"], 2)
}

func TestParseFollowsTheDefaults(t *testing.T) {
	s, err := pushrules.Standard.Parse(alice, raw(`{"override":[
		{"rule_id":".m.rule.contains_display_name","default":true,"enabled":true,"actions":[],"conditions":[{"kind":"contains_display_name"}]},
		{"rule_id":".m.rule.reaction","default":true,"enabled":false,"conditions":[],"actions":["notify"]},
		{"rule_id":"mine","default":true,"enabled":true,"actions":[]}
	]}`))
	require.NoError(t, err)
	_, ok := s.Rule(pushrules.Override, ".m.rule.contains_display_name")
	require.False(t, ok, "a rule of another version is dropped")
	reaction, _ := s.Rule(pushrules.Override, ".m.rule.reaction")
	require.False(t, reaction.Enabled)
	require.Equal(t, `["notify"]`, string(reaction.Actions))
	require.Equal(t, `[{"kind":"event_match","key":"type","pattern":"m.reaction"}]`, string(reaction.Conditions), "conditions of defaults stay")
	mine, _ := s.Rule(pushrules.Override, "mine")
	require.False(t, mine.Default(), "the id decides")
	require.Equal(t, "… mine …", ids(s, pushrules.Override))
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{``, `[]`, `null`, `{`, `{"override":{}}`, `{"override":[1]}`, `{"override":[null]}`, `{"override":[{}]}`,
		`{"override":[{"rule_id":"a","actions":[]}]}`, `{"override":[{"enabled":true,"actions":[]}]}`,
		`{"override":[{"rule_id":"a","enabled":true}]}`, `{"override":[{"rule_id":"a","enabled":"yes","actions":[]}]}`,
		`{"override":[{"rule_id":".m.rule.master","enabled":true,"actions":{}}]}`,
		`{"override":[{"rule_id":"a/b","enabled":true,"actions":[]}]}`,
		`{"override":[{"rule_id":"a","enabled":true,"actions":[]},{"rule_id":"a","enabled":true,"actions":[]}]}`,
		`{"room":[{"rule_id":"a","enabled":true,"actions":[]}]}`,
		`{"content":[{"rule_id":"a","enabled":true,"actions":[]}]}`,
	} {
		_, err := pushrules.Standard.Parse(alice, []byte(text))
		require.ErrorContains(t, err, "push rules: ", text)
	}
}
