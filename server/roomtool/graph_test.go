// SPDX-License-Identifier: Apache-2.0

package roomtool_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPictures(t *testing.T) {
	f := rooms(t)
	for _, c := range []struct{ name, command string }{
		{"fork", "graph fork-12.jsonl"},
		{"fight-with-auth-events", "graph --auth fight-10.jsonl"},
		{"open-branches", "graph fight-12.jsonl"},
		{"dropped", "graph --keys redactions-11.keys redactions-11.jsonl"},
		{"broken", "graph broken.jsonl"},
		{"cycle", "graph --auth cycle.jsonl"},
		{"the-end-of-a-room", "graph --last 5 fork-12.jsonl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			svg := f.must(t, "", strings.Fields(c.command)...)
			requireXML(t, svg)
			golden(t, "graph/"+c.name+".svg", svg)
		})
	}
}

func requireXML(t *testing.T, svg string) {
	dec := xml.NewDecoder(strings.NewReader(svg))
	elements := 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
	require.Greater(t, elements, 10)
}

func TestAPictureShowsWhoWonAndWhoLost(t *testing.T) {
	svg := rooms(t).must(t, "", "graph", "fork-12.jsonl")
	require.Equal(t, 1, strings.Count(svg, ">✓ won<"), "the ban")
	require.Equal(t, 3, strings.Count(svg, ">✗ lost<"), "Bob's membership, name and topic")
	require.Equal(t, 3, strings.Count(svg, ">rejected: rule "))
	require.Contains(t, svg, ">nothing for m.room.topic<")
	require.NotContains(t, svg, "url(#auth)\"/><text", "no legend for what is not there")
}

func TestAPictureOfBranchesChosen(t *testing.T) {
	f := rooms(t)
	ids := strings.Fields(f.must(t, "", "hash", "--only", "event-id", "fork-12.jsonl"))
	require.Contains(t, f.must(t, "", "graph", "--at", ids[10], "fork-12.jsonl"), ">State after "+ids[10][:11]+" (line 11)<")
	both := f.must(t, "", "graph", "--at", ids[8]+","+ids[10], "fork-12.jsonl")
	require.Contains(t, both, ">State that 2 branches resolve to<")
	require.Equal(t, both, f.must(t, "", "graph", "--before", ids[11], "fork-12.jsonl"))
}
