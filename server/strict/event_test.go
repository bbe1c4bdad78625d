// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/server/strict"
)

func TestEventContent(t *testing.T) {
	for _, c := range []struct {
		name, typ, content string
		want               []string
	}{
		{"a right message", "m.room.message", `{"msgtype":"m.text","body":"x"}`, nil},
		{"a message without its type", "m.room.message", `{"body":"x"}`, []string{"event-content /msgtype"}},
		{"a message of a type that has its own schema", "m.room.message", `{"msgtype":"m.image","body":"x","url":"mxc://a/b","info":{"w":"wide"}}`, []string{"event-content /info/w"}},
		{"a message of a type of somebody's own", "m.room.message", `{"msgtype":"org.example","body":"x"}`, nil},
		{"a type of somebody's own", "org.example", `{"x":1}`, nil},
		{"a right name", "m.room.name", `{"name":"x"}`, nil},
		{"a wrong name", "m.room.name", `{"name":1}`, []string{"event-content /name"}},
		{"a membership that is none", "m.room.member", `{"membership":"guest"}`, []string{"request-enum /membership"}},
		{"a verification by its method", "m.key.verification.start", `{"method":"m.sas.v1","from_device":"A"}`, []string{"event-content /hashes", "event-content /key_agreement_protocols", "event-content /message_authentication_codes", "event-content /short_authentication_string"}},
		{"a type that is made to lead elsewhere", "../errors", `{}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for profile, enforced := range map[string]bool{strict.Strict: true, strict.Lenient: false, strict.Synapse: false} {
				vs, err := newJudge(t, profile, nil).Request(client("sendMessage"), func(string) string { return c.typ }, []byte(c.content))
				require.NoError(t, err)
				rules := []string{}
				for _, v := range vs {
					if v.Rule == "request-enum" && !enforced {
						continue
					}
					rules = append(rules, v.Rule+" "+v.Where.Pointer)
					require.Equal(t, []any{strict.Request, "clientapi.sendMessage", c.typ}, []any{v.Direction, v.Operation, v.Event})
					require.Equal(t, enforced && v.Rule == strict.EventContent, v.Setting == strict.Enforce)
				}
				if profile == strict.Strict {
					require.ElementsMatch(t, c.want, rules)
				}
			}
		})
	}
}

// TestEventsInBodies: the contents are found wherever requests have events.
func TestEventsInBodies(t *testing.T) {
	for body, c := range map[string]struct {
		op   *api.Operation
		kind string
		want []string
	}{
		`{"name":5}`: {client("setRoomStateWithKey"), "m.room.name", []string{"event-content /name"}},
		`{"initial_state":[{"type":"m.room.topic","content":{}},{"type":"m.room.name","content":{"name":5}}]}`: {client("createRoom"), "",
			[]string{"event-content /initial_state/0/content/topic", "event-content /initial_state/1/content/name"}},
		`{"power_level_content_override":{"ban":"high"}}`: {client("createRoom"), "", []string{"event-content /power_level_content_override/ban"}},
		`{"messages":{"@a:b":{"A/B":{"action":1}}}}`: {client("sendToDevice"), "m.room_key_request",
			[]string{"event-content /messages/@a:b/A~1B/requesting_device_id", "event-content /messages/@a:b/A~1B/request_id", "event-content /messages/@a:b/A~1B/action"}},
		`{"ignored_users":[]}`: {client("setAccountData"), "m.ignored_user_list", []string{"event-content /ignored_users"}},
	} {
		found, refused := request(t, newJudge(t, strict.Strict, nil), c.op, body, c.kind)
		require.ElementsMatch(t, c.want, found, body)
		require.True(t, refused)
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
		{"a PDU without what its version needs", func(j *strict.Judge) error { return j.PDU("remote server", "1", []byte(pdu)) }, []string{"federation-event /event_id"}},
		{"a PDU of a version without a format", func(j *strict.Judge) error { return j.PDU("remote server", "org.example", []byte(`{}`)) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJudge(t, strict.Strict, nil)
			require.NoError(t, c.judge(j))
			require.ElementsMatch(t, c.want, noted(j))
		})
	}
}
