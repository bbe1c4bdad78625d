// SPDX-License-Identifier: Apache-2.0

package pushrules_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/pushrules"
)

func event(t testing.TB, text string) *pushrules.Event {
	t.Helper()
	ev, err := pushrules.NewEvent(raw(text))
	require.NoError(t, err)
	return ev
}

// from makes an event sent by bob from its other members.
func from(t testing.TB, rest string) *pushrules.Event {
	return event(t, `{"sender":"@bob:example.org","room_id":"!r:x",`+rest+`}`)
}

func message(t testing.TB, content string) *pushrules.Event {
	return from(t, `"type":"m.room.message","content":{"msgtype":"m.text",`+content+`}`)
}

var group = &pushrules.RoomInfo{Members: 3}

func TestDefaultRuleOutcomes(t *testing.T) {
	direct := &pushrules.RoomInfo{Members: 2}
	moderated := &pushrules.RoomInfo{Members: 3, SenderLevel: 50}
	lowered := &pushrules.RoomInfo{Members: 3, NotificationLevel: func(key string) int64 { return int64(len(key)) - 4 }}
	for _, c := range []struct {
		name  string
		event string
		room  *pushrules.RoomInfo
		rule  string
		what  string // n(otify), h(ighlight) and the sound
	}{
		{"a message in a group", `"type":"m.room.message","content":{"body":"hi"}`, group, ".m.rule.message", "n"},
		{"a message between two", `"type":"m.room.message","content":{"body":"hi"}`, direct, ".m.rule.room_one_to_one", "n default"},
		{"an encrypted event in a group", `"type":"m.room.encrypted","content":{}`, group, ".m.rule.encrypted", "n"},
		{"an encrypted event between two", `"type":"m.room.encrypted","content":{}`, direct, ".m.rule.encrypted_room_one_to_one", "n default"},
		{"a call", `"type":"m.call.invite","content":{}`, group, ".m.rule.call", "n ring"},
		{"a notice", `"type":"m.room.message","content":{"msgtype":"m.notice","m.mentions":{"user_ids":["@alice:example.org"]}}`, direct, ".m.rule.suppress_notices", ""},
		{"an invite for the user", `"type":"m.room.member","state_key":"@alice:example.org","content":{"membership":"invite"}`, group, ".m.rule.invite_for_me", "n default"},
		{"an invite for another", `"type":"m.room.member","state_key":"@carol:example.org","content":{"membership":"invite"}`, group, ".m.rule.member_event", ""},
		{"an invite for one who is spelled alike", `"type":"m.room.member","state_key":"@ALICE:example.org","content":{"membership":"invite"}`, group, ".m.rule.member_event", ""},
		{"another membership of the user", `"type":"m.room.member","state_key":"@alice:example.org","content":{"membership":"leave"}`, group, ".m.rule.member_event", ""},
		{"an invite that is no membership", `"type":"m.room.other","state_key":"@alice:example.org","content":{"membership":"invite"}`, group, "", ""},
		{"a mention", `"type":"m.room.message","content":{"m.mentions":{"user_ids":["@carol:x","@alice:example.org"]}}`, direct, ".m.rule.is_user_mention", "nh default"},
		{"a mention in any event", `"type":"org.example","content":{"m.mentions":{"user_ids":["@alice:example.org"]}}`, group, ".m.rule.is_user_mention", "nh default"},
		{"a mention of another", `"type":"m.room.message","content":{"m.mentions":{"user_ids":["@carol:x"]}}`, group, ".m.rule.message", "n"},
		{"a mention that is no list", `"type":"m.room.message","content":{"m.mentions":{"user_ids":"@alice:example.org"}}`, group, ".m.rule.message", "n"},
		{"a name in the body is no mention", `"type":"m.room.message","content":{"body":"alice @alice:example.org @room"}`, group, ".m.rule.message", "n"},
		{"a mention of the room by a moderator", `"type":"m.room.message","content":{"m.mentions":{"room":true}}`, moderated, ".m.rule.is_room_mention", "nh"},
		{"a mention of the room by a user", `"type":"m.room.message","content":{"m.mentions":{"room":true}}`, group, ".m.rule.message", "n"},
		{"a mention of the room where all may", `"type":"m.room.message","content":{"m.mentions":{"room":true}}`, lowered, ".m.rule.is_room_mention", "nh"},
		{"a mention of the room that is a string", `"type":"m.room.message","content":{"m.mentions":{"room":"true"}}`, moderated, ".m.rule.message", "n"},
		{"a mention of the room and the user", `"type":"m.room.message","content":{"m.mentions":{"room":true,"user_ids":["@alice:example.org"]}}`, moderated, ".m.rule.is_user_mention", "nh default"},
		{"an upgrade", `"type":"m.room.tombstone","state_key":"","content":{}`, group, ".m.rule.tombstone", "nh"},
		{"an upgrade with a state key", `"type":"m.room.tombstone","state_key":"x","content":{}`, group, "", ""},
		{"an upgrade that is no state", `"type":"m.room.tombstone","content":{}`, group, "", ""},
		{"a reaction", `"type":"m.reaction","content":{}`, direct, ".m.rule.reaction", ""},
		{"an access list", `"type":"m.room.server_acl","state_key":"","content":{}`, group, ".m.rule.room.server_acl", ""},
		{"an edit", `"type":"m.room.message","content":{"m.relates_to":{"rel_type":"m.replace"}}`, direct, ".m.rule.suppress_edits", ""},
		{"an edit that mentions", `"type":"m.room.message","content":{"m.relates_to":{"rel_type":"m.replace"},"m.mentions":{"user_ids":["@alice:example.org"]}}`, direct, ".m.rule.is_user_mention", "nh default"},
		{"a state event", `"type":"m.room.name","state_key":"","content":{"name":"x"}`, group, "", ""},
		{"a type in other case", `"type":"M.ROOM.MESSAGE","content":{}`, group, ".m.rule.message", "n"},
	} {
		ev := from(t, c.event)
		var changed *pushrules.Ruleset = pushrules.Standard.Defaults(alice)
		put(t, changed, pushrules.Sender, "@nobody:x", `{"actions":[]}`, "", "")
		for how, o := range map[string]pushrules.Outcome{
			"compiled for one":  pushrules.Compile(changed).Evaluate(ev, c.room, ""),
			"compiled for all":  pushrules.Compile(pushrules.Standard.Defaults(alice)).Evaluate(ev, c.room, ""),
			"evaluated for all": pushrules.Standard.Share(ev, c.room).For(alice),
		} {
			require.Equal(t, c.rule, o.RuleID, "%s, %s", c.name, how)
			require.Equal(t, c.what, short(o), "%s, %s", c.name, how)
		}
	}
}

func short(o pushrules.Outcome) string {
	s := ""
	if o.Notify {
		s += "n"
	}
	if o.Highlight {
		s += "h"
	}
	return strings.TrimSpace(s + " " + o.Sound)
}

func TestOwnEventsDoNotNotify(t *testing.T) {
	ev := event(t, `{"type":"m.room.message","sender":"@alice:example.org","content":{"m.mentions":{"user_ids":["@alice:example.org"]}}}`)
	require.Zero(t, pushrules.Compile(pushrules.Standard.Defaults(alice)).Evaluate(ev, group, ""))
	shared := pushrules.Standard.Share(ev, group)
	require.Zero(t, shared.For(alice))
	require.Empty(t, shared.Exceptions())
	require.Equal(t, ".m.rule.message", shared.For("@bob:x").RuleID)
}

func TestTheOrderOfKinds(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	ev := message(t, `"body":"tea time"`)
	want := func(kind pushrules.Kind, rule string) {
		t.Helper()
		o := pushrules.Compile(s).Evaluate(ev, group, "")
		require.Equal(t, rule, o.RuleID)
		require.Equal(t, kind, o.Kind)
	}
	want(pushrules.Underride, ".m.rule.message")
	put(t, s, pushrules.Underride, "u", `{"actions":[]}`, "", "")
	want(pushrules.Underride, "u")
	put(t, s, pushrules.Sender, "@bob:example.org", `{"actions":[]}`, "", "")
	want(pushrules.Sender, "@bob:example.org")
	put(t, s, pushrules.Room, "!r:x", `{"actions":[]}`, "", "")
	want(pushrules.Room, "!r:x")
	put(t, s, pushrules.Content, "tea", `{"actions":[],"pattern":"tea"}`, "", "")
	want(pushrules.Content, "tea")
	put(t, s, pushrules.Content, "time", `{"actions":[],"pattern":"time"}`, "", "tea")
	want(pushrules.Content, "tea")
	put(t, s, pushrules.Override, "o", `{"actions":[]}`, "", "")
	want(pushrules.Override, "o")
	require.NoError(t, s.SetEnabled(pushrules.Override, ".m.rule.master", true))
	want(pushrules.Override, ".m.rule.master")

	require.NoError(t, s.SetEnabled(pushrules.Override, ".m.rule.master", false))
	for _, off := range []struct {
		kind pushrules.Kind
		id   string
	}{{pushrules.Override, "o"}, {pushrules.Content, "tea"}, {pushrules.Room, "!r:x"}} {
		require.NoError(t, s.SetEnabled(off.kind, off.id, false))
	}
	want(pushrules.Content, "time")
	require.NoError(t, s.SetEnabled(pushrules.Content, "time", false))
	want(pushrules.Sender, "@bob:example.org")
}

func TestConditions(t *testing.T) {
	const content = `"type":"m.room.topic","state_key":"","origin_server_ts":1432735824653,"content":{
		"topic":"Lunch plans","body":"An example event.","m.federate":true,"none":null,"n":10,"neg":-3,"frac":1.5,"big":9007199254740993,
		"m\\foo":"bar","list":["a",1,true,null,["deep"],{"b":1},1.5],"empty":[],"obj":{"list":["x"]},"s":"10"}`
	for _, c := range []struct {
		name, condition string
		want            bool
	}{
		{"a glob over a property", `"kind":"event_match","key":"content.topic","pattern":"lunc?*"`, true},
		{"must match all of it", `"kind":"event_match","key":"content.topic","pattern":"lunch"`, false},
		{"a question mark is one character", `"kind":"event_match","key":"content.topic","pattern":"lunch?plans"`, true},
		{"and not none", `"kind":"event_match","key":"content.topic","pattern":"lunch? plans"`, false},
		{"no string, no match", `"kind":"event_match","key":"content.n","pattern":"*"`, false},
		{"null is no string", `"kind":"event_match","key":"content.none","pattern":"*"`, false},
		{"an absent property does not match", `"kind":"event_match","key":"content.absent","pattern":"*"`, false},
		{"an empty property matches an empty pattern", `"kind":"event_match","key":"state_key","pattern":""`, true},
		{"and a star", `"kind":"event_match","key":"state_key","pattern":"*"`, true},
		{"an escaped backslash", `"kind":"event_match","key":"content.m\\\\foo","pattern":"bar"`, true},
		{"another escape is left as it is", `"kind":"event_match","key":"content.m\\foo","pattern":"bar"`, true},
		{"the body matches by words", `"kind":"event_match","key":"content.body","pattern":"ex*ple"`, true},
		{"and not by parts of words", `"kind":"event_match","key":"content.body","pattern":"xampl"`, false},
		{"a value that is true", `"kind":"event_property_is","key":"content.m\\.federate","value":true`, true},
		{"without the escape it is elsewhere", `"kind":"event_property_is","key":"content.m.federate","value":true`, false},
		{"a string is not true", `"kind":"event_property_is","key":"content.m\\.federate","value":"true"`, false},
		{"one is not true", `"kind":"event_property_is","key":"content.m\\.federate","value":1`, false},
		{"null is null", `"kind":"event_property_is","key":"content.none","value":null`, true},
		{"null is not absence", `"kind":"event_property_is","key":"content.absent","value":null`, false},
		{"an integer", `"kind":"event_property_is","key":"content.n","value":10`, true},
		{"in another notation", `"kind":"event_property_is","key":"content.n","value":1e1`, true},
		{"a negative one", `"kind":"event_property_is","key":"content.neg","value":-3`, true},
		{"a text is no integer", `"kind":"event_property_is","key":"content.s","value":10`, false},
		{"strings match exactly", `"kind":"event_property_is","key":"content.topic","value":"lunch plans"`, false},
		{"a long integer at the top", `"kind":"event_property_is","key":"origin_server_ts","value":1432735824653`, true},
		{"a list is not its member", `"kind":"event_property_is","key":"content.list","value":"a"`, false},
		{"a list with a string", `"kind":"event_property_contains","key":"content.list","value":"a"`, true},
		{"a list with an integer", `"kind":"event_property_contains","key":"content.list","value":1`, true},
		{"a list with true", `"kind":"event_property_contains","key":"content.list","value":true`, true},
		{"a list with null", `"kind":"event_property_contains","key":"content.list","value":null`, true},
		{"a list without false", `"kind":"event_property_contains","key":"content.list","value":false`, false},
		{"a list in a list", `"kind":"event_property_contains","key":"content.list","value":"deep"`, false},
		{"an empty list", `"kind":"event_property_contains","key":"content.empty","value":"a"`, false},
		{"a list in an object", `"kind":"event_property_contains","key":"content.obj.list","value":"x"`, true},
		{"a string is no list", `"kind":"event_property_contains","key":"content.topic","value":"Lunch plans"`, false},
		{"an object is no list", `"kind":"event_property_contains","key":"content","value":"topic"`, false},
		{"three members", `"kind":"room_member_count","is":"3"`, true},
		{"exactly three members", `"kind":"room_member_count","is":"==3"`, true},
		{"not two", `"kind":"room_member_count","is":"2"`, false},
		{"fewer than four", `"kind":"room_member_count","is":"<4"`, true},
		{"not fewer than three", `"kind":"room_member_count","is":"<3"`, false},
		{"at most three", `"kind":"room_member_count","is":"<=3"`, true},
		{"more than two", `"kind":"room_member_count","is":">2"`, true},
		{"not more than three", `"kind":"room_member_count","is":">3"`, false},
		{"at least three", `"kind":"room_member_count","is":">=3"`, true},
		{"not at least four", `"kind":"room_member_count","is":">=4"`, false},
		{"the sender may not notify the room", `"kind":"sender_notification_permission","key":"room"`, false},
		{"an unknown condition", `"kind":"org.matrix.msc3931.room_version_supports","feature":"x"`, false},
		{"the display name is not there", `"kind":"contains_display_name"`, false},
	} {
		s := pushrules.Standard.Defaults(alice)
		put(t, s, pushrules.Override, "it", condition(c.condition), "", "")
		o := pushrules.Compile(s).Evaluate(from(t, content), group, "Alice")
		require.Equal(t, c.want, o.RuleID == "it", c.name)
	}
}

func TestAllConditionsHaveToHold(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	put(t, s, pushrules.Override, "it", `{"actions":["notify"],"conditions":[{"kind":"room_member_count","is":"3"},{"kind":"event_match","key":"type","pattern":"m.*"}]}`, "", "")
	rules := pushrules.Compile(s)
	require.Equal(t, "it", rules.Evaluate(message(t, `"body":""`), group, "").RuleID)
	require.NotEqual(t, "it", rules.Evaluate(message(t, `"body":""`), &pushrules.RoomInfo{Members: 4}, "").RuleID)
	require.NotEqual(t, "it", rules.Evaluate(from(t, `"type":"x"`), group, "").RuleID)
}

func TestTheDisplayName(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	require.False(t, pushrules.Compile(s).WantDisplayName())
	put(t, s, pushrules.Override, "name", `{"actions":["notify"],"conditions":[{"kind":"contains_display_name"}]}`, "", "")
	rules := pushrules.Compile(s)
	require.True(t, rules.WantDisplayName())
	for _, c := range []struct {
		name, body string
		want       bool
	}{
		{"Alice", "hello alice!", true},
		{"Alice", "malice", false},
		{"Alice A.", "is ALICE a. here", true},
		{"A*e", "alice", false},
		{"A*e", "it is a*e", true},
		{"[★]", "so [★]", true},
		{"Ünal", "ünal?", true},
		{"", "anything", false},
	} {
		o := rules.Evaluate(message(t, `"body":"`+c.body+`"`), group, c.name)
		require.Equal(t, c.want, o.RuleID == "name", "%q in %q", c.name, c.body)
	}
	require.NotEqual(t, "name", rules.Evaluate(message(t, `"body":7`), group, "7").RuleID)
	require.NoError(t, s.SetEnabled(pushrules.Override, "name", false))
	require.False(t, pushrules.Compile(s).WantDisplayName())
}

func TestActions(t *testing.T) {
	for actions, c := range map[string]struct{ what, tweaks string }{
		`[]`:                                   {"", `{}`},
		`["notify"]`:                           {"n", `{}`},
		`["dont_notify"]`:                      {"", `{}`},
		`["coalesce","notify","dont_notify"]`:  {"n", `{}`},
		`["org.example","notify"]`:             {"n", `{}`},
		`["notify",{"set_tweak":"highlight"}]`: {"nh", `{"highlight":true}`},
		`["notify",{"set_tweak":"highlight","value":true}]`:                       {"nh", `{"highlight":true}`},
		`["notify",{"set_tweak":"highlight","value":false}]`:                      {"n", `{"highlight":false}`},
		`[{"set_tweak":"highlight"},{"set_tweak":"sound","value":"a"}]`:           {"", `{"highlight":true,"sound":"a"}`},
		`["notify",{"set_tweak":"sound","value":"bing"}]`:                         {"n bing", `{"sound":"bing"}`},
		`["notify",{"set_tweak":"sound"}]`:                                        {"n", `{}`},
		`["notify",{"set_tweak":"sound","value":7}]`:                              {"n", `{"sound":7}`},
		`["notify",{"set_tweak":"light","value":{"a":9007199254740993}},{"x":1}]`: {"n", `{"light":{"a":9007199254740993}}`},
	} {
		s := pushrules.Standard.Defaults(alice)
		put(t, s, pushrules.Room, "!r:x", `{"actions":`+actions+`}`, "", "")
		o := pushrules.Compile(s).Evaluate(message(t, `"body":""`), group, "")
		require.Equal(t, c.what, short(o), actions)
		require.Equal(t, c.tweaks, string(o.Tweaks), actions)
		require.Equal(t, actions, string(o.Actions))
	}
}

func TestSharedExceptions(t *testing.T) {
	for name, c := range map[string]struct {
		event    string
		everyone string
		want     map[id.UserID]string
	}{
		"nobody": {`"type":"m.room.message","content":{}`, ".m.rule.message", nil},
		"two who are mentioned": {`"type":"m.room.message","content":{"m.mentions":{"user_ids":["@b:x","@a:x","@b:x","@bob:example.org","nobody",7]}}`,
			".m.rule.message", map[id.UserID]string{"@a:x": ".m.rule.is_user_mention", "@b:x": ".m.rule.is_user_mention"}},
		"an empty name is not everybody": {`"type":"m.room.message","content":{"m.mentions":{"user_ids":[""]}}`, ".m.rule.message", nil},
		"who is mentioned in a notice":   {`"type":"m.room.message","content":{"msgtype":"m.notice","m.mentions":{"user_ids":["@a:x"]}}`, ".m.rule.suppress_notices", nil},
		"who is invited":                 {`"type":"m.room.member","state_key":"@a:x","content":{"membership":"invite"}`, ".m.rule.member_event", map[id.UserID]string{"@a:x": ".m.rule.invite_for_me"}},
		"an invite of nobody":            {`"type":"m.room.member","state_key":"","content":{"membership":"invite"}`, ".m.rule.member_event", nil},
		"who is invited and mentioned": {`"type":"m.room.member","state_key":"@a:x","content":{"membership":"invite","m.mentions":{"user_ids":["@a:x","@b:x"]}}`,
			".m.rule.member_event", map[id.UserID]string{"@a:x": ".m.rule.invite_for_me"}},
		"who leaves": {`"type":"m.room.member","state_key":"@a:x","content":{"membership":"leave"}`, ".m.rule.member_event", nil},
	} {
		shared := pushrules.Standard.Share(from(t, c.event), group)
		require.Equal(t, c.everyone, shared.Everyone.RuleID, name)
		got := map[id.UserID]string{}
		for _, user := range shared.Exceptions() {
			got[user] = shared.For(user).RuleID
		}
		if c.want == nil {
			c.want = map[id.UserID]string{}
		}
		require.Equal(t, c.want, got, name)
	}
}

func TestNewEventRefusesInvalidEvents(t *testing.T) {
	for _, text := range []string{``, `[]`, `7`, `{`, `{"a":[`, `{"a":{"b":`, `{"a":[1,}`} {
		_, err := pushrules.NewEvent(raw(text))
		require.ErrorContains(t, err, "push rules: ", text)
	}
}

func TestMalformedEvents(t *testing.T) {
	rules := pushrules.Compile(pushrules.Standard.Defaults(alice))
	for text, want := range map[string]string{
		`{}`:                                    "",
		`{"type":7,"sender":null,"content":[]}`: "",
		"{\"type\":\"m.room.message\",\"content\":{\"body\":\"\xff\",\"a\":1,\"a\":2}}": ".m.rule.message",
		`{"type":"\u006d.room.message"}`:                                                ".m.rule.message",
	} {
		require.Equal(t, want, rules.Evaluate(event(t, text), group, "").RuleID, text)
	}
}
