// SPDX-License-Identifier: Apache-2.0

package stateres_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

// A fixture is a file of testdata: a room as JSON lines. The first line names
// the case, says why it is hard and lists the room versions to try. Each
// further line is an event or a resolution.
//
// Events have short names. Missing members of an event are derived from the
// events before it: its auth events are selected from the state after its
// previous events, which is resolved if there are several.
type fixture struct {
	Name     string `json:"name"`
	Why      string `json:"why"`
	Versions string `json:"versions"` // "2-12"
}

type fixtureLine struct {
	Event    string          `json:"event"`
	Type     string          `json:"type"` // "member" for "m.room.member"
	Key      *string         `json:"key"`  // "@bob" for "@bob:two.example"
	Sender   string          `json:"sender"`
	Content  json.RawMessage `json:"content"`
	After    []string        `json:"after"` // default: the event of the line before
	Auth     []string        `json:"auth"`
	TS       int64           `json:"ts"` // default: one more than the line before
	Depth    int64           `json:"depth"`
	ID       string          `json:"id"`       // in versions where the sender chooses it
	Rejected bool            `json:"rejected"` // by the rules, or by a server that saw another state

	// A resolution of the states after these events. Want lists the expected
	// differences to the state after the first of them, keyed by the first room
	// version that has them: state entry to event name, empty if the entry is
	// gone. Order lists the expected steps by event name.
	Resolve []string                     `json:"resolve"`
	States  []map[string]string          `json:"states"` // further states: state entry to event name
	Want    map[string]map[string]string `json:"want"`
	Order   map[string][]string          `json:"order"`
	Missing []string                     `json:"missing"` // events
	// Departure names the departure of gomatrixserverlib that changes the
	// result of this resolution.
	Departure string `json:"departure"`
}

func lines(tb testing.TB, path string) [][]byte {
	b, err := os.ReadFile(path)
	require.NoError(tb, err)
	var all [][]byte
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		all = append(all, bytes.Clone(s.Bytes()))
	}
	return all
}

func inSpan(tb testing.TB, version, span string) bool {
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		to = from
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		require.NoError(tb, err)
		return n
	}
	return number(version) >= number(from) && number(version) <= number(to)
}

// forVersion returns the value for the greatest version that is not greater
// than this one.
func forVersion[T any](tb testing.TB, m map[string]T, version string) (found T) {
	best := 0
	for from, v := range m {
		n, err := strconv.Atoi(from)
		require.NoError(tb, err)
		if n > best && inSpan(tb, version, from+"-99") {
			best, found = n, v
		}
	}
	return found
}

// A fixtureRoom is a room made from a fixture, with the short names of its
// events.
type fixtureRoom struct {
	*room
	named map[string]*event.Event
	name  map[id.EventID]string
	ts    int64
}

func userOf(short string) string {
	for _, user := range users {
		if user.Localpart() == strings.TrimPrefix(short, "@") && strings.HasPrefix(short, "@") {
			return string(user)
		}
	}
	return short
}

// expand replaces short user names in a content by user IDs. Alice is the
// creator, whom power levels may not list in some versions.
func (c *fixtureRoom) expand(content string) string {
	if c.rules.CreatorsPrivileged {
		content = strings.ReplaceAll(strings.ReplaceAll(content, `"@alice":100,`, ""), `"@alice":100`, "")
	}
	for _, user := range users {
		content = strings.ReplaceAll(content, `"@`+user.Localpart()+`"`, `"`+string(user)+`"`)
	}
	return content
}

func (c *fixtureRoom) events(names []string) []*event.Event {
	var list []*event.Event
	for _, name := range names {
		require.Contains(c.t, c.named, name)
		list = append(list, c.named[name])
	}
	return list
}

func (c *fixtureRoom) add(l *fixtureLine) {
	d := event.Draft{Type: "m.room." + l.Type, Sender: id.UserID(userOf(l.Sender)), Content: []byte(c.expand(string(l.Content))), Depth: l.Depth - 1}
	if l.Key == nil {
		l.Key = new(string)
	}
	d.StateKey = text(userOf(*l.Key))
	prevs := c.events(l.After)
	if l.After == nil && len(c.list) > 0 {
		prevs = c.list[len(c.list)-1:]
	}
	c.ts = max(l.TS, c.ts+1)
	if l.TS != 0 {
		c.ts = l.TS
	}
	d.OriginServerTS = c.ts
	if c.rules.EventID == roomver.EventIDGiven && l.ID != "" {
		d.EventID = id.EventID(l.ID)
	}
	if d.Type == event.TypeCreate {
		d.Content = []byte(`{"room_version":"` + c.rules.Version + `"}`)
		if c.rules.CreatorInContent {
			d.Content = []byte(`{"creator":"` + string(d.Sender) + `","room_version":"` + c.rules.Version + `"}`)
		}
	}
	for _, a := range c.events(l.Auth) {
		if a.Type != event.TypeCreate || !c.rules.CreateEventImplied {
			d.AuthEvents = append(d.AuthEvents, a.ID)
		}
	}
	sets := make([]stateres.State, len(prevs))
	for i, p := range prevs {
		sets[i] = c.after[p.ID]
	}
	state, err := stateres.Resolve(c.rules, sets, c.source, nil)
	require.NoError(c.t, err)
	e := c.build(d, prevs, state)
	require.NotNil(c.t, e, l.Event)
	if !l.Rejected && l.Auth == nil {
		require.NoError(c.t, eventauth.Check(c.rules, e, c.authState(state), nil), l.Event)
	}
	c.addEvent(e, state, false)
	c.source[e.ID] = stateres.Entry{Event: e, Rejected: l.Rejected}
	c.named[l.Event], c.name[e.ID] = e, l.Event
}

func (c *fixtureRoom) key(short string) event.StateKey {
	typ, key, _ := strings.Cut(short, " ")
	return event.StateKey{Type: "m.room." + typ, Key: userOf(key)}
}

func (c *fixtureRoom) resolve(l *fixtureLine) {
	var sets []stateres.State
	for _, e := range c.events(l.Resolve) {
		sets = append(sets, c.after[e.ID])
	}
	for _, of := range l.States {
		set := maps.Clone(sets[0])
		for short, name := range of {
			delete(set, c.key(short))
			if name != "" {
				set[c.key(short)] = c.events([]string{name})[0].ID
			}
		}
		sets = append(sets, set)
	}
	want := maps.Clone(sets[0])
	for short, name := range forVersion(c.t, l.Want, c.rules.Version) {
		delete(want, c.key(short))
		if name != "" {
			want[c.key(short)] = c.events([]string{name})[0].ID
		}
	}
	source := maps.Clone(c.source)
	for _, e := range c.events(l.Missing) {
		delete(source, e.ID)
	}
	var trace stateres.Trace
	got, err := stateres.Resolve(c.rules, sets, source, &trace)
	require.NoError(c.t, err)
	told := c.replaceEventIDs(trace.String())
	require.Equal(c.t, c.names(want), c.names(got), "%s", told)
	slices.Reverse(sets)
	again, err := stateres.Resolve(c.rules, sets, source, nil)
	require.NoError(c.t, err)
	require.Equal(c.t, got, again)
	m := newModel(c.rules, source)
	require.Equal(c.t, got, m.resolve(sets))
	if l.Departure != "" {
		m.pdus = pdusOf(c.t, c.rules.Version, source)
		at := slices.IndexFunc(switches, func(s departure) bool { return s.name == l.Departure })
		require.GreaterOrEqual(c.t, at, 0, l.Departure)
		*switches[at].at(&m.departures) = true
		require.NotEqual(c.t, got, m.resolve(sets), "%s", told)
	}
	if order := forVersion(c.t, l.Order, c.rules.Version); order != nil {
		steps := []string{}
		for _, step := range trace.Steps {
			steps = append(steps, c.name[step.Event])
		}
		require.Equal(c.t, order, steps, "%s", told)
	}
}

func (c *fixtureRoom) names(state stateres.State) map[string]string {
	named := map[string]string{}
	for k, v := range state {
		named[k.Type+" "+k.Key] = c.name[v]
	}
	return named
}

// replaceEventIDs replaces event IDs by the short names of the events.
func (c *fixtureRoom) replaceEventIDs(s string) string {
	for eventID, name := range c.name {
		s = strings.ReplaceAll(s, string(eventID), name)
	}
	return s
}

func TestFixtureRooms(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		all := lines(t, path)
		var f fixture
		require.NoError(t, json.Unmarshal(all[0], &f), path)
		require.NotEmpty(t, f.Why)
		for _, rules := range roomver.All() {
			if inSpan(t, rules.Version, f.Versions) {
				t.Run(fmt.Sprintf("%s/%s", f.Name, rules.Version), func(t *testing.T) { play(t, rules, all[1:]) })
			}
		}
	}
}

func play(t *testing.T, rules *roomver.Rules, all [][]byte) {
	c := &fixtureRoom{room: newRoom(t, rules, 1), named: map[string]*event.Event{}, name: map[id.EventID]string{}}
	resolved := 0
	for _, line := range all {
		var l fixtureLine
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&l), "%s", line)
		if l.Resolve != nil {
			resolved++
			c.resolve(&l)
		} else {
			c.add(&l)
		}
	}
	require.NotZero(t, resolved)
}
