// SPDX-License-Identifier: Apache-2.0

package roomtool_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomtool"
	"touchstone.example/server/roomver"
)

const builtCreate = `{"name":"create","type":"m.room.create","sender":"@alice:one.example"}` + "\n"

func TestBuildIsRepeatable(t *testing.T) {
	require.Equal(t, rooms(t), rooms(t))
}

func TestBuiltRoomsAreGood(t *testing.T) {
	const members = `{"type":"m.room.member","state_key":"@alice:one.example","sender":"@alice:one.example","content":{"membership":"join"}}` + "\n" +
		`{"type":"m.room.power_levels","state_key":"","sender":"@alice:one.example","content":{"users":{}, "invite": 0}}` + "\n" +
		`{"type":"m.room.message","sender":"@alice:one.example","ts":5,"depth":77}` + "\n" +
		`{"type":"m.room.redaction","sender":"@alice:one.example","redacts":"create"}` + "\n"
	f := files{}
	for _, rules := range roomver.All() {
		description := builtCreate + members
		if !rules.CreatorsPrivileged {
			description = strings.Replace(description, `"users":{}`, `"users":{"@alice:one.example":100}`, 1)
		}
		f["keys"] = []byte(f.must(t, description, "build", "--verify-keys", "--room-version", rules.Version))
		room := f.must(t, description, "build", "--room-version", rules.Version)
		require.Contains(t, room, `"depth":77`)
		require.Contains(t, room, `"origin_server_ts":5,`)
		require.Contains(t, room, `"redacts":"$`)
		out := f.must(t, room, "check", "--keys", "keys")
		require.Contains(t, out, "5 events: 5 accepted.\n", rules.Version)
	}
}

func TestBuildUsesTheDefaultVersion(t *testing.T) {
	require.Contains(t, files{}.must(t, builtCreate, "build"), `"room_version":"`+roomver.Default+`"`)
}

func TestBuildSaysWhatIsWrongWithADescription(t *testing.T) {
	for _, c := range []struct{ name, line, says string }{
		{"an unknown member", `{"typ":"x"}`, "<stdin>:2: "},
		{"an unknown name to come after", `{"type":"x","sender":"@a:b","after":["who"]}`, `<stdin>:2: no event above is named "who"`},
		{"an unknown name among the auth events", `{"type":"x","sender":"@a:b","auth":["who"]}`, `no event above is named "who"`},
		{"a name that is taken", `{"name":"create","type":"x","sender":"@a:b"}`, `the name "create" is taken`},
		{"a sender that is none", `{"type":"x","sender":"a"}`, "the user ID does not begin with its sigil"},
		{"an unknown way to spoil", `{"type":"x","sender":"@a:b","spoil":"milk"}`, `"milk"`},
		{"content that is no object", `{"type":"x","sender":"@a:b","content":1}`, "content"},
		{"content that no event can have", `{"type":"x","sender":"@a:b","content":{"a":1.5}}`, "number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := files{}.run(builtCreate+c.line, "build")
			require.Equal(t, roomtool.ExitNoInput, code, errs)
			require.Empty(t, out)
			require.Contains(t, errs, c.says)
		})
	}
	for line, says := range map[string]string{
		`{"type":"x","sender":"@a:b"}`:                                                        "the first event is not an m.room.create",
		`{"type":"m.room.create","state_key":"x","sender":"@a:b"}`:                            "has a state key",
		`{"type":"m.room.create","sender":"@a:b","content":[]}`:                               "<stdin>:1: ",
		`{"type":"m.room.create","sender":"@a:b","content":{"room_version":"x"}}`:             `there is no room version "x"`,
		`{"type":"m.room.create","sender":"@a:b","content":{"room_version":5}}`:               `there is no room version ""`,
		`{"type":"m.room.create","sender":"@a:b","content":{"room_version":"2","big":1e999}}`: "<stdin>:1: ",
	} {
		code, _, errs := files{}.run(line, "build")
		require.Equal(t, roomtool.ExitNoInput, code, errs)
		require.Contains(t, errs, says, line)
	}
}
