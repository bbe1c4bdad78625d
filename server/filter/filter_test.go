// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/filter"
)

func roomEvents(t *testing.T, text string) *filter.RoomEvents {
	t.Helper()
	f, err := filter.ParseRoomEvents([]byte(text))
	require.NoError(t, err)
	return f
}

func sync(t *testing.T, text string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse([]byte(text))
	require.NoError(t, err)
	return f
}

func message() *filter.Header {
	return &filter.Header{
		Type: "m.room.message", Sender: "@a:x", RoomID: "!r:x", RelType: "m.thread",
		Content: jsontext.Value(`{"body":"hi","info":{"url":"mxc://x/y"}}`),
	}
}

func TestMatch(t *testing.T) {
	manyRooms := `"!0:x","!1:x","!2:x","!3:x","!4:x","!5:x","!6:x","!7:x","!8:x"`
	for name, c := range map[string]struct {
		filter string
		want   bool
	}{
		"an empty filter passes everything":                     {`{}`, true},
		"a listed type passes":                                  {`{"types":["m.room.member","m.room.message"]}`, true},
		"a type that is not listed does not":                    {`{"types":["m.room.member"]}`, false},
		"an empty list of types passes nothing":                 {`{"types":[]}`, false},
		"a wildcard at the end":                                 {`{"types":["m.room.*"]}`, true},
		"a wildcard at the start":                               {`{"types":["*.message"]}`, true},
		"a wildcard in the middle":                              {`{"types":["m.*.message"]}`, true},
		"a wildcard for nothing":                                {`{"types":["m.room.message*"]}`, true},
		"wildcards that overlap do not match":                   {`{"types":["m.room.message*message"]}`, false},
		"a wildcard alone":                                      {`{"types":["*"]}`, true},
		"a question mark is no wildcard":                        {`{"types":["m.room.messag?"]}`, false},
		"an excluded type does not pass":                        {`{"not_types":["m.room.message"]}`, false},
		"an excluded pattern does not pass":                     {`{"not_types":["m.room.*"]}`, false},
		"exclusion wins over inclusion":                         {`{"types":["m.room.message"],"not_types":["*"]}`, false},
		"another excluded type does not matter":                 {`{"not_types":["m.room.member"]}`, true},
		"an empty exclusion excludes nothing":                   {`{"not_types":[],"not_senders":[],"not_rooms":[]}`, true},
		"a listed sender passes":                                {`{"senders":["@a:x"]}`, true},
		"a sender that is not listed does not":                  {`{"senders":["@b:x"]}`, false},
		"an empty list of senders passes nothing":               {`{"senders":[]}`, false},
		"an excluded sender does not pass":                      {`{"senders":["@a:x"],"not_senders":["@a:x"]}`, false},
		"a listed room passes":                                  {`{"rooms":["!r:x"]}`, true},
		"a room that is not listed does not":                    {`{"rooms":["!s:x"]}`, false},
		"a long list of rooms without it":                       {`{"rooms":[` + manyRooms + `]}`, false},
		"a long list of rooms with it":                          {`{"rooms":[` + manyRooms + `,"!r:x"]}`, true},
		"an excluded room does not pass":                        {`{"rooms":["!r:x"],"not_rooms":["!r:x"]}`, false},
		"a long list of excluded rooms":                         {`{"not_rooms":[` + manyRooms + `,"!r:x"]}`, false},
		"a url deeper in the content is none":                   {`{"contains_url":true}`, false},
		"and nothing to exclude":                                {`{"contains_url":false}`, true},
		"a listed relation passes":                              {`{"org.matrix.msc3874.rel_types":["m.thread"]}`, true},
		"another relation does not":                             {`{"org.matrix.msc3874.rel_types":["m.reference"]}`, false},
		"an excluded relation does not":                         {`{"org.matrix.msc3874.not_rel_types":["m.thread"]}`, false},
		"unknown members are ignored":                           {`{"a":{"b":[null]},"limit":3,"\u0000":1}`, true},
		"members are case-sensitive, so these are unknown ones": {`{"Types":["x"],"NOT_TYPES":["*"]}`, true},
	} {
		require.Equal(t, c.want, roomEvents(t, c.filter).Match(message()), name)
	}
}

func TestContainsURL(t *testing.T) {
	yes, no := roomEvents(t, `{"contains_url":true}`), roomEvents(t, `{"contains_url":false}`)
	for content, has := range map[string]bool{
		`{"url":"mxc://x/y"}`:                  true,
		`{"body":"url","url":7}`:               true,
		`{"a":{"url":1},"b":["url"],"url":{}}`: true,
		`{"\u0075rl":""}`:                      true,
		`{"a":{"url":1},"b":["url"]}`:          false,
		`{"body":"\"url\""}`:                   false,
		`{"body":"url"}`:                       false,
		`{"URL":""}`:                           false,
		`{}`:                                   false,
		`["url"]`:                              false,
		`"url"`:                                false,
		`{"a":"url"`:                           false,
		``:                                     false,
	} {
		h := &filter.Header{Type: "m.room.message", Content: jsontext.Value(content)}
		require.Equal(t, has, yes.Match(h), content)
		require.Equal(t, !has, no.Match(h), content)
	}
}

func TestAnEventWithoutARelationOrSender(t *testing.T) {
	h := &filter.Header{Type: "m.typing", RoomID: "!r:x"}
	require.False(t, roomEvents(t, `{"org.matrix.msc3874.rel_types":["m.thread"]}`).Match(h))
	require.True(t, roomEvents(t, `{"org.matrix.msc3874.not_rel_types":["m.thread"]}`).Match(h))
	require.False(t, roomEvents(t, `{"senders":["@a:x"]}`).Match(h))
	require.True(t, roomEvents(t, `{"not_senders":["@a:x"]}`).Match(h))
}

func TestTheSpecificationsExample(t *testing.T) {
	f := sync(t, `{
		"room": {
			"state": {"types": ["m.room.*"], "not_rooms": ["!726s6s6q:example.com"]},
			"timeline": {"limit": 10, "types": ["m.room.message"], "not_rooms": ["!726s6s6q:example.com"], "not_senders": ["@spam:example.com"]},
			"ephemeral": {"types": ["m.receipt", "m.typing"], "not_rooms": ["!726s6s6q:example.com"], "not_senders": ["@spam:example.com"]}
		},
		"presence": {"types": ["m.presence"], "not_senders": ["@alice:example.com"]},
		"event_format": "client",
		"event_fields": ["type", "content", "sender"]
	}`)
	require.False(t, f.Federation)
	require.NotNil(t, f.Fields)
	require.Equal(t, 10, f.Room.Timeline.Limit(20, 100))
	require.Equal(t, 20, f.Room.State.Limit(20, 100))
	require.True(t, f.Room.State.Match(&filter.Header{Type: "m.room.topic", RoomID: "!a:x", Sender: "@a:x"}))
	require.False(t, f.Room.State.Match(&filter.Header{Type: "m.room.topic", RoomID: "!726s6s6q:example.com", Sender: "@a:x"}))
	require.False(t, f.Room.Timeline.Match(&filter.Header{Type: "m.room.message", RoomID: "!a:x", Sender: "@spam:example.com"}))
	require.True(t, f.Room.Ephemeral.Match(&filter.Header{Type: "m.typing", RoomID: "!a:x"}))
	require.True(t, f.Presence.Match("m.presence", "@bob:example.com"))
	require.False(t, f.Presence.Match("m.presence", "@alice:example.com"))
	require.True(t, f.AccountData.Match("m.direct", ""))
	require.True(t, f.Room.AccountData.Match(&filter.Header{Type: "m.tag", RoomID: "!a:x"}))
}

func TestTheZeroFilterPassesEverything(t *testing.T) {
	var f filter.Filter
	require.Equal(t, &f, sync(t, `{}`))
	require.True(t, f.Room.Timeline.Match(message()))
	require.True(t, f.Room.Rooms.Match("!r:x"))
	require.True(t, f.Presence.Match("m.presence", "@a:x"))
	require.False(t, f.Room.IncludeLeave)
	require.Equal(t, `{"a":1}`, string(f.Fields.Project(nil, []byte(`{"a":1}`))))
}

func TestSwitches(t *testing.T) {
	f := sync(t, ` {"event_format":"federation","room":{"include_leave":true,
		"rooms":["!a:x","!b:x"],"not_rooms":["!b:x"],
		"state":{"lazy_load_members":true},
		"timeline":{"lazy_load_members":true,"include_redundant_members":true,"unread_thread_notifications":true}}}`)
	require.True(t, f.Federation)
	require.True(t, f.Room.IncludeLeave)
	require.True(t, f.Room.State.LazyLoadMembers)
	require.False(t, f.Room.State.IncludeRedundantMembers)
	require.True(t, f.Room.Timeline.IncludeRedundantMembers)
	require.True(t, f.Room.Timeline.UnreadThreadNotifications)
	require.True(t, f.Room.Rooms.Match("!a:x"))
	require.False(t, f.Room.Rooms.Match("!b:x"))
	require.False(t, f.Room.Rooms.Match("!c:x"))
}

func TestLimits(t *testing.T) {
	for text, want := range map[string]int{
		`{}`: 10, `{"limit":1}`: 1, `{"limit":0}`: 0, `{"limit":50}`: 50, `{"limit":51}`: 50, `{"limit":9007199254740991}`: 50,
	} {
		require.Equal(t, want, roomEvents(t, text).Limit(10, 50), text)
	}
	require.Equal(t, 5, roomEvents(t, `{}`).Limit(10, 5))
}

func TestFiltersThatAreNone(t *testing.T) {
	parts := []string{`"limit":-1`, `"limit":"1"`, `"limit":1.5`, `"limit":null`, `"limit":99999999999999999999`,
		`"types":"x"`, `"types":[1]`, `"types":[null]`, `"types":null`, `"not_types":{}`, `"types":[],"types":[]`,
		`"senders":"@a:x"`, `"senders":["a"]`, `"senders":[null]`, `"not_senders":["a"]`, `"not_senders":true`}
	roomParts := append([]string{`"rooms":"!a:x"`, `"rooms":["a"]`, `"not_rooms":["a"]`, `"contains_url":1`, `"contains_url":null`,
		`"lazy_load_members":"true"`, `"include_redundant_members":0`, `"unread_thread_notifications":[]`,
		`"org.matrix.msc3874.rel_types":"a"`}, parts...)
	bad := []string{``, `[]`, `null`, `"x"`, `66696p`, `{`, `{}{}`, `{"event_format":"xml"}`, `{"event_format":null}`, `{"event_fields":"a"}`,
		`{"event_fields":[1]}`, `{"event_fields":null}`, `{"room":[]}`, `{"room":null}`, `{"room":{"rooms":["a"]}}`,
		`{"room":{"include_leave":"yes"}}`, `{"presence":"not_an_object"}`, "{\"a\":\"\xff\"}"}
	for _, p := range parts {
		bad = append(bad, `{"presence":{`+p+`}}`, `{"account_data":{`+p+`}}`)
	}
	for _, p := range roomParts {
		for _, section := range []string{"state", "timeline", "ephemeral", "account_data"} {
			bad = append(bad, `{"room":{"`+section+`":{`+p+`}}}`)
		}
		_, err := filter.ParseRoomEvents([]byte(`{` + p + `}`))
		require.ErrorContains(t, err, "filter: ", p)
	}
	for _, text := range bad {
		_, err := filter.Parse([]byte(text))
		require.ErrorContains(t, err, "filter: ", text)
		require.NotRegexp(t, `json|Go |unmarshal|filter: filter`, strings.Replace(err.Error(), "not JSON", "", 1), "what a client reads")
	}
	_, err := filter.Parse([]byte(`{"room":{"timeline":{"limit":-1}}}`))
	require.EqualError(t, err, `filter: a limit cannot be negative at "/room/timeline/limit"`)
}

func TestGlobsTakeNoTimeToBacktrack(t *testing.T) {
	f := roomEvents(t, `{"types":["`+strings.Repeat("a*", 500)+`b"]}`)
	require.False(t, f.Match(&filter.Header{Type: strings.Repeat("a", 20000)}))
}

func BenchmarkMatch(b *testing.B) {
	f, err := filter.ParseRoomEvents([]byte(`{"types":["m.room.*","org.example.*"],"not_senders":["@spam:x"],"rooms":["!r:x"]}`))
	require.NoError(b, err)
	h := message()
	b.ReportAllocs()
	for b.Loop() {
		f.Match(h)
	}
}
