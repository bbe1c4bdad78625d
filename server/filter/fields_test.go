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
		"top-level members in the event's order": {[]string{"sender", "type"}, `{"type":"m.room.message","sender":"@a:x"}`},
		"one member of the content":              {[]string{"content.body"}, `{"content":{"body":"hi"}}`},
		"a whole object":                         {[]string{"content.m\\.relates_to"}, `{"content":{"m.relates_to":{"rel_type":"m.thread","event_id":"$e"}}}`},
		"a dot that is not escaped goes deeper":  {[]string{"content.m.relates_to"}, `{}`},
		"below an escaped dot":                   {[]string{"content.m\\.relates_to.rel_type"}, `{"content":{"m.relates_to":{"rel_type":"m.thread"}}}`},
		"an escaped backslash":                   {[]string{`content.m\\foo`}, `{"content":{"m\\foo":1}}`},
		"another escape is left as it is":        {[]string{`content.m\foo`}, `{"content":{"m\\foo":1}}`},
		"numbers keep their digits":              {[]string{"content.a.b.c"}, `{"content":{"a":{"b":{"c":9007199254740993}}}}`},
		"other characters keep their bytes":      {[]string{"content.<&>"}, `{"content":{"<&>":"<&>"}}`},
		"a longer path adds nothing":             {[]string{"content.a", "content.a.b.c", "content.a.z"}, `{"content":{"a":{"b":{"c":9007199254740993}}}}`},
		"several below one":                      {[]string{"content.body", "content.a.b"}, `{"content":{"body":"hi","a":{"b":{"c":9007199254740993}}}}`},
		"an absent member leaves no object":      {[]string{"content.nothing", "content.a.x", "type"}, `{"type":"m.room.message"}`},
		"a path through a string":                {[]string{"sender.x", "type"}, `{"type":"m.room.message"}`},
		"a path through a list":                  {[]string{"content.list.x", "content.list.0"}, `{}`},
		"an empty object that was asked for":     {[]string{"unsigned"}, `{"unsigned":{}}`},
		"an empty path":                          {[]string{""}, `{}`},
		"a path that ends in a dot":              {[]string{"content."}, `{}`},
		"a path that ends in a backslash":        {[]string{`type\`, "type"}, `{"type":"m.room.message"}`},
		"an empty list asks for everything":      {[]string{}, event},
	} {
		text, err := json.Marshal(map[string]any{"event_fields": c.fields})
		require.NoError(t, err)
		got := sync(t, string(text)).Fields.Project([]byte("before"), []byte(event))
		require.Equal(t, "before"+c.want, string(got), name)
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
