// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

func TestProject(t *testing.T) {
	const event = `{"type":"m.room.message","content":{"body":"hi","m.relates_to":{"rel_type":"m.thread","event_id":"$e"},` +
		`"m\\foo":1,"a":{"b":{"c":9007199254740993}},"<&>":"<&>","list":[{"x":1}]},"sender":"@a:x","unsigned":{}}`
	for name, c := range map[string]struct {
		fields []string
		want   string
	}{
		"top-level members in the event's order": {[]string{"sender", "type"}, `{"type":"m.room.message","content":{},"sender":"@a:x"}`},
		"one member of the content":              {[]string{"content.body"}, `{"type":"m.room.message","content":{"body":"hi"},"sender":"@a:x"}`},
		"a whole object":                         {[]string{"content.m\\.relates_to"}, `{"type":"m.room.message","content":{"m.relates_to":{"rel_type":"m.thread","event_id":"$e"}},"sender":"@a:x"}`},
		"a dot that is not escaped goes deeper":  {[]string{"content.m.relates_to"}, `{"type":"m.room.message","content":{},"sender":"@a:x"}`},
		"below an escaped dot":                   {[]string{"content.m\\.relates_to.rel_type"}, `{"type":"m.room.message","content":{"m.relates_to":{"rel_type":"m.thread"}},"sender":"@a:x"}`},
		"an escaped backslash":                   {[]string{`content.m\\foo`}, `{"type":"m.room.message","content":{"m\\foo":1},"sender":"@a:x"}`},
		"another escape is left as it is":        {[]string{`content.m\foo`}, `{"type":"m.room.message","content":{"m\\foo":1},"sender":"@a:x"}`},
		"numbers keep their digits":              {[]string{"content.a.b.c"}, `{"type":"m.room.message","content":{"a":{"b":{"c":9007199254740993}}},"sender":"@a:x"}`},
		"other characters keep their bytes":      {[]string{"content.<&>"}, `{"type":"m.room.message","content":{"<&>":"<&>"},"sender":"@a:x"}`},
		"a longer path adds nothing":             {[]string{"content.a", "content.a.b.c", "content.a.z"}, `{"type":"m.room.message","content":{"a":{"b":{"c":9007199254740993}}},"sender":"@a:x"}`},
		"several below one":                      {[]string{"content.body", "content.a.b"}, `{"type":"m.room.message","content":{"body":"hi","a":{"b":{"c":9007199254740993}}},"sender":"@a:x"}`},
		"an absent member leaves nothing":        {[]string{"content.nothing", "content.a.x", "type"}, `{"type":"m.room.message","content":{},"sender":"@a:x"}`},
		"a path through a string":                {[]string{"sender.x", "type"}, `{"type":"m.room.message","content":{},"sender":"@a:x"}`},
		"a path through a list":                  {[]string{"content.list.x", "content.list.0"}, `{"type":"m.room.message","content":{},"sender":"@a:x"}`},
		"an empty object that was asked for":     {[]string{"unsigned"}, `{"type":"m.room.message","content":{},"sender":"@a:x","unsigned":{}}`},
		"an empty path":                          {[]string{""}, `{"type":"m.room.message","content":{},"sender":"@a:x"}`},
		"a path that ends in a dot":              {[]string{"content."}, `{"type":"m.room.message","content":{},"sender":"@a:x"}`},
		"a path that ends in a backslash":        {[]string{`type\`, "type"}, `{"type":"m.room.message","content":{},"sender":"@a:x"}`},
		"an empty list asks for everything":      {[]string{}, event},
	} {
		text, err := json.Marshal(map[string]any{"event_fields": c.fields})
		require.NoError(t, err)
		got := sync(t, string(text)).Fields.WithRequired().Project([]byte("before"), []byte(event))
		require.Equal(t, "before"+c.want, string(got), name)
	}
}

// TestProjectKeepsWhatWasAskedFor, and nothing else.
func TestProjectKeepsWhatWasAskedFor(t *testing.T) {
	const event = `{"content":{"body":"hi","a":{"b":1}},"event_id":"$e","sender":"@a:x","state_key":"","type":"t"}`
	for fields, want := range map[string]string{
		`["type"]`:                    `{"type":"t"}`,
		`["content.body"]`:            `{"content":{"body":"hi"}}`,
		`["content.a.b","sender"]`:    `{"content":{"a":{"b":1}},"sender":"@a:x"}`,
		`["content"]`:                 `{"content":{"body":"hi","a":{"b":1}}}`,
		`["content.nothing","other"]`: `{}`,
		`[]`:                          event,
	} {
		got := sync(t, `{"event_fields":`+fields+`}`).Fields.Project(nil, []byte(event))
		require.Equal(t, want, string(got), fields)
	}
}

func TestProjectOfOddEvents(t *testing.T) {
	f := sync(t, `{"event_fields":["type","a\"b"]}`).Fields
	for event, want := range map[string]string{
		`{"\u0074ype":1}`:            `{"\u0074ype":1}`,
		` { "x" : 1 , "type" : 2 } `: `{"type":2}`,
		`{"a\"b":1}`:                 `{"a\"b":1}`,
		`{"type":1,"type":2}`:        `{"type":1,"type":2}`,
		`{}`:                         `{}`,
		`[1]`:                        `[1]`,
		`{"type":`:                   `{"type":`,
		`{"type":1`:                  `{"type":1`,
		``:                           ``,
	} {
		require.Equal(t, want, string(f.Project(nil, []byte(event))), event)
	}
}
