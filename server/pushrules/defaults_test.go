// SPDX-License-Identifier: Apache-2.0

package pushrules_test

import (
	"os"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/pushrules"
)

const alice = "@alice:example.org"

// testdata/defaults.json holds the definitions of client-server "Predefined
// Rules" of v1.19, in their order.
func TestTheDefaultsAreTheSpecifications(t *testing.T) {
	file, err := os.ReadFile("testdata/defaults.json")
	require.NoError(t, err)
	var want map[string][]any
	require.NoError(t, json.Unmarshal(file, &want))
	want["content"], want["room"], want["sender"] = []any{}, []any{}, []any{}

	var got map[string][]any
	require.NoError(t, json.Unmarshal(pushrules.Standard.Defaults(alice).AppendJSON(nil), &got))
	require.Equal(t, want, got)
}

func TestTheLegacyMentionRulesAreGone(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	for _, gone := range []string{".m.rule.contains_display_name", ".m.rule.roomnotif"} {
		_, ok := s.Rule(pushrules.Override, gone)
		require.False(t, ok)
	}
	require.Empty(t, s.Rules(pushrules.Content), ".m.rule.contains_user_name was the only one")
}

func TestUsersWithoutChangesAreOnDefaults(t *testing.T) {
	s := pushrules.Standard.Defaults(alice)
	require.True(t, s.IsDefault())
	require.True(t, pushrules.Compile(s).IsDefault())
	require.Equal(t, alice, string(s.User()))

	changes := map[string]func(s *pushrules.Ruleset) error{
		"a rule of their own":     func(s *pushrules.Ruleset) error { return s.Put(pushrules.Room, "!a:x", raw(`{"actions":[]}`), "", "") },
		"a default rule disabled": func(s *pushrules.Ruleset) error { return s.SetEnabled(pushrules.Override, ".m.rule.reaction", false) },
		"the master rule enabled": func(s *pushrules.Ruleset) error { return s.SetEnabled(pushrules.Override, ".m.rule.master", true) },
		"other actions": func(s *pushrules.Ruleset) error {
			return s.SetActions(pushrules.Underride, ".m.rule.message", raw(`[]`))
		},
		"the same actions, spelled": func(s *pushrules.Ruleset) error {
			return s.SetActions(pushrules.Underride, ".m.rule.message", raw(`["notif\u0079"]`))
		},
	}
	for name, change := range changes {
		s := pushrules.Standard.Defaults(alice)
		require.NoError(t, change(s), name)
		require.False(t, s.IsDefault(), name)
		require.False(t, pushrules.Compile(s).IsDefault(), name)
	}

	s = pushrules.Standard.Defaults(alice)
	require.NoError(t, s.SetEnabled(pushrules.Override, ".m.rule.reaction", false))
	require.NoError(t, s.SetEnabled(pushrules.Override, ".m.rule.reaction", true))
	require.NoError(t, s.SetActions(pushrules.Underride, ".m.rule.message", raw(` [ "notify" ] `)))
	require.True(t, s.IsDefault(), "what was undone is no change")
}

func TestKinds(t *testing.T) {
	for _, name := range []string{"override", "content", "room", "sender", "underride"} {
		k, ok := pushrules.ParseKind(name)
		require.True(t, ok)
		require.Equal(t, name, k.String())
	}
	_, ok := pushrules.ParseKind("device")
	require.False(t, ok)
}
