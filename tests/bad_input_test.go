// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// A badInput is a request that has exactly one right answer, an error or not.
type badInput struct {
	name    string
	request harness.Request
	status  int
	errcode string // empty: a success
}

// fixture is what the requests of the tables speak of.
type fixture struct {
	alice *harness.User
	room  string
}

func newFixture(t *testing.T, s *harness.Server) fixture {
	alice := s.User(t, "alice")
	return fixture{alice, alice.CreateRoom(t, nil)}
}

// txn is a transaction id of its own.
func (w fixture) txn() string { return w.alice.Server.Unique("txn") }

// send is a message event with this body, as it is.
func (w fixture) send(content string) harness.Request {
	return w.put(harness.Path("v3/rooms/{}/send/org.example.content/{}", w.room, w.txn()), content)
}

func (w fixture) put(path, body string) harness.Request {
	return harness.Request{Method: http.MethodPut, Path: path, Token: w.alice.Token, Body: body}
}

func (w fixture) post(path, body string) harness.Request {
	return harness.Request{Method: http.MethodPost, Path: path, Token: w.alice.Token, Body: body}
}

func (w fixture) get(path string) harness.Request {
	return harness.Request{Method: http.MethodGet, Path: path, Token: w.alice.Token}
}

// TestBadInput sends every kind of bad input that issue reports of homeservers
// and clients are full of; each has one answer.
func TestBadInput(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		w := newFixture(t, s)
		for _, table := range []struct {
			name string
			rows []badInput
		}{
			{"json", w.badJSON()}, {"numbers", w.badNumbers()}, {"members", w.badMembers()},
			{"ids", w.badIDs()}, {"routes", w.badRoutes()}, {"queries", w.badQueries()},
			{"content types", w.contentTypes()}, {"tokens", w.badTokens()},
			{"NUL", w.withNUL()}, {"everywhere", w.everywhere()},
		} {
			t.Run(table.name, func(t *testing.T) {
				for _, row := range table.rows {
					t.Run(row.name, func(t *testing.T) { row.run(t, s) })
				}
			})
		}
	})
}

func (row badInput) run(t *testing.T, s *harness.Server) {
	a := s.Do(t, row.request)
	require.Equal(t, row.status, a.Status, a)
	if row.errcode != "" {
		require.Equal(t, row.errcode, a.JSON().At("errcode").String(), a)
	}
}

// badJSON is what RFC 8259 and RFC 7493 refuse, and nesting past any sense.
func (w fixture) badJSON() []badInput {
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1) }
	notJSON := map[string]string{
		"duplicate key":                 `{"body":"a","body":"b"}`,
		"duplicate key, escaped":        `{"body":"a","\u0062ody":"b"}`,
		"duplicate key, nested":         `{"x":[{"a":1,"a":1}]}`,
		"invalid UTF-8":                 "{\"body\":\"\xff\"}",
		"overlong UTF-8":                "{\"body\":\"\xc0\xaf\"}",
		"UTF-8 surrogate":               "{\"body\":\"\xed\xa0\x80\"}",
		"invalid UTF-8 in a key":        "{\"\xfe\":1}",
		"lone high surrogate":           `{"body":"\ud800"}`,
		"lone low surrogate":            `{"body":"\udc00x"}`,
		"surrogates in the wrong order": `{"body":"\udc00\ud800"}`,
		"byte order mark":               "\ufeff{}",
		"two values":                    `{} {}`,
		"trailing comma":                `{"a":1,}`,
		"single quotes":                 `{'a':1}`,
		"comment":                       `{} // nothing`,
		"NaN":                           `{"a":NaN}`,
		"leading zero":                  `{"a":01}`,
		"control character in a string": "{\"a\":\"\n\"}",
		"cut off":                       `{"a":`,
		"white space only":              " ",
		"text":                          `hello`,
	}
	var rows []badInput
	for name, body := range notJSON {
		rows = append(rows, badInput{name, w.send(body), 400, "M_NOT_JSON"})
	}
	return append(rows,
		badInput{"nested 10,000 deep", w.send(nested(10_000)), 400, "M_BAD_JSON"},
		badInput{"nested 10,000 deep in arrays", w.send(`{"a":` + strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999) + `}`), 400, "M_BAD_JSON"},
		badInput{"nested as deep as is allowed", w.send(nested(100)), 200, ""},
		badInput{"an array", w.send(`[]`), 400, "M_BAD_JSON"},
		badInput{"a string", w.send(`"text"`), 400, "M_BAD_JSON"},
		badInput{"null", w.send(`null`), 400, "M_BAD_JSON"},
		badInput{"a pair of surrogates", w.send(`{"body":"\ud83d\ude00"}`), 200, ""},
	)
}

// badNumbers is what canonical JSON refuses. Rooms of versions 1 to 5 take it.
func (w fixture) badNumbers() []badInput {
	bad := map[string]string{
		"2^53":              `{"n":9007199254740992}`,
		"-2^53":             `{"n":-9007199254740992}`,
		"2^64":              `{"n":[{"m":18446744073709551616}]}`,
		"a float":           `{"n":1.5}`,
		"a small float":     `{"n":1e-1}`,
		"a float in a list": `{"n":[0,0.5]}`,
		"a large exponent":  `{"n":1e400}`,
	}
	good := map[string]string{
		"2^53-1": `{"n":9007199254740991}`, "-(2^53-1)": `{"n":-9007199254740991}`,
		"minus zero": `{"n":-0}`, "an integer with an exponent": `{"n":1e10}`, "an integer with a fraction": `{"n":1.0}`,
	}
	var rows []badInput
	for name, body := range bad {
		rows = append(rows, badInput{name, w.send(body), 400, "M_BAD_JSON"},
			badInput{name + " in state", w.put(harness.Path("v3/rooms/{}/state/test/", w.room), body), 400, "M_BAD_JSON"})
	}
	for name, body := range good {
		rows = append(rows, badInput{name, w.send(body), 200, ""})
	}
	initial := `{"initial_state":[{"type":"test","state_key":"","content":{"n":1.5}}]}`
	return append(rows, badInput{"a float in initial state", w.post(harness.Path("v3/createRoom"), initial), 400, "M_BAD_JSON"})
}

// badMembers are JSON bodies that do not fit the operation.
func (w fixture) badMembers() []badInput {
	create, login := harness.Path("v3/createRoom"), harness.Path("v3/login")
	invite := harness.Path("v3/rooms/{}/invite", w.room)
	return []badInput{
		{"null for an optional string", w.post(create, `{"name":null}`), 400, "M_BAD_JSON"},
		{"null for an optional list", w.post(create, `{"invite":null}`), 400, "M_BAD_JSON"},
		{"null for an optional object", w.post(create, `{"creation_content":null}`), 400, "M_BAD_JSON"},
		{"null for an optional boolean", w.post(create, `{"is_direct":null}`), 400, "M_BAD_JSON"},
		{"null in a list", w.post(create, `{"invite":[null]}`), 400, "M_BAD_JSON"},
		{"a number for a string", w.post(create, `{"name":7}`), 400, "M_BAD_JSON"},
		{"a string for a list", w.post(create, `{"invite":"@a:hs1"}`), 400, "M_BAD_JSON"},
		{"an unknown preset", w.post(create, `{"preset":"open_house"}`), 400, "M_BAD_JSON"},
		{"an unknown visibility", w.post(create, `{"visibility":"secret"}`), 400, "M_BAD_JSON"},
		{"initial state without a type", w.post(create, `{"initial_state":[{"content":{}}]}`), 400, "M_BAD_JSON"},
		{"an unknown room version", w.post(create, `{"room_version":"99"}`), 400, "M_UNSUPPORTED_ROOM_VERSION"},
		{"an unknown member", w.post(create, `{"org.example.more":[1.5]}`), 200, ""},
		{"an empty body where one is required", w.post(create, ""), 400, "M_NOT_JSON"},
		{"an empty body to send", w.send(""), 400, "M_NOT_JSON"},
		{"an empty body to log in", harness.Request{Method: "POST", Path: login, Body: ""}, 400, "M_NOT_JSON"},
		{"no body at all", harness.Request{Method: "POST", Path: create, Token: w.alice.Token}, 400, "M_NOT_JSON"},
		{"a missing member", w.post(invite, `{}`), 400, "M_BAD_JSON"},
		{"login without a type", harness.Request{Method: "POST", Path: login, Body: `{}`}, 400, "M_BAD_JSON"},
		{"login of an unknown type", harness.Request{Method: "POST", Path: login, Body: `{"type":"org.example.magic"}`}, 400, "M_UNKNOWN"},
		{"a member in other letters", harness.Request{Method: "POST", Path: login, Body: `{"TYPE":"m.login.password"}`}, 400, "M_BAD_JSON"},
	}
}

// badIDs are identifiers past 255 bytes or against their grammar.
func (w fixture) badIDs() []badInput {
	long := strings.Repeat("x", 256)
	user := "@" + strings.Repeat("u", 256-len("@:hs1")) + ":hs1"
	member := harness.Path("v3/rooms/{}/state/m.room.member/{}", w.room, user)
	register := func(name string) harness.Request {
		return harness.Request{Method: "POST", Path: harness.Path("v3/register"), Body: harness.O{"username": name, "password": harness.Password}}
	}
	invite := func(who string) harness.Request {
		return w.post(harness.Path("v3/rooms/{}/invite", w.room), `{"user_id":"`+who+`"}`)
	}
	return []badInput{
		{"an event type of 256 bytes", w.put(harness.Path("v3/rooms/{}/send/{}/{}", w.room, long, w.txn()), `{}`), 413, "M_TOO_LARGE"},
		{"a state event type of 256 bytes", w.put(harness.Path("v3/rooms/{}/state/{}/", w.room, long), `{}`), 413, "M_TOO_LARGE"},
		{"a state key of 256 bytes", w.put(harness.Path("v3/rooms/{}/state/test/{}", w.room, long), `{}`), 413, "M_TOO_LARGE"},
		{"a state key of 255 bytes", w.put(harness.Path("v3/rooms/{}/state/test/{}", w.room, long[1:]), `{}`), 200, ""},
		{"a state key of 128 letters and 256 bytes", w.put(harness.Path("v3/rooms/{}/state/test/{}", w.room, strings.Repeat("é", 128)), `{}`), 413, "M_TOO_LARGE"},
		{"a room id of 256 bytes", w.get(harness.Path("v3/rooms/{}/state", "!"+long[1:])), 400, "M_INVALID_PARAM"},
		{"a user id of 256 bytes in a path", w.get(harness.Path("v3/profile/{}", user)), 400, "M_INVALID_PARAM"},
		{"a user id of 256 bytes in a body", invite(user), 400, "M_BAD_JSON"},
		{"a member of 256 bytes", w.put(member, `{"membership":"invite"}`), 413, "M_TOO_LARGE"},
		{"an event id of 256 bytes", w.get(harness.Path("v3/rooms/{}/event/{}", w.room, "$"+long[1:])), 400, "M_INVALID_PARAM"},
		{"no sigil on a user id", invite("alice:hs1"), 400, "M_BAD_JSON"},
		{"no server on a user id", invite("@alice"), 400, "M_BAD_JSON"},
		{"no sigil on a room id", w.get(harness.Path("v3/rooms/{}/state", "room:hs1")), 400, "M_INVALID_PARAM"},
		{"no sigil on an event id", w.get(harness.Path("v3/rooms/{}/event/{}", w.room, "event")), 400, "M_INVALID_PARAM"},
		{"a username of 256 bytes", register(long), 400, "M_INVALID_USERNAME"},
		{"a username with an umlaut", register("älice"), 400, "M_INVALID_USERNAME"},
		{"a username with a colon", register("al:ice"), 400, "M_INVALID_USERNAME"},
		{"a username with NUL", register("al\x00ice"), 400, "M_INVALID_USERNAME"},
	}
}

// badRoutes are paths and methods that no operation has.
func (w fixture) badRoutes() []badInput {
	request := func(method, path string) harness.Request {
		return harness.Request{Method: method, Path: path, Token: w.alice.Token}
	}
	return []badInput{
		{"the root", request("GET", "/_matrix"), 404, "M_UNRECOGNIZED"},
		{"an unknown path", request("GET", harness.Path("v3/nothing")), 404, "M_UNRECOGNIZED"},
		{"an unknown version", request("GET", harness.Path("v99/sync")), 404, "M_UNRECOGNIZED"},
		{"a path below an operation", request("GET", harness.Path("v3/sync/more")), 404, "M_UNRECOGNIZED"},
		{"a slash at the end", request("GET", harness.Path("v3/sync/")), 404, "M_UNRECOGNIZED"},
		{"two slashes", request("GET", "/_matrix/client//v3/sync"), 404, "M_UNRECOGNIZED"},
		{"two dots", request("GET", "/_matrix/client/v3/x/../sync"), 404, "M_UNRECOGNIZED"},
		{"an encoded slash between segments", request("GET", "/_matrix/client%2Fv3/sync"), 404, "M_UNRECOGNIZED"},
		{"an unknown API", request("GET", "/_matrix/nothing/v1/x"), 404, "M_UNRECOGNIZED"},
		{"a wrong method", request("DELETE", harness.Path("v3/sync")), 405, "M_UNRECOGNIZED"},
		{"a method of no RFC", request("BREW", harness.Path("v3/login")), 405, "M_UNRECOGNIZED"},
		{"another method on send", request("GET", harness.Path("v3/rooms/{}/send/a/b", w.room)), 405, "M_UNRECOGNIZED"},
		{"an encoded slash in a room id", request("GET", harness.Path("v3/rooms/{}/state", "!a/b:hs1")), 403, "M_FORBIDDEN"},
		{"an encoded slash in an event type", w.put(harness.Path("v3/rooms/{}/send/{}/{}", w.room, "a/b", w.txn()), `{}`), 200, ""},
		{"bytes that are not UTF-8 in a path", request("GET", harness.Path("v3/profile/")+"%ff"), 400, "M_INVALID_PARAM"},
	}
}

// badQueries are query parameters without sense.
func (w fixture) badQueries() []badInput {
	messages := func(query string) harness.Request {
		return w.get(harness.Path("v3/rooms/{}/messages", w.room) + "?" + query)
	}
	sync := func(query string) harness.Request { return w.get(harness.Path("v3/sync") + "?" + query) }
	filter := func(f string) harness.Request { return sync("filter=" + url.QueryEscape(f)) }
	return []badInput{
		{"a missing parameter", messages(""), 400, "M_MISSING_PARAM"},
		{"an unknown direction", messages("dir=up"), 400, "M_INVALID_PARAM"},
		{"letters for a number", messages("dir=b&limit=ten"), 400, "M_INVALID_PARAM"},
		{"a token of no server", messages("dir=b&from=nonsense"), 400, "M_INVALID_PARAM"},
		{"a sync token of no server", sync("since=nonsense"), 400, "M_INVALID_PARAM"},
		{"a boolean in letters of another kind", sync("full_state=yes"), 400, "M_INVALID_PARAM"},
		{"an unknown presence", sync("set_presence=busy"), 400, "M_INVALID_PARAM"},
		{"a filter that is not JSON", filter(`{"room"`), 400, "M_INVALID_PARAM"},
		{"a filter of a wrong type", filter(`{"room":7}`), 400, "M_INVALID_PARAM"},
		{"a filter that nobody made", sync("filter=no-such-filter"), 400, "M_INVALID_PARAM"},
		{"a broken percent-encoding", sync("filter=%zz"), 400, "M_INVALID_PARAM"},
		{"an unknown parameter", sync("timeout=0&org.example.more=1"), 200, ""},
	}
}

// contentTypes have no effect: clients should send application/json, but need not.
func (w fixture) contentTypes() []badInput {
	var rows []badInput
	for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "nonsense", ""} {
		r := w.send(`{"body":"x","msgtype":"m.text"}`)
		r.Header = http.Header{"Content-Type": {ct}}
		rows = append(rows, badInput{"labelled " + ct, r, 200, ""})
	}
	form := w.send("body=x")
	form.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return append(rows, badInput{"a form", form, 400, "M_NOT_JSON"})
}
