// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/tests/seedrand"
)

func TestPairs(t *testing.T) {
	for name, tc := range map[string]struct{ a, b, want string }{
		"nothing on either side":          {``, ``, ``},
		"no objects":                      {`[1]`, `"x"`, ``},
		"one side":                        {`{"a":1,"b":2}`, ``, `a 1 -,b 2 -,`},
		"the other side":                  {`{}`, `{"a":1}`, `a - 1,`},
		"what both have and what one has": {`{"a":1,"b":{},"d":4}`, `{"b":[2],"c":"3","d":5}`, `a 1 -,b {} [2],c - "3",d 4 5,`},
		"names are ordered as they read":  {`{"\t":1,"!":2}`, `{"\t":3,"\"":4}`, "\t 1 3,! 2 -,\" - 4,"},
		"the end of a broken one":         {`{"a":1,"b}`, `{"c":1}`, `a 1 -,c - 1,`},
	} {
		got := ""
		or := func(v jsontext.Value) string {
			if v == nil {
				return "-"
			}
			return string(v)
		}
		for key, pair := range event.Pairs(jsontext.Value(tc.a), jsontext.Value(tc.b)) {
			got += key + " " + or(pair.A) + " " + or(pair.B) + ","
		}
		require.Equal(t, tc.want, got, name)
	}
	for key := range event.Pairs(jsontext.Value(`{"a":1,"b":2}`), nil) {
		require.Equal(t, "a", key, "a walk may end early")
		break
	}
}

// Pairs of an object with itself are its members.
func TestPairsAreMembers(t *testing.T) {
	d := dice{seedrand.Dice(3)}
	for range 200 {
		e := build(t, rulesOf(t, "12"), event.Draft{Type: "x", Content: []byte(d.object(func() string { return d.json(0) }))})
		want, got := map[string]string{}, map[string]string{}
		for key, v := range event.Members(e.Content) {
			want[key] = string(v)
		}
		for key, pair := range event.Pairs(e.Content, e.Content) {
			require.Equal(t, pair.A, pair.B)
			got[key] = string(pair.A)
		}
		require.Equal(t, want, got)
	}
}
