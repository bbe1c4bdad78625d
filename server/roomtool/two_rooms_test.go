// SPDX-License-Identifier: Apache-2.0

package roomtool_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomtool"
	"touchstone.example/server/roomver"
)

// Events of two rooms in one input must not be mixed.
func TestTwoRoomsInOneInputAreNotMixed(t *testing.T) {
	for _, rules := range roomver.All() {
		f := files{}
		build := func(server, content string) []string {
			description := `{"type":"m.room.create","sender":"@a:SERVER"}
				{"type":"m.room.member","state_key":"@a:SERVER","sender":"@a:SERVER","content":{"membership":"join"}}
				{"type":"m.room.message","sender":"@a:SERVER","content":{"body":"` + content + `"}}`
			out := f.must(t, strings.ReplaceAll(description, "SERVER", server), "build", "--room-version", rules.Version)
			return strings.Split(strings.TrimSpace(out), "\n")
		}
		one, two := build("one.example", "x"), build("two.example", "x")
		ids := strings.Fields(f.must(t, strings.Join(append(one[:3:3], two...), "\n"), "hash", "--only", "event-id"))
		before, after, _ := strings.Cut(build("two.example", "y")[2], `"prev_events"`)
		astray := before + `"prev_events"` + strings.ReplaceAll(after, ids[4], ids[1])
		f["rooms"] = []byte(strings.Join(append(append(one[:3:3], two...), astray), "\n"))

		code, out, _ := f.run("", "check", "rooms")
		require.Equal(t, roomtool.ExitFailed, code)
		require.Equal(t, 6, strings.Count(out, " accepted "), out)
		require.Equal(t, 4, strings.Count(out, "is of another room, !"), out)
		require.Contains(t, strings.Split(out, "line 7")[1], "the prev event "+ids[1]+" is of another room")

		out = f.must(t, "", "resolve", "rooms")
		require.Contains(t, out, ids[2][:8])
		require.NotContains(t, out, "two.example")
		code, _, errs := f.run("", "resolve", "--at", ids[2], "--at", ids[5], "rooms")
		require.Equal(t, roomtool.ExitUsage, code)
		require.Contains(t, errs, "are of different rooms")
	}
}
