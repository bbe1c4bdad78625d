// SPDX-License-Identifier: Apache-2.0

package roomver_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomver"
)

var update = flag.Bool("update", false, "write docs/room-versions.md")

const tablePath = "../../docs/room-versions.md"

// rows says how to show each member of Rules. The test fails if a member is
// missing here.
var rows = []struct {
	title  string
	member string
	text   string
}{
	{"Event format", "EventID", "Event IDs"},
	{"", "ReferencesCarryHashes", "References to events are pairs of an ID and a hash"},
	{"", "RoomIDIsCreateHash", "The room's ID is the hash of its create event"},
	{"", "StrictJSON", "Events must be canonical JSON"},
	{"", "MaxDepth", "Largest depth"},
	{"", "RedactsInContent", "`redacts` is in the content"},
	{"", "CreatorInContent", "The content of the create event names the creator"},
	{"Redaction", "Redaction", "Variant of the algorithm (below)"},
	{"", "RedactionNeedsAuth", "The authorization rules decide whether a redaction applies"},
	{"Signatures", "EventIDServerSigns", "The server named in the event ID signs too"},
	{"", "KeyValidityEnforced", "Keys count only while they are valid"},
	{"State resolution", "StateResolution", "Algorithm"},
	{"Authorization", "CreateEventImplied", "The room ID implies the create event, which is not among the auth events"},
	{"", "AliasesHaveOwnRule", "`m.room.aliases` has a rule of its own"},
	{"", "NotificationLevelsChecked", "Changes to `notifications` need their levels"},
	{"", "IntegerPowerLevels", "Power levels are integers only"},
	{"", "Knock", "Knocking"},
	{"", "Restricted", "Join rule `restricted`"},
	{"", "KnockRestricted", "Join rule `knock_restricted`"},
	{"", "CreatorsPrivileged", "Creators have infinite power"},
	{"", "AdditionalCreators", "`additional_creators`"},
}

// The table in docs/room-versions.md must match the rules.
func TestTheTableInDocs(t *testing.T) {
	got := table(t)
	if *update {
		require.NoError(t, os.WriteFile(tablePath, []byte(got), 0o644))
	}
	want, err := os.ReadFile(tablePath)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./server/roomver -update")
}

func table(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# Room versions\n\nThe behaviour of each room version, from `server/roomver`, the only package that knows version numbers. " +
		"A behaviour that a version has is marked ●.\nWritten by `go test ./server/roomver -update`.\n\n")
	all := roomver.All()
	variants := map[*roomver.Redaction]string{}
	var redactions []*roomver.Redaction
	b.WriteString("| |")
	for _, r := range all {
		b.WriteString(" " + r.Version + " |")
		if variants[r.Redaction] == "" {
			redactions = append(redactions, r.Redaction)
			variants[r.Redaction] = string(rune('a' + len(redactions) - 1))
		}
	}
	b.WriteString("\n|---|" + strings.Repeat(":-:|", len(all)) + "\n")
	shown := []string{"Version"}
	for _, row := range rows {
		shown = append(shown, row.member)
		if row.title != "" {
			b.WriteString("| **" + row.title + "** |" + strings.Repeat(" |", len(all)) + "\n")
		}
		b.WriteString("| " + row.text + " |")
		for _, r := range all {
			b.WriteString(" " + cell(t, reflect.ValueOf(*r).FieldByName(row.member), variants) + " |")
		}
		b.WriteByte('\n')
	}
	var members []string
	for i := range reflect.TypeFor[roomver.Rules]().NumField() {
		members = append(members, reflect.TypeFor[roomver.Rules]().Field(i).Name)
	}
	require.ElementsMatch(t, members, shown, "every member of Rules has a row")

	b.WriteString("\n## What a redacted event keeps\n\n| | " + strings.Join(column(redactions, func(r *roomver.Redaction) string { return variants[r] }), " | ") +
		" |\n|---|" + strings.Repeat("---|", len(redactions)) + "\n")
	line := func(what string, of func(*roomver.Redaction) string) {
		b.WriteString("| " + what + " | " + strings.Join(column(redactions, of), " | ") + " |\n")
	}
	line("the event's members", func(r *roomver.Redaction) string { return code(r.TopLevel) })
	var types []string
	for _, r := range redactions {
		for typ := range r.Content {
			if !slices.Contains(types, typ) {
				types = append(types, typ)
			}
		}
	}
	slices.Sort(types)
	for _, typ := range types {
		line("content of `"+typ+"`", func(r *roomver.Redaction) string { return kept(r, typ) })
	}
	return b.String()
}

func column(redactions []*roomver.Redaction, of func(*roomver.Redaction) string) []string {
	var cells []string
	for _, r := range redactions {
		cells = append(cells, of(r))
	}
	return cells
}

func code(names []string) string {
	quoted := slices.Clone(names)
	for i := range quoted {
		quoted[i] = "`" + quoted[i] + "`"
	}
	return strings.Join(quoted, " ")
}

func kept(r *roomver.Redaction, typ string) string {
	names := slices.Clone(r.Content[typ])
	switch {
	case r.WholeCreate && typ == "m.room.create":
		return "everything"
	case r.ThirdPartySigned && typ == "m.room.member":
		names = append(names, "third_party_invite.signed")
	}
	return code(names)
}

func cell(t *testing.T, v reflect.Value, variants map[*roomver.Redaction]string) string {
	switch x := v.Interface().(type) {
	case bool:
		if x {
			return "●"
		}
		return ""
	case roomver.EventIDFormat:
		return [...]string{"chosen", "hash", "hash, URL-safe"}[x]
	case roomver.StateResolution:
		return string(x)
	case int64:
		return fmt.Sprintf("2^%s−1", strconv.Itoa(len(strconv.FormatInt(x, 2))))
	case *roomver.Redaction:
		return variants[x]
	}
	t.Fatalf("no form for %s", v.Type())
	return ""
}
