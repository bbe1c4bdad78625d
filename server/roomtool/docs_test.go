// SPDX-License-Identifier: Apache-2.0

package roomtool_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomtool"
)

const (
	guide        = "../../docs/room-commands.md"
	guidePicture = "../../docs/room-commands.svg"
)

// A guideRun executes the commands of the guide docs/room-commands.md from top
// to bottom, as a reader would.
type guideRun struct {
	files
	t        *testing.T
	commands int
	rejected bool
}

// blocks are the fenced code blocks of the guide. A block with the contents of
// a file follows the name of the file.
var (
	blocks   = regexp.MustCompile("(?ms)^```([a-z ]+)\n(.*?)^```\n")
	fileName = regexp.MustCompile("(?m)^`([a-z0-9-]+\\.[a-z]+)`[^\n]*:\n\n\\z")
)

func TestGuideCommandsAndOutput(t *testing.T) {
	b, err := os.ReadFile(guide)
	require.NoError(t, err)
	text := string(b)
	g := &guideRun{t: t, files: files{}}
	var written strings.Builder
	end := 0
	for _, m := range blocks.FindAllStringSubmatchIndex(text, -1) {
		before, language, body := text[end:m[0]], text[m[2]:m[3]], text[m[4]:m[5]]
		written.WriteString(before)
		if name := fileName.FindStringSubmatch(before); name != nil {
			require.NotEqual(t, "console", language)
			g.files[name[1]] = []byte(body)
		} else {
			require.Equal(t, "console", language, "a file without a name: %s", body)
			body = g.console(body)
		}
		written.WriteString("```" + language + "\n" + body + "```\n")
		end = m[1]
	}
	written.WriteString(text[end:])
	require.Greater(t, g.commands, 12)
	require.True(t, g.rejected)
	if *update {
		require.NoError(t, os.WriteFile(guide, []byte(written.String()), 0o644))
		require.NoError(t, os.WriteFile(guidePicture, g.files["room-commands.svg"], 0o644))
		return
	}
	require.Equal(t, text, written.String())
	picture, err := os.ReadFile(guidePicture)
	require.NoError(t, err)
	require.Equal(t, string(picture), string(g.files["room-commands.svg"]))
}

// console executes the commands of a block and returns them with their output.
func (g *guideRun) console(body string) string {
	var out strings.Builder
	for line := range strings.Lines(body) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			out.WriteString(line)
			out.WriteString(g.shell(strings.TrimSpace(command)))
		}
	}
	return out.String()
}

// shell interprets the small part of shell syntax that the guide uses.
func (g *guideRun) shell(command string) string {
	if source, ok := g.files["room.txt"]; ok {
		g.files["room-1.txt"] = []byte(strings.Replace(string(source), `"users":{`, `"users":{"@alice:one.example":100,`, 1))
	}
	g.commands++
	command, into, redirected := strings.Cut(command, " > ")
	first, filter, piped := strings.Cut(command, " | ")
	stdin := ""
	if first == "sed s/hello/hullo/ signed.jsonl" {
		stdin = strings.Replace(string(g.files["signed.jsonl"]), "hello", "hullo", 1)
		first, piped = filter, false
	}
	args, ok := strings.CutPrefix(first, "touchstone room ")
	require.True(g.t, ok, first)
	code, out, errs := g.run(stdin, strings.Fields(args)...)
	require.Empty(g.t, errs, command)
	if name := strings.Fields(args)[0]; name == "check" || name == "verify" {
		g.rejected = g.rejected || code == roomtool.ExitFailed
	} else {
		require.Equal(g.t, roomtool.ExitGood, code, command)
	}
	if piped {
		return g.jq(filter, out)
	}
	if redirected {
		g.files[into] = []byte(out)
		return ""
	}
	return out
}

// jq implements the single jq filter of the guide.
func (g *guideRun) jq(filter, in string) string {
	require.Equal(g.t, `jq -c '.events[] | select(.verdict == "rejected") | [.line, .rule, .reason]'`, filter)
	var report struct {
		Events []struct {
			Verdict, Rule, Reason string
			Line                  int
		}
	}
	require.NoError(g.t, json.Unmarshal([]byte(in), &report))
	var out strings.Builder
	for _, e := range report.Events {
		if e.Verdict == "rejected" {
			fmt.Fprintf(&out, "[%d,%q,%q]\n", e.Line, e.Rule, e.Reason)
		}
	}
	return out.String()
}
