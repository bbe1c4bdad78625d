// SPDX-License-Identifier: Apache-2.0

package pushrules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/pushrules"
)

// matches reports whether a rule with this glob on a key matches a value.
func matches(t testing.TB, key, glob, value string) bool {
	t.Helper()
	body, err := json.Marshal(map[string]any{"actions": []any{}, "conditions": []any{map[string]any{"kind": "event_match", "key": "content." + key, "pattern": glob}}})
	require.NoError(t, err)
	s := pushrules.Standard.Defaults(alice)
	put(t.(*testing.T), s, pushrules.Override, "it", string(body), "", "")
	text, err := json.Marshal(map[string]any{"content": map[string]any{key: value}})
	require.NoError(t, err)
	return pushrules.Compile(s).Evaluate(event(t, string(text)), group, "").RuleID == "it"
}

func TestGlobsOverAWholeValue(t *testing.T) {
	for _, c := range []struct {
		glob, value string
		want        bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "anything", true}, {"**", "", true}, {"?", "", false}, {"?", "a", true},
		{"?", "é", true}, {"?", "ab", false}, {"*?", "a", true}, {"?*", "", false}, {"*?*", "abc", true}, {"??", "éé", true},
		{"abc", "ABC", true}, {"ABC", "abc", true}, {"ÄÖ", "äö", true}, {"σ", "ς", true}, {"k", "\u212a", true},
		{"a*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "abcd", false}, {"a*b*c", "a-b-b-c", true}, {"a*a", "a", false}, {"ab*ba", "aba", false},
		{"*.example.org", "matrix.example.org", true}, {"*.example.org", "example.org", false}, {"*ab", "aab", true}, {"*a?", "xaay", true},
		{"a*?c", "ac", false}, {"a*?c", "abc", true}, {"*é?", "éa", true}, {"*é?", "é", false},
		{"[a-z]", "b", false}, {"[a-z]", "[a-z]", true}, {"a.c", "abc", false}, {"a\nc", "a\nc", true}, {"a*c", "a\n\nc", true}, {"?", "\n", true},
	} {
		require.Equal(t, c.want, matches(t, "topic", c.glob, c.value), "%q over %q", c.glob, c.value)
	}
}

func TestGlobsOverWords(t *testing.T) {
	for _, c := range []struct {
		glob, value string
		want        bool
	}{
		{"ex*ple", "An example event.", true}, {"ex*ple", "exple", true}, {"ex*ple", "An exciting triple-whammy", true},
		{"ex*ple", "An example_event.", false}, {"ex*ple", "An xexample", false}, {"ex*ple", "exampled example", true},
		{"cake", "cake", true}, {"cake", "CAKE!", true}, {"cake", "a cake.", true}, {"cake", "pancake", false}, {"cake", "cakes", false},
		{"cake", "cake_", false}, {"cake", "cake9", false}, {"cake", "cakes and cake", true}, {"cake", "écakeé", true}, {"cake", "🎂cake🎂", true},
		{"cake*lie", "cake is a lie", true}, {"cake*lie", "cake is a lier", false}, {"cake*lie", "the lie is a cake", false},
		{"cak?", "cakes cake", true}, {"cak?", "cak", false}, {"cak?", "cak!", true}, {"?ake", "a bake", true},
		{"*", "", true}, {"*", "x", true}, {"", "", true}, {"", "x", true}, {"cake*", "cakes", true}, {"*cake", "pancake", true}, {"*cake", "pancakes", false},
		{"-whammy", "triple-whammy", true}, {"triple-", "triple-whammy", true}, {"@room", "hey @room!", true}, {"@room", "me@room", true},
		{"two words", "in two words here", true}, {"two  words", "two words", false}, {"a*b", "ab", true}, {"a*b", "a b", true}, {"a*b", "a bc b", true},
		{"é", "café", true}, {"x?y*z", "xéy and z", true}, {"x?y*z", "xéy and za", false},
	} {
		require.Equal(t, c.want, matches(t, "body", c.glob, c.value), "%q over %q", c.glob, c.value)
	}
}

func TestExpensiveGlobsAreFast(t *testing.T) {
	// A backtracking matcher would take practically forever for these.
	long := strings.Repeat("a ", 30000)
	require.False(t, matches(t, "body", strings.Repeat("a*", 500)+"b", long))
	require.False(t, matches(t, "topic", strings.Repeat("*a?", 300)+"b", long))
	require.False(t, matches(t, "body", strings.Repeat("?", 1000)+"b", long))
}

func bench(b *testing.B, s *pushrules.Ruleset, ev *pushrules.Event) {
	rules := pushrules.Compile(s)
	b.ReportAllocs()
	for b.Loop() {
		rules.Evaluate(ev, group, "Alice")
	}
}

func BenchmarkNewEvent(b *testing.B) {
	text := raw(`{"type":"m.room.message","sender":"@bob:example.org","room_id":"!r:x","event_id":"$e","origin_server_ts":1,` +
		`"content":{"msgtype":"m.text","body":"An example event.","format":"org.matrix.custom.html","formatted_body":"<b>An</b> example event.","m.mentions":{"user_ids":["@a:x"]}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pushrules.NewEvent(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkShare(b *testing.B) {
	ev := message(b, `"body":"An example event.","m.mentions":{"user_ids":["@a:x"]}`)
	b.ReportAllocs()
	for b.Loop() {
		shared := pushrules.Standard.Share(ev, group)
		_ = shared.For(alice)
	}
}

func BenchmarkEvaluateDefaults(b *testing.B) {
	bench(b, pushrules.Standard.Defaults(alice), message(b, `"body":"An example event."`))
}

func BenchmarkEvaluateAHundredContentRules(b *testing.B) {
	s := pushrules.Standard.Defaults(alice)
	for i := range 100 {
		if err := s.Put(pushrules.Content, fmt.Sprint(i), raw(fmt.Sprintf(`{"actions":["notify"],"pattern":"word%d*end"}`, i)), "", ""); err != nil {
			b.Fatal(err)
		}
	}
	bench(b, s, message(b, `"body":"`+strings.Repeat("An example event. ", 20)+`"`))
}

func BenchmarkCompile(b *testing.B) {
	s := pushrules.Standard.Defaults(alice)
	if err := s.Put(pushrules.Content, "tea", raw(`{"actions":["notify"],"pattern":"tea"}`), "", ""); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		pushrules.Compile(s)
	}
}
