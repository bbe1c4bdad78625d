// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/strict"
	"touchstone.example/tests/harness"
)

// A wrongRequest is one that departs from the specification, and what is found
// in it: rule, place, and a word of the section.
type wrongRequest struct {
	name, method, path string
	body               any
	header             http.Header
	status             int
	errcode            string
	found              []string
}

// wrongRequests are requests of alice, who is in room.
func wrongRequests(alice, room string) []wrongRequest {
	send := harness.Path("v3/rooms/{}/send/m.room.message/", room)
	post := func(name, path string, body any, errcode string, found ...string) wrongRequest {
		return wrongRequest{name: name, method: "POST", path: path, body: body, status: 400, errcode: errcode, found: found}
	}
	put := func(name, path string, body any, errcode string, found ...string) wrongRequest {
		r := post(name, path, body, errcode, found...)
		r.method = "PUT"
		return r
	}
	get := func(name, path string, errcode string, found ...string) wrongRequest {
		r := post(name, path, nil, errcode, found...)
		r.method = "GET"
		return r
	}
	served := func(r wrongRequest) wrongRequest {
		r.status, r.errcode = 200, ""
		return r
	}
	typed := func(r wrongRequest, contentType string) wrongRequest {
		r.header = http.Header{"Content-Type": {contentType}}
		return r
	}
	return []wrongRequest{
		post("four faults in one createRoom", harness.Path("v3/createRoom"),
			`{"name":5,"invite":["@bob"],"preset":"nice","initial_state":null}`, "M_BAD_JSON",
			"request-type /name post_matrixclientv3createroom", "identifier-grammar /invite/0 identifier-grammar",
			"request-enum /preset post_matrixclientv3createroom", "request-type /initial_state post_matrixclientv3createroom"),
		post("null for an absent list", harness.Path("v3/createRoom"), `{"invite":null}`, "M_BAD_JSON", "request-type /invite createroom"),
		post("no JSON", harness.Path("v3/createRoom"), `{"name":`, "M_NOT_JSON", "request-json /name api-standards"),
		post("no body", harness.Path("v3/createRoom"), ``, "M_NOT_JSON", "body-missing the body createroom"),
		post("an array for a body", harness.Path("v3/createRoom"), `[]`, "M_BAD_JSON", "request-type the body createroom"),
		put("an empty message", send+"1", `{}`, "M_BAD_JSON", "event-content /body mroommessage", "event-content /msgtype mroommessage"),
		put("a message whose msgtype is a number", send+"2", `{"msgtype":5,"body":"x"}`, "M_BAD_JSON", "event-content /msgtype mroommessage"),
		put("a name that is a number", harness.Path("v3/rooms/{}/state/m.room.name/", room), `{"name":5}`, "M_BAD_JSON", "event-content /name mroomname"),
		post("a kick without a user", harness.Path("v3/rooms/{}/kick", room), `{"reason":1}`, "M_BAD_JSON",
			"request-type /reason kick", "request-required /user_id kick"),
		post("a user without a server", harness.Path("v3/rooms/{}/invite", room), `{"user_id":"@bob"}`, "M_BAD_JSON", "identifier-grammar /user_id identifier-grammar"),
		post("a room without its sigil, and a wrong body", harness.Path("v3/rooms/{}/kick", "room:hs1"), `{"user_id":5}`, "M_INVALID_PARAM",
			`identifier-grammar path parameter "roomId" identifier-grammar`, "request-type /user_id kick"),
		get("three parameters", harness.Path("v3/sync")+"?timeout=soon&set_presence=asleep&full_state=1", "M_INVALID_PARAM",
			`parameter-type query parameter "full_state" api-standards`, `parameter-enum query parameter "set_presence" api-standards`,
			`parameter-type query parameter "timeout" api-standards`),
		get("a page without a direction", harness.Path("v3/rooms/{}/messages", room)+"?limit=ten", "M_MISSING_PARAM",
			`messages-without-dir query parameter "dir" messages`, `parameter-type query parameter "limit" api-standards`),
		put("typing in words", harness.Path("v3/profile/{}/displayname", alice), `{}`, "M_MISSING_PARAM", "request-limits the body profile"),
		post("a limit in quotes", harness.Path("v3/user/{}/filter", alice), `{"room":{"timeline":{"limit":"10"}}}`, "M_BAD_JSON", "request-type /room/timeline/limit filter"),
		put("account data that is a list", harness.Path("v3/user/{}/account_data/org.example", alice), `[]`, "M_BAD_JSON", "request-type the body account_data"),
		put("actions that are no list", harness.Path("v3/pushrules/global/content/x"), `{"actions":"notify","pattern":5}`, "M_BAD_JSON",
			"request-type /actions pushrules", "request-type /pattern pushrules"),
		put("an alias of no server", harness.Path("v3/directory/room/{}", "#x"), `{"room_id":"x"}`, "M_INVALID_PARAM",
			`identifier-grammar path parameter "roomAlias" identifier-grammar`, "identifier-grammar /room_id identifier-grammar"),
		served(post("an unknown member", harness.Path("v3/createRoom"), `{"nmae":"x"}`, "", "request-unknown-member /nmae createroom")),
		served(typed(post("a body that says it is text", harness.Path("v3/createRoom"), `{}`, ""), "text/plain")).with("content-type-not-json header Content-Type api-standards"),
		served(get("a token in the query", harness.Path("v3/account/whoami")+"?access_token=TOKEN", "", `access-token-in-query query parameter "access_token" using-access-tokens`)),
	}
}

func (r wrongRequest) with(found ...string) wrongRequest {
	r.found = append(r.found, found...)
	return r
}

// TestViolations sends requests that depart from the specification, and looks for
// each departure in the answer, its header, the log and the store: all at once,
// with rule, place and section. Lenient serves what it can and reports.
func TestViolations(t *testing.T) {
	var log syncBuffer
	s := harness.Start(t, harness.Options{Log: &log, Settings: []string{"TOUCHSTONE_LOG_LEVEL=info"}})
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	requests := wrongRequests(alice.ID, room)
	require.Len(t, requests, 21)
	for _, c := range requests {
		t.Run(c.name, func(t *testing.T) {
			since := int64(0)
			if before := s.Violations(0); len(before) > 0 {
				since = before[len(before)-1].Seq
			}
			from := log.len()
			r := harness.Request{Method: c.method, Path: c.path, Body: c.body, Header: c.header, Token: alice.Token}
			if strings.Contains(c.path, "TOKEN") {
				r.Path, r.Token = strings.ReplaceAll(c.path, "TOKEN", alice.Token), ""
			}
			a := s.Do(t, r)
			require.Equal(t, c.status, a.Status, a)
			require.Equal(t, c.errcode, a.JSON().At("errcode").String(), a)
			require.Equal(t, strconv.Itoa(len(c.found)), a.Header.Get("Touchstone-Violations"), a)
			require.Contains(t, a.Header.Get("Access-Control-Expose-Headers"), "Touchstone-Violations")

			stored := s.Violations(since)
			if c.status != 200 {
				var told struct {
					Violations []strict.Violation `json:"org.touchstone.violations"`
				}
				require.NoError(t, json.Unmarshal(a.Body, &told))
				for i := range stored {
					stored[i].Seq = 0
				}
				require.Equal(t, stored, told.Violations)
				require.Equal(t, c.errcode, stored[0].ErrCode, "the first is the one that error tells of")
			}
			require.Len(t, stored, len(c.found), "%+v", stored)
			lines := log.since(from)
			for i, v := range stored {
				words := strings.Split(c.found[i], " ")
				rule, where, section := words[0], strings.Join(words[1:len(words)-1], " "), words[len(words)-1]
				require.Equal(t, []string{rule, where}, []string{v.Rule, v.Where.String()})
				require.Contains(t, v.Section, section)
				require.Contains(t, v.Section, "https://spec.matrix.org/v1.19/")
				require.Equal(t, []string{alice.ID, alice.Device}, []string{v.Who.User, v.Who.Device})
				require.NotEmpty(t, v.Expected)
				require.NotZero(t, v.Time)
				require.Equal(t, a.Header.Get("Request-Id"), v.Request)
				require.Contains(t, lines, fmt.Sprintf("msg=violation operation=%s rule=%s setting=%s", v.Operation, v.Rule, v.Setting))
			}
			require.Contains(t, lines, fmt.Sprintf("violations=%d", len(c.found)))
			if c.status != 200 {
				require.Contains(t, lines, "errcode="+c.errcode+" rule="+stored[0].Rule)
			}
		})
	}
}

// TestHints: faults that clients are known to make are called by their names.
func TestHints(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	for _, c := range []struct{ method, path, body, found, hint string }{
		{"POST", harness.Path("v3/createRoom"), `{"invite":null}`, "null", "null is not an absent list: leave the member out, or send []"},
		{"POST", harness.Path("v3/createRoom"), `{"name":null}`, "null", "null is not an absent member: leave it out"},
		{"POST", harness.Path("v3/createRoom"), `{"invite":["@bob"]}`, "string of 4 characters", "a user ID names its server, as in @alice:example.org"},
		{"POST", harness.Path("v3/createRoom"), `{"invite":["bob"]}`, "string of 3 characters", "a user ID begins with @, as in @alice:example.org"},
		{"POST", harness.Path("v3/createRoom"), `{"invite":"@bob:hs1"}`, "string of 8 characters", "a single value stands in a list, too"},
		{"POST", harness.Path("v3/createRoom"), `{"creation_content":"{\"a\":1}"}`, "string of 7 characters", "this looks like an object that was encoded twice, into a string"},
		{"POST", harness.Path("v3/createRoom"), `{"is_direct":"true"}`, "string of 4 characters", "without quotes"},
		{"PUT", harness.Path("v3/rooms/{}/send/m.room.message/1", room), `{"body":"x"}`, "absent", "every m.room.message says what it is: msgtype m.text for text"},
		{"POST", harness.Path("v3/rooms/{}/kick", "#a:hs1"), `{"user_id":"@a:hs1"}`, "string of 6 characters", "a room ID begins with !, as in !room:example.org"},
	} {
		a := alice.Do(t, c.method, c.path, c.body)
		v := a.JSON().At("org.touchstone.violations", 0)
		require.Equal(t, []string{c.found, c.hint}, []string{v.At("found").String(), v.At("hint").String()}, "%s %s", c.body, a)
	}
}

// TestRefusalsNameAuthorizationRules: the number in the document of the room's
// version. They are no departures, and are neither counted nor stored.
func TestRefusalsNameAuthorizationRules(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	alice, bob, carol := s.User(t, "alice"), s.User(t, "bob"), s.User(t, "carol")
	room := alice.PublicRoom(t, bob)
	for _, c := range []struct {
		by            *harness.User
		method, path  string
		body          harness.O
		status        int
		rule, section string
	}{
		{bob, "POST", harness.Path("v3/rooms/{}/kick", room), harness.O{"user_id": alice.ID}, 403, "auth/", "rooms/v12/#authorization-rules"},
		{bob, "PUT", harness.Path("v3/rooms/{}/state/m.room.name/", room), harness.O{"name": "x"}, 403, "auth/", "rooms/v12/#authorization-rules"},
		{carol, "GET", harness.Path("v3/rooms/{}/state", room), nil, 403, "M_FORBIDDEN", "#get_matrixclientv3roomsroomidstate"},
		{carol, "GET", harness.Path("v3/nothing"), nil, 404, "M_UNRECOGNIZED", "#common-error-codes"},
	} {
		var body any
		if c.body != nil {
			body = c.body
		}
		a := c.by.Do(t, c.method, c.path, body)
		require.Equal(t, c.status, a.Status, a)
		v := a.JSON().At("org.touchstone.violations", 0)
		require.Contains(t, v.At("rule").String(), c.rule, a)
		require.Contains(t, v.At("section").String(), c.section, a)
		require.Equal(t, "note", v.At("setting").String())
		require.Empty(t, a.Header.Get("Touchstone-Violations"))
	}
	require.Empty(t, s.Violations(0))
}

// TestProseRulesOverHTTP breaks the rows of spec/rules that are about parameters and
// about more than one request, and does not.
func TestProseRulesOverHTTP(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	alice := s.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	long := strings.Repeat("x", 256)
	text := `{"msgtype":"m.text","body":"one"}`
	send := harness.Path("v3/rooms/{}/send/m.room.message/same", room)
	filter := harness.Query("filter", `{"room":{"timeline":{"limit":77}}}`, "timeout", "0")
	first := alice.Since(t)
	alice.Send(t, room, "something new")
	second := alice.Since(t)
	since := func(token string) string {
		return harness.Path("v3/sync") + harness.Query("since", token, "timeout", "0")
	}
	for _, c := range []struct {
		method, path, body string
		found              string // rule and place, or nothing
	}{
		{"PUT", harness.Path("v3/rooms/{}/send/{}/1", room, long), `{}`, `event-type-size path parameter "eventType"`},
		{"PUT", harness.Path("v3/rooms/{}/send/{}/1", room, long[1:]), `{}`, ""},
		{"PUT", harness.Path("v3/rooms/{}/state/org.example/{}", room, long), `{}`, `state-key-size path parameter "stateKey"`},
		{"PUT", harness.Path("v3/rooms/{}/state/org.example/{}", room, long[1:]), `{}`, ""},
		{"PUT", harness.Path("v3/profile/{}/{}", alice.ID, long), `{"` + long + `":1}`, `profile-key-size path parameter "keyName"`},
		{"PUT", harness.Path("v3/profile/{}/{}", alice.ID, long[1:]), `{"` + long[1:] + `":1}`, ""},
		{"PUT", harness.Path("v3/user/{}/rooms/{}/tags/{}", alice.ID, room, long), `{}`, `tag-size path parameter "tag"`},
		{"PUT", harness.Path("v3/user/{}/rooms/{}/tags/u.x", alice.ID, room), `{}`, ""},
		{"GET", harness.Path("v1/rooms/{}/timestamp_to_event", room) + "?dir=f&ts=1767323045", "", `timestamp-in-seconds query parameter "ts"`},
		{"GET", harness.Path("v1/rooms/{}/timestamp_to_event", room) + "?dir=f&ts=1767323045000", "", ""},
		{"GET", harness.Path("v3/initialSync"), "", "operation-deprecated the request"},
		{"GET", harness.Path("v3/account/whoami") + "?verbose=1", "", `parameter-unknown query parameter "verbose"`},
		{"GET", harness.Path("v3/account/whoami") + "?user_id=" + alice.ID, "", ""},
		{"POST", harness.Path("v3/login"), `{"type":"m.login.password","user":"alice","password":"x","identifier":{"type":"m.id.user","user":"x"}}`, "member-deprecated /user"},
		{"PUT", send, text, ""},
		{"PUT", send, text, ""},
		{"PUT", send, `{"msgtype":"m.text","body":"two"}`, `transaction-reused path parameter "txnId"`},
		{"GET", since(first), "", ""},
		{"GET", since(second), "", ""},
		{"GET", since(second), "", ""},
		{"GET", since(first), "", `sync-token-back query parameter "since"`},
		{"GET", harness.Path("v3/sync") + filter, "", ""},
		{"GET", harness.Path("v3/sync") + filter, "", ""},
		{"GET", harness.Path("v3/sync") + filter, "", `filter-repeated query parameter "filter"`},
		{"GET", harness.Path("v3/sync") + filter, "", ""},
	} {
		before := s.Violations(0)
		last := int64(0)
		if len(before) > 0 {
			last = before[len(before)-1].Seq
		}
		a := s.Do(t, harness.Request{Method: c.method, Path: c.path, Body: body(c.body), Token: alice.Token})
		found := ""
		for _, v := range s.Violations(last) {
			if v.Setting == strict.Report {
				found = v.Rule + " " + v.Where.String()
				require.NotEmpty(t, v.Found)
			}
		}
		require.Equal(t, c.found, found, "%s %s %s: %s", c.method, c.path, c.body, a)
	}
}

func body(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// TestViolationsOfLenientProfiles: their answers list nothing, what could be served
// is, and all is reported all the same.
func TestViolationsOfLenientProfiles(t *testing.T) {
	for _, profile := range []string{"lenient", "synapse"} {
		s := harness.Start(t, harness.Options{Settings: []string{"TOUCHSTONE_STRICTNESS_PROFILE=" + profile}})
		alice := s.User(t, "alice")
		room := alice.CreateRoom(t, nil)
		for body, found := range map[string]int{`{}`: 2, `{"msgtype":5,"body":"x"}`: 1} {
			a := alice.Do(t, "PUT", harness.Path("v3/rooms/{}/send/m.room.message/{}", room, s.Unique("txn")), body)
			require.Equal(t, []any{200, strconv.Itoa(found)}, []any{a.Status, a.Header.Get("Touchstone-Violations")}, a)
		}
		a := alice.Do(t, "POST", harness.Path("v3/createRoom"), `{"name":5,"invite":["@bob"],"preset":"nice","initial_state":null}`)
		require.Equal(t, []any{400, "4"}, []any{a.Status, a.Header.Get("Touchstone-Violations")}, a)
		require.False(t, a.JSON().At("org.touchstone.violations").Exists(), a)
		require.Len(t, s.Violations(0), 7)
	}
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Len()
}

func (b *syncBuffer) since(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()[n:]
}
