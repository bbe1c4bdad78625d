// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/filter"
)

// FuzzFilter parses any bytes as a filter and applies it to any event.
func FuzzFilter(f *testing.F) {
	event := `{"type":"m.room.message","sender":"@a:x","content":{"url":"mxc://x/y","m.relates_to":{"rel_type":"m.thread"}}}`
	for _, text := range []string{
		`{}`,
		`{"event_fields":["type","content.m\\.relates_to.rel_type"],"event_format":"federation","presence":{"types":["*"]}}`,
		`{"room":{"rooms":["!a:x"],"include_leave":true,"timeline":{"limit":10,"not_types":["m.*.x"],"contains_url":true}}}`,
		`{"types":["m.room.*"],"senders":["@a:x"],"not_rooms":["!a:x"],"lazy_load_members":true,"limit":0}`,
	} {
		f.Add([]byte(text), []byte(event), "m.room.message")
	}
	f.Fuzz(func(t *testing.T, text, event []byte, typ string) {
		h := &filter.Header{Type: typ, Sender: "@a:x", RoomID: "!a:x", Content: jsontext.Value(event)}
		if re, err := filter.ParseRoomEvents(text); err == nil {
			re.Match(h)
			require.LessOrEqual(t, re.Limit(10, 50), 50)
		}
		all, err := filter.Parse(text)
		if err != nil {
			return
		}
		for _, part := range []*filter.RoomEvents{&all.Room.State, &all.Room.Timeline, &all.Room.Ephemeral, &all.Room.AccountData} {
			part.Match(h)
		}
		all.Room.Rooms.Match("!a:x")
		all.Presence.Match(typ, id.UserID(typ))

		once := all.Fields.Project(nil, event)
		if jsontext.Value(event).IsValid() {
			require.True(t, jsontext.Value(once).IsValid(), "%s", once)
			require.Equal(t, string(once), string(all.Fields.Project(nil, once)), "projecting twice changes nothing")
		}
	})
}

// FuzzFilterWildcards compares type patterns with regular expressions.
func FuzzFilterWildcards(f *testing.F) {
	f.Add("m.room.*", "m.room.message")
	f.Add("*a*b*", "xxaxxb")
	f.Add("a**", "a")
	f.Fuzz(func(t *testing.T, pattern, typ string) {
		text, err := json.Marshal(map[string][]string{"types": {pattern}})
		if err != nil {
			return // invalid UTF-8
		}
		re, err := regexp.Compile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `$`)
		require.NoError(t, err)
		compiled, err := filter.ParseRoomEvents(text)
		require.NoError(t, err)
		require.Equal(t, re.MatchString(typ), compiled.Match(&filter.Header{Type: typ}))
	})
}
