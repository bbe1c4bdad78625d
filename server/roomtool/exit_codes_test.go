// SPDX-License-Identifier: Apache-2.0

package roomtool_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomtool"
	"touchstone.example/spec"
)

const create = `{"auth_events":[],"content":{"room_version":"11"},"depth":1,"hashes":{"sha256":"x"},"origin_server_ts":1,"prev_events":[],` +
	`"room_id":"!room:one.example","sender":"@alice:one.example","signatures":{},"state_key":"","type":"m.room.create"}`

func TestExitCodesAndMessages(t *testing.T) {
	f := rooms(t)
	f["bad.keys"] = []byte(`{"one.example":{"ed25519:1":"short"}}`)
	f["no.keys"] = []byte(`{"one.example":`)
	f["bad.key"] = []byte("\ned25519 a_1 short\n")
	f["seed"] = []byte(seed)
	f["empty"] = nil
	long := strings.Repeat(" ", roomtool.MaxLine)
	for _, c := range []struct {
		name, command, stdin string
		code                 int
		says                 string
	}{
		{"no command", "", "", 2, "say which command"},
		{"an unknown command", "frob", "", 2, `there is no command "frob"`},
		{"help on an unknown command", "help frob", "", 2, `there is no command "frob"`},
		{"an unknown flag", "check --frob", "", 2, "-frob"},
		{"an unknown version", "check --room-version 99", create, 2, `there is no room version "99": they are 1 to 12`},
		{"an unknown hash", "hash --only md5", create, 2, `--only "md5" is none of`},
		{"an unknown format", "graph --format png", create, 2, `--format "png" is neither svg nor dot`},
		{"a negative number", "graph --last -1", create, 2, "--last -1"},
		{"an unknown event", "resolve --at $nope", create, 2, "no event $nope"},
		{"an unknown event to come before", "resolve --before nope", create, 2, "no event $nope"},
		{"an event that comes after nothing", "resolve --before $", create, 2, "none of its previous events"},
		{"a beginning of several IDs", "resolve --at $ fork-12.jsonl", "", 2, "could be"},
		{"a room without its create event", "check", `{"type":"m.room.message"}`, 2, "say --room-version"},
		{"verify without keys", "verify", create, 2, "say --keys"},
		{"sign without a key", "sign --server one.example", create, 2, "say --key and --server"},
		{"sign for what is no server", "sign --key seed --key-id ed25519:1 --server a/b", create, 2, "--server"},
		{"sign with what is no key ID", "sign --key seed --key-id ed25519 --server one.example", create, 2, "--key-id"},

		{"a create event that lost its version", "check", strings.Replace(create, `"room_version":"11"`, "", 1), 3, "<stdin>:1: the m.room.create names no room version"},
		{"a file that is not there", "check none.jsonl", "", 3, "none.jsonl: file does not exist"},
		{"a file of keys that is not there", "check --keys none.keys", create, 3, "none.keys: file does not exist"},
		{"nothing to read", "check", "", 3, "<stdin>: no events"},
		{"an empty file", "check empty", "", 3, "empty: no events"},
		{"what is not JSON", "check", create + "\n\n{\n", 3, "<stdin>:3: is not JSON"},
		{"two values on a line", "check", create + " " + create, 3, "<stdin>:1: is not JSON"},
		{"a member that is there twice", "check", `{"a":1,"a":2}`, 3, "<stdin>:1: is not JSON: repeated object member"},
		{"bad UTF-8", "check", "{\"a\":\"\xff\"}", 3, "invalid UTF-8"},
		{"what is no object", "check", `"event"`, 3, "<stdin>:1: is not a JSON object"},
		{"an array", "hash", "[" + create + "]", 3, "jq -c '.[]'"},
		{"a line that is too long", "check", create + "\n" + long + " ", 3, "<stdin>:2: the line is longer than 1048576 bytes"},
		{"a version that nobody knows", "check", strings.Replace(create, `"11"`, `"eleven"`, 1), 3, `<stdin>:1: room version "eleven" is none of`},
		{"a version that is no text", "check", strings.Replace(create, `"11"`, `11`, 1), 3, "is none of"},
		{"a public key that is none", "check --keys bad.keys", create, 3, "bad.keys: verify keys: the key ed25519:1 of one.example"},
		{"public keys that are not JSON", "check --keys no.keys", create, 3, "no.keys: verify keys"},
		{"a signing key that is none", "sign --key bad.key --server one.example", create, 3, "bad.key:2: the seed is not 32 bytes"},
		{"a signing key without a name", "sign --key seed --server one.example", create, 3, "seed:1: is a seed without a name"},
		{"no signing key", "sign --key empty --server one.example", create, 3, "empty: has no such signing key"},

		{"an event that is rejected", "check fork-12.jsonl", "", 1, ""},
		{"a room of which nothing is accepted", "resolve --room-version 11", `{"type":"x"}`, 1, "no event of the room was accepted"},
		{"a number that cannot be hashed", "hash", strings.Replace(create, `"depth":1`, `"depth":1.5`, 1), 1, "<stdin>:1: number is not an integer"},
		{"a number that cannot be signed", "sign --key seed --key-id ed25519:1 --server one.example",
			strings.Replace(create, `"depth":1`, `"depth":1.5`, 1), 1, "<stdin>:1: number is not an integer"},

		{"a room that is good", "check", create, 0, ""},
		{"the largest line", "check", create + long[len(create):], 0, ""},
		{"a file that begins with a byte order mark", "check", "\ufeff" + create + "\r\n", 0, ""},
		{"standard input by name", "check -", create, 0, ""},
		{"a picture of what is rejected", "graph fork-12.jsonl", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, errs := f.run(c.stdin, strings.Fields(c.command)...)
			require.Equal(t, c.code, code, errs)
			require.Contains(t, errs, c.says)
			require.Equal(t, c.says == "", errs == "", errs)
			require.NotContains(t, errs, seed)
		})
	}
}

func TestFlagsMayComeLast(t *testing.T) {
	f := rooms(t)
	require.Equal(t, f.must(t, "", "resolve", "--json", "fork-12.jsonl"), f.must(t, "", "resolve", "fork-12.jsonl", "--json"))
	f["--json"] = f["fork-12.jsonl"]
	require.Equal(t, f.must(t, "", "hash", "--only=event-id", "fork-12.jsonl"), f.must(t, "", "hash", "--only=event-id", "--", "--json"))
}

func TestInputErrorsHavePositions(t *testing.T) {
	var errs strings.Builder
	in := io.MultiReader(strings.NewReader(create+"\n"), iotest.ErrReader(errors.New("the disk is gone")))
	code := roomtool.Run([]string{"check"}, roomtool.Streams{In: in, Out: io.Discard, Err: &errs})
	require.Equal(t, roomtool.ExitNoInput, code)
	require.Equal(t, "touchstone room: <stdin>:2: the disk is gone\n", errs.String())
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestAnErrorOfTheOutputFails(t *testing.T) {
	var errs strings.Builder
	for _, command := range []string{"check", "check --json", "resolve", "graph", "graph --format dot", "hash", "redact", "help", "check --help"} {
		code := roomtool.Run(strings.Fields(command), roomtool.Streams{In: strings.NewReader(create), Out: fullDisk{}, Err: &errs})
		require.Equal(t, roomtool.ExitFailed, code, command)
		require.Contains(t, errs.String(), "the disk is full", command)
	}
}

func TestLinksLeadToThePinnedRelease(t *testing.T) {
	out := rooms(t).transcript("check fork-12.jsonl")
	require.Contains(t, out, "https://spec.matrix.org/"+spec.Version+"/rooms/v12/#authorisation-rules")
}
