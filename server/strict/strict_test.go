// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
)

func newJudge(t *testing.T, profile string, changes map[string]string) *strict.Judge {
	t.Helper()
	settings, err := strict.Resolve(profile, changes)
	require.NoError(t, err)
	j, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings, Answers: true, Measure: true})
	require.NoError(t, err)
	return j
}

func client(id string) *api.Operation {
	return &api.Operation{API: "clientapi", ID: id, Auth: api.AuthUser}
}

// request judges the body of a request and returns the rules that it breaks, with
// their pointers, and whether it is refused.
func request(t testing.TB, j *strict.Judge, op *api.Operation, body string, params ...string) (rules []string, refused bool) {
	t.Helper()
	param := func(string) string { return "" }
	if len(params) > 0 {
		param = func(string) string { return params[0] }
	}
	vs, err := j.Request(op, param, []byte(body))
	require.NoError(t, err)
	rules = []string{}
	for _, v := range vs {
		rules = append(rules, v.Rule+" "+v.Where.Pointer)
		refused = refused || v.Setting == strict.Enforce
	}
	return rules, refused
}

// the rules that a judge has noted, with their pointers.
func noted(j *strict.Judge) []string {
	out := []string{}
	for _, c := range j.Log().All() {
		out = append(out, c.Rule+" "+c.Where.Pointer)
	}
	return out
}

func TestRequests(t *testing.T) {
	fed := &api.Operation{API: "fedapi", ID: "sendJoinV2", Auth: api.AuthServer}
	for _, c := range []struct {
		name, body string
		op         *api.Operation
		want       []string
		refused    bool
	}{
		{"a right body", `{"preset":"public_chat","invite":["@a:b.c"]}`, client("createRoom"), nil, false},
		{"an empty body of optional members", `{}`, client("createRoom"), nil, false},
		{"a wrong type", `{"invite":"@a:b.c"}`, client("createRoom"), []string{"request-type /invite"}, true},
		{"null is not absent", `{"name":null}`, client("createRoom"), []string{"request-type /name"}, true},
		{"a wrong type deep inside", `{"invite_3pid":[{"id_server":"a","id_access_token":"b","medium":"email","address":1}]}`, client("createRoom"), []string{"request-type /invite_3pid/0/address"}, true},
		{"a missing member", `{"reason":"x"}`, client("kick"), []string{"request-required /user_id"}, true},
		{"a bad identifier", `{"invite":["a:b.c"]}`, client("createRoom"), []string{"request-format /invite/0"}, true},
		{"an identifier that only its grammar refuses", `{"invite":["@a"]}`, client("createRoom"), []string{"request-format /invite/0"}, true},
		{"a bad name of a member", `{"messages":{"@a":{}}}`, client("sendToDevice"), []string{"request-format /messages"}, true},
		{"an unlisted value is only written down", `{"preset":"nice"}`, client("createRoom"), []string{"request-enum /preset"}, false},
		{"an unknown member is only written down", `{"nmae":"x"}`, client("createRoom"), []string{"request-unknown-member /nmae"}, false},
		{"no alternative", `{"one_time_keys":{"a:b":1}}`, client("uploadKeys"), []string{"request-alternatives /one_time_keys/a:b"}, true},
		{"a name that is not fit for a URL", `{"one_time_keys":{"a~/ %<é":1}}`, client("uploadKeys"), []string{"request-alternatives /one_time_keys/a~0~1 %<é"}, true},
		{"an open object takes anything", `{"m":[1,{"n":null}]}`, client("sendMessage"), nil, false},
		{"an array is no object", `[]`, client("sendMessage"), []string{"request-type "}, true},
		{"each of two operations on a route has its own body", `{"user_id":"@a:b.c"}`, client("inviteBy3PID"), []string{"request-required /id_server", "request-required /id_access_token", "request-required /medium", "request-required /address", "request-unknown-member /user_id"}, true},
		{"members beyond those listed in a signed object", `{"type":"m.room.member","state_key":"@a:b","sender":"@a:b","origin_server_ts":1,"content":{"membership":"join"},"depth":1}`, fed, nil, false},
		{"an operation without a body", `{"x":1}`, client("logout"), nil, false},
		{"an operation of ours", `{"nonce":"n","username":"u","password":"p"}`, &api.Operation{API: "extraapi", ID: "registerWithSharedSecret"}, []string{"request-required /mac"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJudge(t, strict.Strict, nil)
			found, refused := request(t, j, c.op, c.body)
			require.ElementsMatch(t, c.want, found)
			require.Equal(t, c.refused, refused)
		})
	}
}

// TestABodyWithoutItsMember: the operation has a code of its own for that.
func TestABodyWithoutItsMember(t *testing.T) {
	j := newJudge(t, strict.Strict, nil)
	vs, err := j.Request(client("setProfileField"), nil, []byte(`{}`))
	require.NoError(t, err)
	require.Len(t, vs, 1)
	require.Equal(t, []string{"request-limits", "M_MISSING_PARAM", "empty object"}, []string{vs[0].Rule, vs[0].ErrCode, vs[0].Found})
}

func TestRequestThatIsNoJSON(t *testing.T) {
	for _, body := range []string{``, `{`, `{} {}`} {
		found, _ := request(t, newJudge(t, strict.Strict, nil), client("kick"), body)
		require.Empty(t, found, "its decoder says so")
	}
}

// Numbers that no machine can write out must not stop the judge.
func TestRequestsWithAbsurdNumbers(t *testing.T) {
	digits := strings.Repeat("9", 1<<20)
	for number, whole := range map[string]bool{
		"1e9999999999": true, "-1E+9999999999": true, digits: true,
		"1e-9999999999": false, "1." + digits: true, "0.5": false, "5e-1": false, "50e-1": true,
	} {
		j := newJudge(t, strict.Strict, nil)
		_, refused := request(t, j, client("defineFilter"), `{"presence":{"limit":`+number+`}}`)
		require.Equal(t, whole, !refused, "%.20s", number)
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, op string
		status   int
		body     string
		want     []string
		refused  bool
	}{
		{"a right answer", "sendMessage", 200, `{"event_id":"$a:b"}`, nil, false},
		{"a missing member", "sendMessage", 200, `{}`, []string{"answer-required /event_id"}, true},
		{"a wrong type", "sendMessage", 200, `{"event_id":1}`, []string{"answer-type /event_id"}, true},
		{"a bad identifier", "sendMessage", 200, `{"event_id":"a"}`, []string{"answer-format /event_id", "answer-format /event_id"}, true},
		{"an unlisted value is only written down", "getPresence", 200, `{"presence":"asleep"}`, []string{"answer-enum /presence"}, false},
		{"an unknown member is only written down", "sendMessage", 200, `{"event_id":"$a:b","room":1}`, []string{"answer-unknown-member /room"}, false},
		{"no JSON", "sendMessage", 200, `event`, []string{"answer-json "}, true},
		{"an undeclared success", "sendMessage", 201, `{}`, []string{"answer-status "}, true},
		{"an undeclared failure", "sendMessage", 409, `{"errcode":"M_UNKNOWN","error":"x"}`, []string{"answer-status "}, true},
		{"a second success", "updateDevice", 201, `{}`, nil, false},
		{"a common failure", "getJoinedRooms", 403, `{"errcode":"M_FORBIDDEN","error":"x"}`, nil, false},
		{"an error without text", "getJoinedRooms", 403, `{"errcode":"M_FORBIDDEN"}`, []string{"answer-error-shape /error"}, true},
		{"an error with a number", "getJoinedRooms", 403, `{"errcode":403,"error":"x"}`, []string{"answer-error-shape /errcode"}, true},
		{"an error that is no object", "getJoinedRooms", 403, `"no"`, []string{"answer-error-shape /errcode", "answer-error-shape /error"}, true},
		{"an error that is no JSON", "getJoinedRooms", 500, `oops`, []string{"answer-json "}, true},
		{"a code of the operation", "putRoomKeys", 403, `{"errcode":"M_WRONG_ROOM_KEYS_VERSION","error":"x","current_version":"1"}`, nil, false},
		{"a code of another operation", "sendMessage", 403, `{"errcode":"M_WRONG_ROOM_KEYS_VERSION","error":"x"}`, []string{"answer-errcode /errcode"}, true},
		{"a code that only the prose gives the operation", "changePassword", 400, `{"errcode":"M_WEAK_PASSWORD","error":"x"}`, nil, false},
		{"a code in another namespace", "sendMessage", 403, `{"errcode":"ORG.EXAMPLE_NO","error":"x"}`, nil, false},
		{"the first answer of interactive authentication", "deleteDevice", 401, `{"flows":[{"stages":["m.login.dummy"]}],"params":{},"session":"s"}`, nil, false},
		{"a failed stage", "deleteDevice", 401, `{"errcode":"M_FORBIDDEN","error":"x","flows":[{"stages":["m.login.password"]}],"session":"s","completed":[]}`, nil, false},
		{"a failed stage with wrong flows", "deleteDevice", 401, `{"errcode":"M_FORBIDDEN","error":"x","flows":[{}]}`, []string{"answer-required /flows/0/stages"}, true},
		{"a wrong token where interactive authentication is", "deleteDevice", 401, `{"errcode":"M_UNKNOWN_TOKEN","error":"x","soft_logout":true}`, nil, false},
		{"neither flows nor an error", "deleteDevice", 401, `{"session":"s"}`, []string{"answer-error-shape /errcode", "answer-error-shape /error"}, true},
		{"one event's content", "getRoomStateWithKey", 200, `{"name":"x"}`, nil, false},
		{"one event", "getRoomStateWithKey", 200, `{"type":"m.room.name","state_key":"","content":{},"event_id":"$a:b","sender":"@a:b","origin_server_ts":1,"room_id":"!a:b"}`, nil, false},
		{"sync, as the prose extends it", "sync", 200, `{"next_batch":"s","device_unused_fallback_key_types":[],"to_device":{"events":[{"type":"m.x","sender":"@a:b","content":{}}]},"device_lists":{"changed":["@a:b"]}}`, nil, false},
		{"sync without the fallback keys", "sync", 200, `{"next_batch":"s"}`, []string{"answer-required /device_unused_fallback_key_types"}, true},
		{"sync with a wrong device list", "sync", 200, `{"next_batch":"s","device_unused_fallback_key_types":[],"device_lists":{"changed":[1]}}`, []string{"answer-type /device_lists/changed/0"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJudge(t, strict.Strict, nil)
			err := j.Answer(client(c.op), c.status, []byte(c.body))
			require.ElementsMatch(t, c.want, noted(j))
			require.Equal(t, c.refused, err != nil, "%v", err)
			require.Equal(t, c.refused, len(j.Log().Enforced(strict.Answer)) > 0)
			require.Empty(t, j.Log().Enforced(strict.Request))
		})
	}
}

func TestRangesOfStatuses(t *testing.T) {
	op := &api.Operation{API: "identityapi", ID: "emailSubmitTokenGetV2"}
	j := newJudge(t, strict.Strict, nil)
	require.NoError(t, j.Answer(op, 302, nil))
	require.NoError(t, j.Answer(op, 418, []byte(`{"errcode":"M_UNKNOWN","error":"x"}`)))
	require.Error(t, j.Answer(op, 505, []byte(`{"errcode":"M_UNKNOWN","error":"x"}`)))
}

func TestUnknownOperationIsABug(t *testing.T) {
	j := newJudge(t, strict.Strict, nil)
	_, err := j.Request(client("nothing"), nil, []byte(`{}`))
	require.ErrorContains(t, err, "no operation nothing in clientapi")
	require.ErrorContains(t, j.Answer(&api.Operation{API: "otherapi", ID: "x"}, 200, []byte(`{}`)), `no API "otherapi"`)
}

func TestViolationSaysEverything(t *testing.T) {
	j := newJudge(t, strict.Strict, nil)
	op := &api.Operation{API: "clientapi", ID: "kick", Method: "POST", Path: "/_matrix/client/v3/rooms/{roomId}/kick"}
	all, err := j.Request(op, nil, []byte(`{"user_id":12}`))
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, strict.Violation{
		Rule: "request-type", Setting: strict.Enforce, Direction: strict.Request, Operation: "clientapi.kick", ErrCode: "M_BAD_JSON",
		Where: api.InBody("/user_id"), Keyword: "type", Schema: all[0].Schema,
		Expected: "a string", Found: "integer", Hint: "in quotes",
		Section: "https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidkick",
	}, all[0])
	require.Contains(t, all[0].Schema, "client-server.json#/paths/")
	require.Equal(t, `clientapi.kick request at /user_id: expected a string, found integer (in quotes) (rule request-type, `+
		`see https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidkick)`, all[0].Error())
}

// A violation may be shown to people; what the traffic said must not.
func TestViolationsHoldNoValues(t *testing.T) {
	j := newJudge(t, strict.Strict, nil)
	all, err := j.Request(client("createRoom"), nil, []byte(`{"preset":"s3cret","invite":["s3cret"],"name":{"s":"s3cret"},"s3cret/!":1}`))
	require.NoError(t, err)
	require.Len(t, all, 4)
	for _, v := range all {
		if v.Rule != "request-unknown-member" { // whose place is its name
			require.NotContains(t, fmt.Sprint(v), "s3cret")
		}
	}
}

func TestSettings(t *testing.T) {
	const wrong = `{"user_id":1}`
	for _, c := range []struct {
		profile string
		changes map[string]string
		found   []string
		refused bool
	}{
		{strict.Strict, nil, []string{"request-type /user_id"}, true},
		{strict.Strict, map[string]string{"request-type": "report"}, []string{"request-type /user_id"}, false},
		{strict.Strict, map[string]string{"request-type": "off"}, []string{}, false},
		{strict.Lenient, nil, []string{}, false},
	} {
		found, refused := request(t, newJudge(t, c.profile, c.changes), client("kick"), wrong)
		require.Equal(t, c.found, found)
		require.Equal(t, c.refused, refused)
	}
	j := newJudge(t, strict.Lenient, nil)
	require.NoError(t, j.Answer(client("kick"), 200, []byte(`[]`)))
	require.Len(t, j.Log().All(), 1, "answers that are judged at all are at least written down")
}

func TestHooksThatNobodyNeedsAreNil(t *testing.T) {
	hooks := func(profile string, answers bool) []bool {
		settings, err := strict.Resolve(profile, nil)
		require.NoError(t, err)
		j, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings, Answers: answers})
		require.NoError(t, err)
		c := j.Checks()
		return []bool{c.Request != nil, c.Response != nil, c.Settle != nil}
	}
	require.Equal(t, []bool{true, true, true}, hooks(strict.Strict, true))
	require.Equal(t, []bool{true, false, true}, hooks(strict.Strict, false))
	require.Equal(t, []bool{true, true, true}, hooks(strict.Lenient, true))
	require.Equal(t, []bool{true, false, true}, hooks(strict.Lenient, false))
	require.Equal(t, []bool{true, false, true}, hooks(strict.Synapse, false))
}

func TestResolveRefusesWhatItDoesNotKnow(t *testing.T) {
	_, err := strict.Resolve("stern", nil)
	require.ErrorContains(t, err, `no strictness profile "stern": there are strict, lenient and synapse`)
	_, err = strict.Resolve(strict.Strict, map[string]string{"request-typ": "off"})
	require.ErrorContains(t, err, `no strictness rule "request-typ": there are access-token-in-query, `)
	_, err = strict.Resolve(strict.Strict, map[string]string{"request-type": "on"})
	require.ErrorContains(t, err, `strictness rule request-type: "on" is none of off, report, enforce`)
	_, err = strict.New(strict.Config{Spec: spec.Files, Settings: strict.Settings{}})
	require.ErrorContains(t, err, "no setting for rule")
}

func TestRulesAreInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, table := range [][]strict.Rule{strict.Rules(), strict.DecoderRules(), strict.CodeRules()} {
		last := ""
		for _, r := range table {
			require.Less(t, last, r.ID)
			require.False(t, seen[r.ID], "%s is in two tables", r.ID)
			require.NotEmpty(t, r.Says)
			require.Regexp(t, `^https://spec\.matrix\.org/v1\.19/[a-z-]+/#[a-z0-9_-]+$`, r.Link())
			last, seen[r.ID] = r.ID, true
		}
	}
}

func TestOthersNoteViolations(t *testing.T) {
	j := newJudge(t, strict.Strict, map[string]string{"event-content": "enforce"})
	err := j.Note(strict.Violation{Rule: "event-content", Direction: strict.Event, Event: "m.x", Expected: "more"})
	var v *strict.Violation
	require.True(t, errors.As(err, &v))
	require.Equal(t, "https://spec.matrix.org/v1.19/client-server-api/#types-of-room-events", v.Section)
	require.Panics(t, func() { _ = j.Note(strict.Violation{Rule: "no-such-rule"}) })
}

func TestLogCounts(t *testing.T) {
	j := newJudge(t, strict.Strict, nil)
	for range 3 {
		_ = j.Answer(client("getJoinedRooms"), 200, []byte(`{"joined_rooms":["!a:b",1,2]}`))
	}
	all := j.Log().All()
	require.Len(t, all, 1, "one place of the schema is one kind of violation")
	require.Equal(t, []any{6, "/joined_rooms/1"}, []any{all[0].Times, all[0].Where.Pointer})
	j.Log().Reset()
	require.Empty(t, j.Log().All())
}

func TestLogIsBounded(t *testing.T) {
	var l strict.Log
	for i := range 5000 {
		l.Add(strict.Violation{Rule: "x", Expected: fmt.Sprint(i)})
	}
	require.Len(t, l.All(), 4096)
	require.Equal(t, 904, l.Lost())
}

func TestCoverage(t *testing.T) {
	j := newJudge(t, strict.Strict, nil)
	_, refused := request(t, j, client("createRoom"), `{
		"name": "x", "nmae": "y",
		"initial_state": [{"type": "m.room.name", "content": {"name": "x", "more": {"a": [{"b": 1}]}}}],
		"creation_content": {"m.federate": false}}`)
	require.False(t, refused)
	got := j.Coverage()
	require.Equal(t, []int{5, 5, 1}, []int{got.Typed, got.Bare, got.Unknown},
		"described are name, initial_state, its type and content, and creation_content")
}

func TestManyAtOnce(t *testing.T) {
	j := newJudge(t, strict.Strict, nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 20 {
				if vs, err := j.Request(client("createRoom"), nil, []byte(`{"name":"x"}`)); err != nil || len(vs) > 0 {
					t.Error(vs, err)
				}
				if j.Answer(client("sync"), 200, []byte(fmt.Sprintf(`{"next_batch":%d}`, i))) == nil {
					t.Error("a number passed for a token")
				}
			}
		})
	}
	wg.Wait()
	for _, c := range j.Log().All() {
		require.Equal(t, 320, c.Times)
	}
}
