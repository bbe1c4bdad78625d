// SPDX-License-Identifier: Apache-2.0

package roomver_test

import (
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomver"
)

func TestThereAreTheVersions1To12(t *testing.T) {
	rules := roomver.All()
	require.Len(t, rules, 12)
	for i, r := range rules {
		require.Equal(t, strconv.Itoa(i+1), r.Version)
		got, ok := roomver.Get(r.Version)
		require.True(t, ok)
		require.Same(t, r, got)
	}
	_, ok := roomver.Get("13")
	require.False(t, ok)
	_, ok = roomver.Get("")
	require.False(t, ok)
	_, ok = roomver.Get(roomver.Default)
	require.True(t, ok)
}

// TestEachVersionChangesWhatItsDocumentSays compares the differences between
// versions with the introductions of their documents.
func TestEachVersionChangesWhatItsDocumentSays(t *testing.T) {
	want := map[string][]string{
		"2":  {"StateResolution"},
		"3":  {"EventID", "EventIDServerSigns", "RedactionNeedsAuth", "ReferencesCarryHashes"},
		"4":  {"EventID"},
		"5":  {"KeyValidityEnforced"},
		"6":  {"AliasesHaveOwnRule", "MaxDepth", "NotificationLevelsChecked", "Redaction", "StrictJSON"},
		"7":  {"Knock"},
		"8":  {"Redaction", "Restricted"},
		"9":  {"Redaction"},
		"10": {"IntegerPowerLevels", "KnockRestricted"},
		"11": {"CreatorInContent", "Redaction", "RedactsInContent"},
		"12": {"AdditionalCreators", "CreateEventImplied", "CreatorsPrivileged", "RoomIDIsCreateHash", "StateResolution"},
	}
	all := roomver.All()
	for i := 1; i < len(all); i++ {
		before, after := reflect.ValueOf(*all[i-1]), reflect.ValueOf(*all[i])
		var changed []string
		for f := range before.NumField() {
			name := before.Type().Field(f).Name
			if name != "Version" && !before.Field(f).Equal(after.Field(f)) {
				changed = append(changed, name)
			}
		}
		slices.Sort(changed)
		require.Equal(t, want[all[i].Version], changed, "version %s", all[i].Version)
	}
}

func TestTheRowsOfTheFirstAndTheLastVersion(t *testing.T) {
	first, _ := roomver.Get("1")
	require.Equal(t, roomver.Rules{
		Version: "1", EventID: roomver.EventIDGiven, ReferencesCarryHashes: true, MaxDepth: 1<<63 - 1,
		CreatorInContent: true, Redaction: first.Redaction, RedactionNeedsAuth: true, EventIDServerSigns: true,
		StateResolution: "1", AliasesHaveOwnRule: true,
	}, *first)
	last, _ := roomver.Get("12")
	require.Equal(t, roomver.Rules{
		Version: "12", EventID: roomver.EventIDHashURLSafe, RoomIDIsCreateHash: true, StrictJSON: true, MaxDepth: 1<<53 - 1,
		RedactsInContent: true, Redaction: last.Redaction, KeyValidityEnforced: true, StateResolution: "2.1",
		CreateEventImplied: true, NotificationLevelsChecked: true, IntegerPowerLevels: true, Knock: true,
		Restricted: true, KnockRestricted: true, CreatorsPrivileged: true, AdditionalCreators: true,
	}, *last)
}

func TestThereAreFiveRedactions(t *testing.T) {
	seen := map[*roomver.Redaction]bool{}
	for _, r := range roomver.All() {
		seen[r.Redaction] = true
	}
	require.Len(t, seen, 5)
}
