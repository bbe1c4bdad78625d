// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/pushrules"
)

// FuzzPushRules reads any bytes as a user's rules, changes them, writes them
// and evaluates them for any event.
func FuzzPushRules(f *testing.F) {
	event := `{"type":"m.room.message","sender":"@b:x","room_id":"!r:x","content":{"body":"tea time","m.mentions":{"user_ids":["@a:x","",7],"room":true}}}`
	f.Add(pushrules.Standard.Defaults("@a:x").AppendJSON(nil), []byte(event), []byte(`{"actions":["notify",{"set_tweak":"sound","value":"x"}],"pattern":"t*a"}`), "a")
	f.Add([]byte(`{"override":[{"rule_id":"o","enabled":true,"actions":[],"conditions":[{"kind":"event_property_is","key":"content.a\\.b","value":1e1},{"kind":"contains_display_name"}]}]}`),
		[]byte(`{"content":{"a.b":10,"body":"@a:x"}}`), []byte(`{"actions":[],"conditions":[{"kind":"room_member_count","is":"<=2"}]}`), "!r:x")
	f.Add([]byte(`{"room":[{"rule_id":"!r:x","enabled":false,"actions":["dont_notify"]}],"sender":[{"rule_id":"@b:x","enabled":true,"actions":["notify"]}]}`),
		[]byte(`{"type":"m.room.member","state_key":"@a:x","content":{"membership":"invite"}}`), []byte(`{}`), "@b:x")
	f.Fuzz(func(t *testing.T, rules, event, body []byte, ruleID string) {
		s, err := pushrules.Standard.Parse("@a:x", rules)
		if err != nil {
			s = pushrules.Standard.Defaults("@a:x")
		}
		for _, kind := range []pushrules.Kind{pushrules.Override, pushrules.Content, pushrules.Room, pushrules.Sender, pushrules.Underride} {
			if s.Put(kind, ruleID, body, "", "") == nil {
				r, ok := s.Rule(kind, ruleID)
				require.True(t, ok)
				require.False(t, r.Default())
			}
		}
		all := s.AppendJSON(nil)
		require.True(t, jsontext.Value(all).IsValid(), "%s", all)
		for _, data := range [][]byte{all, s.AppendChanges(nil)} {
			again, err := pushrules.Standard.Parse("@a:x", data)
			require.NoError(t, err, "%s", data)
			require.Equal(t, string(all), string(again.AppendJSON(nil)))
			require.Equal(t, s.IsDefault(), again.IsDefault())
		}
		ev, err := pushrules.NewEvent(event)
		if err != nil {
			return
		}
		room := &pushrules.RoomInfo{Members: 2, SenderLevel: 50}
		pushrules.Compile(s).Evaluate(ev, room, "Alice")
		agree(t, ev, room, ruleID)
	})
}

// agree compares the shared evaluation with the evaluation for single users.
func agree(t *testing.T, ev *pushrules.Event, room *pushrules.RoomInfo, name string) {
	shared := pushrules.Standard.Share(ev, room)
	users := append(shared.Exceptions(), "@a:x", "@b:x", id.UserID(name))
	for _, user := range users {
		alone := pushrules.Standard.Defaults(user)
		require.NoError(t, alone.Put(pushrules.Sender, "@nobody:x", jsontext.Value(`{"actions":[]}`), "", ""))
		require.Equal(t, pushrules.Compile(alone).Evaluate(ev, room, "").RuleID, shared.For(user).RuleID, "for %q", user)
	}
}

// FuzzPushRuleGlobs compares globs with regular expressions. It uses few
// different characters, so that matches are frequent.
func FuzzPushRuleGlobs(f *testing.F) {
	f.Add([]byte("\x00\x02\x01"), []byte("\x00\x00\x01\x04"))
	f.Add([]byte("\x02\x03\x05\x02"), []byte("\x04\x05\x06\x00"))
	alphabet := []string{"a", "b", "*", "?", "-", "é", "_", "A", " "}
	spell := func(b []byte) string {
		var s strings.Builder
		for _, c := range b[:min(len(b), 24)] {
			s.WriteString(alphabet[int(c)%len(alphabet)])
		}
		return s.String()
	}
	f.Fuzz(func(t *testing.T, p, v []byte) {
		glob, value := spell(p), spell(v)
		re, err := regexp.Compile(`(?is)^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(glob)) + `$`)
		require.NoError(t, err)
		require.Equal(t, re.MatchString(value), globMatches(t, "topic", glob, value), "%q over %q", glob, value)
		require.Equal(t, matchesWords(re, value), globMatches(t, "body", glob, value), "%q over the words of %q", glob, value)
	})
}

// matchesWords tries every part of a text between word boundaries.
func matchesWords(re *regexp.Regexp, s string) bool {
	isWord := func(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }
	edge := func(i int) bool {
		return (i == len(s) || utf8.RuneStart(s[i])) && (i == 0 || i == len(s) || !isWord(s[i-1]) || !isWord(s[i]))
	}
	for i := range len(s) + 1 {
		for j := i; j <= len(s); j++ {
			if edge(i) && edge(j) && re.MatchString(s[i:j]) {
				return true
			}
		}
	}
	return false
}

func globMatches(t *testing.T, key, glob, value string) bool {
	body, err := json.Marshal(map[string]any{"actions": []any{}, "conditions": []any{map[string]any{"kind": "event_match", "key": "content." + key, "pattern": glob}}})
	require.NoError(t, err)
	s := pushrules.Standard.Defaults("@a:x")
	require.NoError(t, s.Put(pushrules.Override, "it", body, "", ""))
	text, err := json.Marshal(map[string]any{"content": map[string]any{key: value}})
	require.NoError(t, err)
	ev, err := pushrules.NewEvent(text)
	require.NoError(t, err)
	return pushrules.Compile(s).Evaluate(ev, &pushrules.RoomInfo{}, "").RuleID == "it"
}
