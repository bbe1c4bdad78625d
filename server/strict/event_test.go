// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/strict"
)

func TestEventContent(t *testing.T) {
	for _, c := range []struct {
		name, typ, content string
		want               []string
	}{
		{"a right message", "m.room.message", `{"msgtype":"m.text","body":"x"}`, nil},
		{"a message without its type", "m.room.message", `{"body":"x"}`, []string{"event-content /content"}},
		{"a message of a type that has its own schema", "m.room.message", `{"msgtype":"m.image","body":"x","info":{"w":"wide"}}`, []string{"event-content /content/info/w"}},
		{"a message of a type of somebody's own", "m.room.message", `{"msgtype":"org.example","body":"x"}`, nil},
		{"a type of somebody's own", "org.example", `{"x":1}`, nil},
		{"a right name", "m.room.name", `{"name":"x"}`, nil},
		{"a wrong name", "m.room.name", `{"name":1}`, []string{"event-content /content/name"}},
		{"a membership that is none", "m.room.member", `{"membership":"guest"}`, []string{"event-content /content/membership"}},
		{"a verification by its method", "m.key.verification.start", `{"method":"m.sas.v1","from_device":"A"}`, []string{"event-content /content"}},
		{"a type that is made to lead elsewhere", "../errors", `{}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJudge(t, strict.Strict, nil)
			require.NoError(t, j.Content("client", c.typ, []byte(c.content)))
			require.ElementsMatch(t, c.want, noted(j))
			for _, v := range j.Log().All() {
				require.Equal(t, []any{strict.Event, c.typ}, []any{v.Direction, v.Event})
			}

			j = newJudge(t, strict.Lenient, nil)
			require.NoError(t, j.Content("client", c.typ, []byte(c.content)))
			require.Empty(t, noted(j))
		})
	}
}

func TestFederationEvents(t *testing.T) {
	const pdu = `{"type":"m.x","sender":"@a:b","room_id":"!a:b","origin_server_ts":1,"content":{},"depth":1,` +
		`"hashes":{"sha256":"x"},"signatures":{},"prev_events":[],"auth_events":[]}`
	for _, c := range []struct {
		name  string
		judge func(j *strict.Judge) error
		want  []string
	}{
		{"a right EDU", func(j *strict.Judge) error {
			return j.EDU("remote server", []byte(`{"edu_type":"m.typing","content":{"room_id":"!a:b","user_id":"@a:b","typing":true}}`))
		}, nil},
		{"a wrong EDU", func(j *strict.Judge) error {
			return j.EDU("remote server", []byte(`{"edu_type":"m.typing","content":{"room_id":"!a:b","user_id":"@a:b","typing":"yes"}}`))
		}, []string{"federation-event /content/typing"}},
		{"an EDU of somebody's own", func(j *strict.Judge) error {
			return j.EDU("remote server", []byte(`{"edu_type":"org.example","content":{}}`))
		}, nil},
		{"a right PDU", func(j *strict.Judge) error { return j.PDU("remote server", "10", []byte(pdu)) }, nil},
		{"a PDU without what its version needs", func(j *strict.Judge) error { return j.PDU("remote server", "1", []byte(pdu)) }, []string{"federation-event "}},
		{"a PDU of a version without a format", func(j *strict.Judge) error { return j.PDU("remote server", "org.example", []byte(`{}`)) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJudge(t, strict.Strict, nil)
			require.NoError(t, c.judge(j))
			require.ElementsMatch(t, c.want, noted(j))
		})
	}
}
