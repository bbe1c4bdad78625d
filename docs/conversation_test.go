// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server"
	"touchstone.example/server/config"
)

// TestTheFirstConversation types what the README asks a newcomer to type, and
// compares what is answered with what the README says, but for what is new
// each time.
func TestTheFirstConversation(t *testing.T) {
	if help, err := exec.Command("curl", "--help", "all").Output(); err != nil || !strings.Contains(string(help), "--json") {
		t.Skip("the README's conversation needs curl 7.82 or later")
	}
	_, section, _ := strings.Cut(read(t, "README.md"), "<!-- conversation begin -->")
	section, _, closed := strings.Cut(section, "<!-- conversation end -->")
	require.True(t, closed, "the README has the marks of the conversation")
	d := parse("README.md", section)

	cfg, err := config.Load(config.Sources{Env: []string{"TOUCHSTONE_LAB=true", "TOUCHSTONE_LISTENERS_CLIENT_ADDRESS=127.0.0.1:0"}})
	require.NoError(t, err)
	s, err := server.Start(context.WithoutCancel(t.Context()), cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.WithoutCancel(t.Context()))) })

	require.Contains(t, d.shell(), "http://127.0.0.1:8008")
	script := "set -eu\n" + strings.ReplaceAll(d.shell(), "http://127.0.0.1:8008", s.ClientURL())
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	require.NoError(t, err, "%s", out)

	answers := string(out)
	require.Contains(t, answers, `{"room_id":"!`)
	require.Contains(t, answers, `{"event_id":"$`)
	require.Contains(t, answers, `"body":"Have some tea"`, "the long poll returned with the message")
	for _, b := range d.blocks {
		for _, line := range b.lines {
			if b.lang == "json" && strings.Contains(line, `"errcode"`) {
				at := 0 // where something new each time is left out, there is an ellipsis
				for _, part := range strings.Split(line, " … ") {
					i := strings.Index(answers[at:], part)
					require.GreaterOrEqual(t, i, 0, "%s is not in %s", part, answers[at:])
					at += i + len(part)
				}
			}
		}
	}
}
