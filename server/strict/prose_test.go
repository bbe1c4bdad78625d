// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
)

// A proseCase breaks a row of spec/rules, and does not.
type proseCase struct {
	op    string
	kind  string // the type of the event, where the operation has one
	wrong string
	right string
	at    string
}

var proseCases = map[string]proseCase{
	"login-needs-password":                               {"login", "", `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"a"}}`, `{"type":"m.login.password","password":"p","identifier":{"type":"m.id.user","user":"a"}}`, "/password"},
	"login-needs-token":                                  {"login", "", `{"type":"m.login.token"}`, `{"type":"m.login.token","token":"t"}`, "/token"},
	"login-needs-user":                                   {"login", "", `{"type":"m.login.password","password":"p"}`, `{"type":"m.login.token","token":"t"}`, "/identifier"},
	"identifier-needs-user":                              {"login", "", login(`"type":"m.id.user"`), login(`"type":"m.id.user","user":"a"`), "/identifier/user"},
	"identifier-needs-medium":                            {"login", "", login(`"type":"m.id.thirdparty","address":"a@b.c"`), login(`"type":"m.id.thirdparty","address":"a@b.c","medium":"email"`), "/identifier/medium"},
	"identifier-needs-address":                           {"login", "", login(`"type":"m.id.thirdparty","medium":"email"`), login(`"type":"m.id.thirdparty","address":"a@b.c","medium":"email"`), "/identifier/address"},
	"identifier-needs-country":                           {"login", "", login(`"type":"m.id.phone","phone":"1"`), login(`"type":"m.id.phone","phone":"1","country":"GB"`), "/identifier/country"},
	"identifier-needs-phone":                             {"login", "", login(`"type":"m.id.phone","country":"GB"`), login(`"type":"m.id.phone","phone":"1","country":"GB"`), "/identifier/phone"},
	"id-server-needs-token":                              {"requestTokenToRegisterEmail", "", email(`"id_server":"b.c"`), email(`"id_server":"b.c","id_access_token":"t"`), "/id_access_token"},
	"client-secret-format":                               {"requestTokenToRegisterEmail", "", `{"client_secret":"!","email":"a@b.c","send_attempt":1}`, `{"client_secret":"s","email":"a@b.c","send_attempt":1}`, "/client_secret"},
	"country-format":                                     {"requestTokenToRegisterMSISDN", "", phone("gb"), phone("GB"), "/country"},
	"pusher-needs-app-display-name":                      {"postPusher", "", pusher("app_display_name"), pusher(""), "/app_display_name"},
	"pusher-needs-device-display-name":                   {"postPusher", "", pusher("device_display_name"), pusher(""), "/device_display_name"},
	"pusher-needs-lang":                                  {"postPusher", "", pusher("lang"), `{"kind":null,"app_id":"a","pushkey":"k"}`, "/lang"},
	"pusher-needs-data":                                  {"postPusher", "", pusher("data"), pusher(""), "/data"},
	"pusher-needs-url":                                   {"postPusher", "", strings.Replace(pusher(""), `"url"`, `"link"`, 1), pusher(""), "/data/url"},
	"pushkey-size":                                       {"postPusher", "", strings.Replace(pusher(""), `"k"`, `"`+strings.Repeat("k", 513)+`"`, 1), pusher(""), "/pushkey"},
	"app-id-size":                                        {"postPusher", "", strings.Replace(pusher(""), `"a"`, `"`+strings.Repeat("é", 65)+`"`, 1), strings.Replace(pusher(""), `"a"`, `"`+strings.Repeat("é", 64)+`"`, 1), "/app_id"},
	"condition-event-match-needs-key":                    condition("event_match", `"pattern":"x"`, `"key":"k"`, "key"),
	"condition-event-match-needs-pattern":                condition("event_match", `"key":"k"`, `"pattern":"x"`, "pattern"),
	"condition-event-property-is-needs-key":              condition("event_property_is", `"value":1`, `"key":"k"`, "key"),
	"condition-event-property-is-needs-value":            condition("event_property_is", `"key":"k"`, `"value":1`, "value"),
	"condition-event-property-contains-needs-key":        condition("event_property_contains", `"value":1`, `"key":"k"`, "key"),
	"condition-event-property-contains-needs-value":      condition("event_property_contains", `"key":"k"`, `"value":1`, "value"),
	"condition-room-member-count-needs-is":               condition("room_member_count", `"x":1`, `"is":"2"`, "is"),
	"condition-sender-notification-permission-needs-key": condition("sender_notification_permission", `"x":1`, `"key":"room"`, "key"),
	"member-count-format":                                {"setPushRule", "", `{"actions":[],"conditions":[{"kind":"room_member_count","is":"two"}]}`, `{"actions":[],"conditions":[{"kind":"room_member_count","is":">=2"}]}`, "/conditions/0/is"},
	"message-needs-format":                               message(`"msgtype":"m.text","formatted_body":"x"`, `"format":"org.matrix.custom.html"`, "format"),
	"message-needs-formatted-body":                       message(`"msgtype":"m.text","format":"org.matrix.custom.html"`, `"formatted_body":"x"`, "formatted_body"),
	"image-needs-file":                                   message(`"msgtype":"m.image"`, `"url":"mxc://a/b"`, "url"),
	"file-needs-file":                                    message(`"msgtype":"m.file"`, `"url":"mxc://a/b"`, "url"),
	"audio-needs-file":                                   message(`"msgtype":"m.audio"`, `"url":"mxc://a/b"`, "url"),
	"video-needs-file":                                   message(`"msgtype":"m.video"`, `"url":"mxc://a/b"`, "url"),
	"restriction-needs-room":                             {"setRoomStateWithKey", "m.room.join_rules", `{"join_rule":"restricted","allow":[{"type":"m.room_membership"}]}`, `{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":"!a:b"}]}`, "/allow/0/room_id"},
	"secret-request-needs-name":                          toDevice("m.secret.request", `"action":"request","requesting_device_id":"A","request_id":"r"`, `"name":"n"`, "name"),
	"key-request-needs-body":                             toDevice("m.room_key_request", `"action":"request","requesting_device_id":"A","request_id":"r"`, `"body":{"algorithm":"a","room_id":"!a:b","session_id":"s"}`, "body"),
	"withheld-needs-room-id":                             toDevice("m.room_key.withheld", `"algorithm":"a","code":"m.blacklisted","sender_key":"k","session_id":"s"`, `"room_id":"!a:b"`, "room_id"),
	"withheld-needs-session-id":                          toDevice("m.room_key.withheld", `"algorithm":"a","code":"m.blacklisted","sender_key":"k","room_id":"!a:b"`, `"session_id":"s"`, "session_id"),
	"verification-needs-transaction":                     toDevice("m.key.verification.done", `"x":1`, `"transaction_id":"t"`, "transaction_id"),
	"verification-needs-timestamp":                       toDevice("m.key.verification.request", `"from_device":"A","methods":[],"transaction_id":"t"`, `"timestamp":1767323045000`, "timestamp"),
	"verification-in-seconds":                            {"sendToDevice", "m.key.verification.request", `{"messages":{"@a:b":{"A":{"timestamp":1767323045}}}}`, `{"messages":{"@a:b":{"A":{"timestamp":1767323045000}}}}`, "/messages/@a:b/A/timestamp"},
	"initial-type-size":                                  {"createRoom", "", `{"initial_state":[{"type":"` + strings.Repeat("t", 256) + `","content":{}}]}`, `{"initial_state":[{"type":"` + strings.Repeat("t", 255) + `","content":{}}]}`, "/initial_state/0/type"},
	"initial-state-key-size":                             {"createRoom", "", `{"initial_state":[{"type":"t","state_key":"` + strings.Repeat("k", 256) + `","content":{}}]}`, `{"initial_state":[{"type":"t","state_key":"` + strings.Repeat("k", 255) + `","content":{}}]}`, "/initial_state/0/state_key"},
}

func login(identifier string) string {
	return `{"type":"m.login.password","password":"p","identifier":{` + identifier + `}}`
}

func email(more string) string {
	return `{"client_secret":"s","email":"a@b.c","send_attempt":1,` + more + `}`
}

func phone(country string) string {
	return `{"client_secret":"s","phone_number":"1","send_attempt":1,"country":"` + country + `"}`
}

// pusher is a pusher without one of its members.
func pusher(without string) string {
	var kept []string
	for _, m := range []string{`"kind":"http"`, `"app_id":"a"`, `"pushkey":"k"`, `"app_display_name":"x"`, `"device_display_name":"x"`, `"lang":"en"`, `"data":{"url":"https://b.c/_matrix/push/v1/notify"}`} {
		if without == "" || !strings.HasPrefix(m, `"`+without+`"`) {
			kept = append(kept, m)
		}
	}
	return "{" + strings.Join(kept, ",") + "}"
}

func condition(kind, has, needs, at string) proseCase {
	with := func(members string) string {
		return `{"actions":[],"conditions":[{"kind":"` + kind + `",` + members + `}]}`
	}
	return proseCase{"setPushRule", "", with(has), with(has + "," + needs), "/conditions/0/" + at}
}

func message(has, needs, at string) proseCase {
	with := func(members string) string { return `{"body":"x",` + members + `}` }
	return proseCase{"sendMessage", "m.room.message", with(has), with(has + "," + needs), "/" + at}
}

func toDevice(kind, has, needs, at string) proseCase {
	with := func(members string) string { return `{"messages":{"@a:b":{"A":{` + members + `}}}}` }
	return proseCase{"sendToDevice", kind, with(has), with(has + "," + needs), "/messages/@a:b/A/" + at}
}

// elsewhere are rows that tests over HTTP break: TestProseRulesOverHTTP.
var elsewhere = []string{
	"event-type-size", "state-key-size", "profile-key-size", "tag-size", "timestamp-in-seconds",
	"operation-deprecated", "transaction-reused", "sync-token-back", "filter-repeated",
}

// TestProseRules breaks each row of spec/rules that bodies can break, and does not.
func TestProseRules(t *testing.T) {
	text, err := fs.ReadFile(spec.Files, "rules/rules.json")
	require.NoError(t, err)
	var rows []struct{ ID, Section string }
	require.NoError(t, json.Unmarshal(text, &rows))
	j := newJudge(t, strict.Strict, nil)
	for _, row := range rows {
		c, ok := proseCases[row.ID]
		if !ok {
			require.Contains(t, elsewhere, row.ID, "a row without a test")
			continue
		}
		t.Run(row.ID, func(t *testing.T) {
			find := func(body string) int {
				vs, err := j.Request(client(c.op), func(string) string { return c.kind }, []byte(body))
				require.NoError(t, err)
				return slices.IndexFunc(vs, func(v strict.Violation) bool {
					if v.Rule != row.ID {
						return false
					}
					require.Equal(t, []any{api.InBody(c.at), strict.Report, "https://spec.matrix.org/v1.19/" + row.Section}, []any{v.Where, v.Setting, v.Section})
					require.NotEmpty(t, v.Found)
					return true
				})
			}
			require.GreaterOrEqual(t, find(c.wrong), 0, "broken")
			require.Equal(t, -1, find(c.right), "kept")
		})
	}
	require.Len(t, rows, len(proseCases)+len(elsewhere))
}
