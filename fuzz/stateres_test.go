// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
)

var (
	forkTypes = []string{
		event.TypeCreate, event.TypeMember, event.TypePowerLevels, event.TypeJoinRules, event.TypeThirdPartyInvite, "m.room.topic",
		event.TypeMember, event.TypeMember,
	}
	forkUsers    = []id.UserID{"@a:one.example", "@b:two.example", "@c:one.example"}
	forkKeys     = []string{"", "@a:one.example", "@b:two.example", "@c:one.example", "k", "-", "", ""}
	forkContents = []string{
		`{"membership":"join"}`, `{"membership":"leave"}`, `{"membership":"ban"}`, `{"membership":"invite"}`,
		`{"join_rule":"public"}`, `{"join_rule":"invite"}`, `{"users":{"@b:two.example":100}}`,
		`{"users":{"@b:two.example":50,"@c:one.example":"60"},"state_default":0}`, `{"creator":"@a:one.example"}`, `{}`, "",
	}
)

// A forkReader makes a room of any bytes: five bytes per event, then one bit
// per event and state.
type forkReader struct {
	rules  *roomver.Rules
	data   []byte
	text   string
	source stateres.Events
	list   []*event.Event
}

func (f *forkReader) next() int {
	if len(f.data) == 0 {
		return 0
	}
	b := f.data[0]
	f.data = f.data[1:]
	return int(b)
}

// event makes the next event; nil if it is not a valid event of this version.
func (f *forkReader) event(n int, room id.RoomID) *event.Event {
	typ, key := forkTypes[f.next()%len(forkTypes)], forkKeys[f.next()%len(forkKeys)]
	if n == 0 {
		typ, key = event.TypeCreate, ""
	}
	what := f.next()
	content := forkContents[what%len(forkContents)]
	if content == "" {
		content = f.text
	}
	sender := forkUsers[what/16%len(forkUsers)]
	auth, when := f.next(), f.next()
	var refs []string
	for i := range 8 {
		// Where servers choose event IDs, an event can refer to a later one.
		name := fmt.Sprintf("$e%d:one.example", (n+9-i)%(len(f.list)+2))
		if f.rules.EventID != roomver.EventIDGiven {
			if i >= len(f.list) {
				break
			}
			name = string(f.list[len(f.list)-1-i].ID)
		}
		if auth>>i&1 == 0 {
			continue
		}
		if name = `"` + name + `"`; f.rules.ReferencesCarryHashes {
			name = `[` + name + `,{"sha256":""}]`
		}
		refs = append(refs, name)
	}
	members := []string{
		`"auth_events":[` + strings.Join(refs, ",") + `]`, `"content":` + content, fmt.Sprintf(`"depth":%d`, when%7), `"hashes":{"sha256":"x"}`,
		fmt.Sprintf(`"origin_server_ts":%d`, when/16), `"prev_events":[]`, `"sender":"` + string(sender) + `"`, `"signatures":{}`, `"type":"` + typ + `"`,
	}
	if f.rules.EventID == roomver.EventIDGiven {
		members = append(members, fmt.Sprintf(`"event_id":"$e%d:one.example"`, n))
	}
	if typ != event.TypeCreate || !f.rules.RoomIDIsCreateHash {
		members = append(members, `"room_id":"`+string(room)+`"`)
	}
	if key != "-" {
		members = append(members, `"state_key":"`+key+`"`)
	}
	e, err := event.Parse(f.rules, []byte("{"+strings.Join(members, ",")+"}"))
	if err != nil {
		return nil
	}
	return e
}

func (f *forkReader) room() []stateres.State {
	count, forks := 2+f.next()%20, 2+f.next()%4
	room := id.RoomID("!r:one.example")
	for n := range count {
		if e := f.event(n, room); e != nil {
			if n == 0 {
				room = e.RoomID
			}
			f.list = append(f.list, e)
			f.source[e.ID] = stateres.Entry{Event: e}
		}
	}
	sets := make([]stateres.State, forks)
	for i := range sets {
		sets[i] = stateres.State{}
		for j := 0; j < len(f.list); j += 8 {
			bits := f.next()
			for k, e := range f.list[j:min(j+8, len(f.list))] {
				if bits>>k&1 == 1 && e.IsState() {
					sets[i][e.Key()] = e.ID
				}
			}
		}
	}
	for _, e := range f.list {
		switch f.next() % 16 {
		case 1:
			delete(f.source, e.ID)
		case 2:
			f.source[e.ID] = stateres.Entry{Event: e, Rejected: true}
		}
	}
	return sets
}

// FuzzStateResolution resolves any states of any events. The result must not
// depend on the order of the states or on the trace, and must consist of events
// of the states and their auth chains.
func FuzzStateResolution(f *testing.F) {
	for i := range 8 {
		data := make([]byte, 160)
		for j := range data {
			data[j] = byte((j+3)*(i*37+11) ^ j>>2)
		}
		f.Add(data, `{"membership":"join"}`)
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		if !jsontext.Value(text).IsValid() {
			text = "{}"
		}
		for _, rules := range roomver.All() {
			r := &forkReader{rules: rules, data: data, text: text, source: stateres.Events{}}
			sets := r.room()
			var trace stateres.Trace
			state, err := stateres.Resolve(rules, sets, r.source, &trace)
			require.NoError(t, err)
			require.NotEmpty(t, trace.String())
			slices.Reverse(sets)
			again, err := stateres.Resolve(rules, append(sets, sets[0]), r.source, nil)
			require.NoError(t, err)
			require.Equal(t, state, again)
			again, err = stateres.Resolve(rules, []stateres.State{state, maps.Clone(state)}, r.source, nil)
			require.NoError(t, err)
			require.Equal(t, state, again)
			known := map[id.EventID]bool{}
			for _, e := range r.list {
				known[e.ID] = true
			}
			for key, eventID := range state {
				require.True(t, known[eventID])
				if e := r.source[eventID].Event; e != nil {
					require.Equal(t, key, e.Key())
				}
			}
		}
	})
}
