// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// readLines decodes a file of JSON lines.
func readLines[T any](t testing.TB, path string) []T {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var lines []T
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		var line T
		require.NoError(t, json.Unmarshal(s.Bytes(), &line), s.Text())
		lines = append(lines, line)
	}
	return lines
}

// versions returns the rules of the versions in a list such as "3", "3-12" or
// "1-2,11-12".
func versions(t testing.TB, s string) []*roomver.Rules {
	var rules []*roomver.Rules
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.Atoi(from)
		require.NoError(t, err)
		last, err := strconv.Atoi(to)
		require.NoError(t, err)
		for v := first; v <= last; v++ {
			rules = append(rules, rulesOf(t, strconv.Itoa(v)))
		}
	}
	return rules
}

const (
	hashA = "$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hashB = "$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// sample is an event in the format of a version. Its hashes and signatures are
// made up.
func sample(rules *roomver.Rules) map[string]any {
	e := map[string]any{
		"type": "m.room.message", "sender": "@alice:one.example", "room_id": "!room:one.example",
		"content": map[string]any{"body": "hello"}, "depth": 12, "origin_server_ts": 1500,
		"hashes":      map[string]any{"sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"},
		"signatures":  map[string]any{"one.example": map[string]any{"ed25519:1": "x"}},
		"prev_events": []any{hashA}, "auth_events": []any{hashB},
	}
	if rules.ReferencesCarryHashes {
		e["prev_events"] = []any{[]any{"$p:one.example", map[string]any{"sha256": "x"}}}
		e["auth_events"] = []any{[]any{"$a:one.example", map[string]any{"sha256": "y"}}}
	}
	if rules.EventID == roomver.EventIDGiven {
		e["event_id"] = "$e:one.example"
	}
	if rules.RoomIDIsCreateHash {
		e["room_id"] = "!" + hashB[1:]
	}
	return e
}

func marshal(t testing.TB, v any) []byte {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

func TestParseChecksTheFormatOfTheVersion(t *testing.T) {
	type line struct {
		Name, Versions, Error, Keeps, Drops string
		Set                                 map[string]json.RawMessage
		Remove                              []string
	}
	for _, tc := range readLines[line](t, "testdata/format.jsonl") {
		t.Run(tc.Name, func(t *testing.T) {
			for _, rules := range versions(t, tc.Versions) {
				e := sample(rules)
				for k, v := range tc.Set {
					e[k] = v
				}
				for _, k := range tc.Remove {
					delete(e, k)
				}
				got, err := event.Parse(rules, marshal(t, e))
				if tc.Error != "" {
					require.ErrorContains(t, err, tc.Error, "version %s", rules.Version)
					continue
				}
				require.NoError(t, err, "version %s", rules.Version)
				pdu := map[string]json.RawMessage{}
				require.NoError(t, json.Unmarshal(got.PDU(), &pdu))
				if tc.Keeps != "" {
					require.Contains(t, pdu, tc.Keeps)
				}
				if tc.Drops != "" {
					require.NotContains(t, pdu, tc.Drops)
				}
			}
		})
	}
}

func TestParseDecodesTheHeader(t *testing.T) {
	for _, rules := range roomver.All() {
		e := sample(rules)
		e["state_key"] = "key \"☃\""
		e["type"] = "org.example.\u0001type"
		got, err := event.Parse(rules, marshal(t, e))
		require.NoError(t, err)
		require.Equal(t, id.UserID("@alice:one.example"), got.Sender)
		require.Equal(t, id.RoomID(e["room_id"].(string)), got.RoomID)
		require.Equal(t, "org.example.\u0001type", got.Type)
		require.Equal(t, "key \"☃\"", *got.StateKey)
		require.Equal(t, event.StateKey{Type: "org.example.\u0001type", Key: "key \"☃\""}, got.Key())
		require.EqualValues(t, 12, got.Depth)
		require.EqualValues(t, 1500, got.OriginServerTS)
		require.JSONEq(t, `{"body":"hello"}`, string(got.Content))
		if rules.ReferencesCarryHashes {
			require.Equal(t, id.EventID("$e:one.example"), got.ID)
			require.Equal(t, []id.EventID{"$p:one.example"}, got.PrevEvents)
			require.Equal(t, []id.EventID{"$a:one.example"}, got.AuthEvents)
		} else {
			require.Len(t, got.ID, 44)
			require.Equal(t, []id.EventID{hashA}, got.PrevEvents)
			require.Equal(t, []id.EventID{hashB}, got.AuthEvents)
		}
		require.False(t, got.ContentHashMatches(), "the sample's hash is made up")

		again, err := event.Trusted(rules, got.ID, got.PDU())
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
}

// Spec: client-server "Size limits".
func TestParseEnforcesTheSizeLimits(t *testing.T) {
	for _, rules := range roomver.All() {
		size := func(n int) []byte {
			e := sample(rules)
			e["content"] = map[string]any{"body": ""}
			e["content"] = map[string]any{"body": strings.Repeat("x", n-len(marshal(t, e)))}
			return marshal(t, e)
		}
		_, err := event.Parse(rules, size(event.MaxSize))
		require.NoError(t, err)
		_, err = event.Parse(rules, size(event.MaxSize+1))
		require.ErrorIs(t, err, event.ErrTooLarge)

		spaced := bytes.Replace(size(event.MaxSize), []byte(","), []byte(",  "), 1)
		_, err = event.Parse(rules, spaced)
		require.NoError(t, err, "only canonical bytes count")

		for member, prefix := range map[string]string{
			"type": "", "state_key": "", "sender": "@", "room_id": "!", "event_id": "$",
		} {
			if member == "event_id" && rules.EventID != roomver.EventIDGiven {
				continue
			}
			suffix := ""
			if prefix != "" {
				suffix = ":one.example"
			}
			e := sample(rules)
			e[member] = prefix + strings.Repeat("x", 255-len(prefix)-len(suffix)) + suffix
			_, err := event.Parse(rules, marshal(t, e))
			require.NoError(t, err, member)
			e[member] = prefix + strings.Repeat("x", 256-len(prefix)-len(suffix)) + suffix
			_, err = event.Parse(rules, marshal(t, e))
			require.ErrorIs(t, err, event.ErrTooLarge, member)
			e[member] = prefix + strings.Repeat("é", 128) + suffix
			_, err = event.Parse(rules, marshal(t, e))
			require.ErrorIs(t, err, event.ErrTooLarge, "bytes count, not characters")
		}
	}
}

func TestParseBoundsReferences(t *testing.T) {
	for _, rules := range roomver.All() {
		for member, limit := range map[string]int{"prev_events": event.MaxPrevEvents, "auth_events": event.MaxAuthEvents} {
			e := sample(rules)
			one := e[member].([]any)[0]
			refs := make([]any, limit)
			for i := range refs {
				refs[i] = one
			}
			e[member] = refs
			_, err := event.Parse(rules, marshal(t, e))
			require.NoError(t, err)
			e[member] = append(refs, one)
			_, err = event.Parse(rules, marshal(t, e))
			require.ErrorContains(t, err, member+" is not a list of at most")
		}
	}
}

func TestParseRefusesWhatIsNotJSON(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":            ``,
		"an array":           `[]`,
		"a string":           `"x"`,
		"null":               `null`,
		"a cut object":       `{"type":"x"`,
		"two objects":        `{}{}`,
		"a duplicate member": `{"type":"a","type":"b"}`,
		"bad UTF-8":          "{\"type\":\"\xff\"}",
		"a lone surrogate":   `{"type":"\ud800"}`,
		"deep nesting":       strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, rules := range roomver.All() {
				_, err := event.Parse(rules, []byte(in))
				require.Error(t, err)
			}
		})
	}
}
