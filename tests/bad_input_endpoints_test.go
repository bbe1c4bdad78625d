// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"net/http"
	"strings"

	"touchstone.example/tests/harness"
)

// withNUL sends U+0000 in every place that takes a string. JSON allows it,
// PostgreSQL's text type does not, and no identifier may contain it: the server
// must store it or refuse it, and never answer 5xx. TestUncommonStringsRoundTrip
// checks that it is stored.
func (w fixture) withNUL() []badInput {
	const nul = "a\x00"
	public := func(method, path, body string) harness.Request {
		return harness.Request{Method: method, Path: path, Body: body}
	}
	create, login := harness.Path("v3/createRoom"), harness.Path("v3/login")
	password := func(more string) string {
		return `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + w.alice.ID + `"},"password":"` + harness.Password + `"` + more + `}`
	}
	messages := harness.Path("v3/rooms/{}/messages", w.room) + "?dir=b&"
	return []badInput{
		{"as it is", w.send("{\"body\":\"\x00\"}"), 400, "M_NOT_JSON"},
		{"in a message", w.send(`{"body":"\u0000","\u0000":"\u0000"}`), 200, ""},
		{"in an event type", w.put(harness.Path("v3/rooms/{}/send/{}/{}", w.room, nul, w.txn()), `{}`), 200, ""},
		{"in a state key", w.put(harness.Path("v3/rooms/{}/state/test/{}", w.room, nul), `{}`), 200, ""},
		{"in a transaction id", w.put(harness.Path("v3/rooms/{}/send/test/{}", w.room, w.txn()+nul), `{}`), 200, ""},
		{"in a reason", w.post(harness.Path("v3/rooms/{}/join", w.room), `{"reason":"\u0000"}`), 200, ""},
		{"in the name and topic of a room", w.post(create, `{"name":"\u0000","topic":"\u0000"}`), 200, ""},
		{"in the alias of a room", w.post(create, `{"room_alias_name":"\u0000"}`), 400, "M_INVALID_PARAM"},
		{"in a room version", w.post(create, `{"room_version":"1\u0000"}`), 400, "M_UNSUPPORTED_ROOM_VERSION"},
		{"in a user id in a body", w.post(create, `{"invite":["@a\u0000:hs1"]}`), 400, "M_BAD_JSON"},
		{"in a user id in a path", w.get(harness.Path("v3/profile/{}", "@"+nul+":hs1")), 400, "M_INVALID_PARAM"},
		{"in a room id", w.get(harness.Path("v3/rooms/{}/state", "!"+nul+":hs1")), 400, "M_INVALID_PARAM"},
		{"in a room to join", w.post(harness.Path("v3/join/{}", "#"+nul+":hs1"), `{}`), 400, "M_INVALID_PARAM"},
		{"in an event id", w.get(harness.Path("v3/rooms/{}/event/{}", w.room, "$"+nul)), 400, "M_INVALID_PARAM"},
		{"in a state event that is not there", w.get(harness.Path("v3/rooms/{}/state/{}/{}", w.room, nul, nul)), 404, "M_NOT_FOUND"},
		{"in the name of a profile field", w.put(harness.Path("v3/profile/{}/{}", w.alice.ID, "org.example."+nul), `{"org.example.a\u0000":1}`), 400, "M_INVALID_PARAM"},
		{"in a profile field that is not there", w.get(harness.Path("v3/profile/{}/{}", w.alice.ID, nul)), 404, "M_NOT_FOUND"},
		{"in a device that is not there", w.get(harness.Path("v3/devices/{}", nul)), 404, "M_NOT_FOUND"},
		{"in a device to rename", w.put(harness.Path("v3/devices/{}", nul), `{"display_name":"\u0000"}`), 404, "M_NOT_FOUND"},
		{"in a device to log in with", public("POST", login, password(`,"device_id":"\u0000"`)), 400, "M_BAD_JSON"},
		{"in the name of a device", public("POST", login, password(`,"initial_device_display_name":"\u0000"`)), 200, ""},
		{"in a user who logs in", public("POST", login, strings.Replace(password(""), w.alice.ID, `a\u0000`, 1)), 403, "M_FORBIDDEN"},
		{"in a password", public("POST", login, strings.Replace(password(""), harness.Password, `\u0000`, 1)), 403, "M_FORBIDDEN"},
		{"in a type of login", public("POST", login, `{"type":"\u0000"}`), 400, "M_UNKNOWN"},
		{"in a session of authentication", public("POST", harness.Path("v3/register"), `{"password":"x","auth":{"type":"m.login.dummy","session":"\u0000"}}`), 401, "M_FORBIDDEN"},
		{"in a name that may be free", public("GET", harness.Path("v3/register/available")+"?username=a%00", ""), 400, "M_INVALID_USERNAME"},
		{"in an access token", public("GET", harness.Path("v3/account/whoami")+"?access_token=a%00", ""), 401, "M_UNKNOWN_TOKEN"},
		{"in a filter", w.post(harness.Path("v3/user/{}/filter", w.alice.ID), `{"event_fields":["\u0000"],"room":{"timeline":{"types":["\u0000"]}}}`), 200, ""},
		{"in a room of a filter", w.post(harness.Path("v3/user/{}/filter", w.alice.ID), `{"room":{"rooms":["!\u0000:hs1"]}}`), 400, "M_BAD_JSON"},
		{"in the id of a filter", w.get(harness.Path("v3/user/{}/filter/{}", w.alice.ID, nul)), 404, "M_NOT_FOUND"},
		{"in a token of the stream", w.get(harness.Path("v3/sync") + "?since=%00"), 400, "M_INVALID_PARAM"},
		{"in a place in a room", w.get(messages + "from=%00"), 400, "M_INVALID_PARAM"},
		{"in a filter of a page", w.get(messages + "filter=%00"), 400, "M_INVALID_PARAM"},
		{"in a time of members", w.get(harness.Path("v3/rooms/{}/members", w.room) + "?at=%00"), 400, "M_INVALID_PARAM"},
		{"in a membership", w.get(harness.Path("v3/rooms/{}/members", w.room) + "?membership=%00"), 400, "M_INVALID_PARAM"},
		{"in a kind of push rules", w.get(harness.Path("v3/pushrules/global/{}/x", nul)), 404, "M_NOT_FOUND"},
		{"in a push rule", w.get(harness.Path("v3/pushrules/global/override/{}", nul)), 404, "M_NOT_FOUND"},
	}
}

// everywhere is what the other tables send as a message, where else it can do
// harm.
func (w fixture) everywhere() []badInput {
	create, login := harness.Path("v3/createRoom"), harness.Path("v3/login")
	state := func(content string) harness.Request {
		return w.put(harness.Path("v3/rooms/{}/state/test/", w.room), content)
	}
	filter := func(body string) harness.Request { return w.post(harness.Path("v3/user/{}/filter", w.alice.ID), body) }
	public := func(path, body string) harness.Request {
		return harness.Request{Method: http.MethodPost, Path: path, Body: body}
	}
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	long, large := strings.Repeat("x", 256), strings.Repeat("x", 65_537)
	return []badInput{
		{"a duplicate key to log in", public(login, `{"type":"a","type":"m.login.password"}`), 400, "M_NOT_JSON"},
		{"a duplicate key in authentication", public(harness.Path("v3/register"), `{"auth":{"type":"m.login.dummy","type":"m.login.dummy"}}`), 400, "M_NOT_JSON"},
		{"a duplicate key in a profile", w.put(harness.Path("v3/profile/{}/displayname", w.alice.ID), `{"displayname":"a","displayname":"b"}`), 400, "M_NOT_JSON"},
		{"invalid UTF-8 to log in", public(login, "{\"type\":\"\xff\"}"), 400, "M_NOT_JSON"},
		{"a lone surrogate in a profile", w.put(harness.Path("v3/profile/{}/displayname", w.alice.ID), `{"displayname":"\ud800"}`), 400, "M_NOT_JSON"},
		{"nested 10,000 deep to log in", public(login, deep), 400, "M_BAD_JSON"},
		{"nested 10,000 deep in state", state(deep), 400, "M_BAD_JSON"},
		{"nested 10,000 deep in a filter", filter(deep), 400, "M_BAD_JSON"},
		{"a float in the content of creation", w.post(create, `{"creation_content":{"x":1.5}}`), 400, "M_BAD_JSON"},
		{"2^53 in the content of creation", w.post(create, `{"creation_content":{"x":9007199254740992}}`), 400, "M_BAD_JSON"},
		{"a float of an old room version", w.post(create, `{"room_version":"5","creation_content":{"x":1.5}}`), 200, ""},
		{"a float among power levels", w.post(create, `{"power_level_content_override":{"users_default":1.5}}`), 400, "M_BAD_JSON"},
		{"a float in a membership", w.put(harness.Path("v3/rooms/{}/state/m.room.member/{}", w.room, w.alice.ID), `{"membership":"join","x":1.5}`), 400, "M_BAD_JSON"},
		{"a limit that is a float", filter(`{"room":{"timeline":{"limit":1.5}}}`), 400, "M_BAD_JSON"},
		{"a limit past 2^53", filter(`{"room":{"timeline":{"limit":9007199254740993000000}}}`), 400, "M_BAD_JSON"},
		{"a negative limit", filter(`{"room":{"timeline":{"limit":-1}}}`), 400, "M_BAD_JSON"},
		{"null in a filter", filter(`{"room":null}`), 400, "M_BAD_JSON"},
		{"null for a reason", w.post(harness.Path("v3/rooms/{}/leave", w.room), `{"reason":null}`), 400, "M_BAD_JSON"},
		{"null for a name of a device", w.put(harness.Path("v3/devices/{}", w.alice.Device), `{"display_name":null}`), 400, "M_BAD_JSON"},
		{"too large a state event", state(`{"x":"` + large + `"}`), 413, "M_TOO_LARGE"},
		{"too large an initial state event", w.post(create, `{"initial_state":[{"type":"test","content":{"x":"`+large+`"}}]}`), 413, "M_TOO_LARGE"},
		{"too large a topic", w.post(create, `{"topic":"`+large+`"}`), 413, "M_TOO_LARGE"},
		{"too large a reason", w.post(harness.Path("v3/rooms/{}/ban", w.room), `{"user_id":"@b:hs1","reason":"`+large+`"}`), 413, "M_TOO_LARGE"},
		{"an initial state event type of 256 bytes", w.post(create, `{"initial_state":[{"type":"`+long+`","content":{}}]}`), 413, "M_TOO_LARGE"},
		{"an alias of more than 255 bytes", w.post(create, `{"room_alias_name":"`+long+`"}`), 400, "M_INVALID_PARAM"},
		{"a user to kick of more than 255 bytes", w.post(harness.Path("v3/rooms/{}/kick", w.room), `{"user_id":"@`+long+`:hs1"}`), 400, "M_BAD_JSON"},
		{"an event to redact of 256 bytes", w.put(harness.Path("v3/rooms/{}/redact/{}/{}", w.room, "$"+long[1:], w.txn()), `{}`), 400, "M_INVALID_PARAM"},
		{"a device of 256 bytes", public(login, `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"`+w.alice.ID+`"},"password":"`+harness.Password+`","device_id":"`+long+`"}`), 400, "M_BAD_JSON"},
		{"a device of 256 bytes that is not there", w.get(harness.Path("v3/devices/{}", long)), 404, "M_NOT_FOUND"},
		{"a transaction id of any length", w.put(harness.Path("v3/rooms/{}/send/test/{}", w.room, strings.Repeat(w.txn(), 1000)), `{}`), 200, ""},
	}
}
