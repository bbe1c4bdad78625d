// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// An entry is one line of input: an event, or a line that is not one.
type entry struct {
	position
	alone  bool         // the whole input is one file
	ev     *event.Event // nil if the line is not in the format of events
	parse  error        // the error, in that case
	notes  []string
	result result

	prev, auth               []int        // its references that are in the input, each once
	missingPrev, missingAuth []id.EventID // its references that are not
	children                 []int        // entries that have it as a previous event
	later                    []int        // entries that must be checked after it
	redacted                 bool         // redacted, since its content hash does not match
}

// A room is the events of one room.
type room struct {
	rules   *roomver.Rules
	entries []*entry
	byID    map[id.EventID]int
	order   []int // indices of entries, references first; without cycles
	oneFile bool
}

// A line is one line of input with its JSON object.
type line struct {
	position
	object []byte
}

// readLines reads the input files, and determines the room version.
func (r *run) readLines(files []string) ([]line, error) {
	var lines []line
	err := r.readFiles(files, func(at position, object []byte) error {
		lines = append(lines, line{at, object})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, &inputError{position{file: nameOf(files)}, errors.New("no events")}
	}
	for i := 0; r.rules == nil && i < len(lines); i++ {
		if r.rules, err = versionOf(lines[i].position, lines[i].object); err != nil {
			return nil, err
		}
	}
	if r.rules == nil {
		return nil, usagef("the input has no m.room.create: say --room-version")
	}
	return lines, nil
}

// readRoom reads the input files as one room.
func (r *run) readRoom(files []string) (*room, error) {
	lines, err := r.readLines(files)
	if err != nil {
		return nil, err
	}
	room := newRoom(r.rules)
	room.oneFile = len(files) < 2
	for i := range lines {
		room.add(lines[i].position, lines[i].object)
		lines[i].object = nil
	}
	room.sort()
	return room, nil
}

// versionOf returns the rules of the version in a create event, nil for other
// objects.
func versionOf(at position, object []byte) (*roomver.Rules, error) {
	b, err := canonjson.Append(nil, object, canonjson.Lenient)
	if err != nil {
		return nil, &inputError{at, err}
	}
	typ, _ := event.Text(event.Member(b, "type"))
	key, isState := event.Text(event.Member(b, "state_key"))
	if typ != event.TypeCreate || !isState || key != "" {
		return nil, nil
	}
	content := event.Member(b, "content")
	if event.Member(content, "room_version") == nil && event.Member(b, "event_id") == nil {
		// This would mean version 1, whose events have IDs. But in versions 3
		// to 10 a redaction removes room_version from a create event.
		return nil, &inputError{at, errors.New("the m.room.create names no room version, and is none of version 1 without event_id: say --room-version")}
	}
	version := contentVersion(content)
	rules, ok := roomver.Get(version)
	if !ok {
		return nil, &inputError{at, fmt.Errorf("room version %q is none of Matrix %s; --room-version reads the room as another", version, release)}
	}
	return rules, nil
}

// contentVersion is the room version that the content of a create event names.
//
// Spec: client-server "m.room.create", room_version: "Defaults to "1" if the key
// does not exist".
func contentVersion(content jsontext.Value) string {
	raw := event.Member(content, "room_version")
	if raw == nil {
		return "1"
	}
	version, _ := event.Text(raw)
	return version
}

func newRoom(rules *roomver.Rules) *room {
	return &room{rules: rules, byID: map[id.EventID]int{}}
}

// add adds one line to the room.
func (r *room) add(at position, object []byte) *entry {
	e := &entry{position: at, alone: r.oneFile}
	e.ev, e.parse = event.Parse(r.rules, object)
	i := len(r.entries)
	r.entries = append(r.entries, e)
	if e.parse != nil {
		e.result = result{Verdict: dropped, Step: stepFormat, Reason: e.parse.Error(), Link: linkFormat(r.rules)}
		return e
	}
	if first, known := r.byID[e.ev.ID]; known {
		e.result = result{Verdict: duplicate, Step: stepFormat, Reason: "is the event of " + r.entries[first].where()}
		return e
	}
	r.byID[e.ev.ID] = i
	if r.rules.EventID != roomver.EventIDGiven && event.Member(e.ev.PDU(), "event_id") != nil {
		e.notes = append(e.notes, "has an event_id, which the format does not know; it counts towards the hash that is its ID")
	}
	if version := contentVersion(e.ev.Content); e.ev.IsStateOf(event.TypeCreate, "") && version != r.rules.Version {
		e.notes = append(e.notes, fmt.Sprintf("names room version %q, and is read as of version %s", version, r.rules.Version))
	}
	return e
}

// where returns the position of an entry in the input, as short as possible.
func (e *entry) where() string {
	if e.alone {
		return fmt.Sprintf("line %d", e.line)
	}
	return printable(e.String())
}

// sort resolves the references between entries and sorts references first,
// apart from that in the order of the input.
func (r *room) sort() {
	waiting := make([]int, len(r.entries))
	ready := &indexHeap{}
	roomID := r.roomID()
	for i, e := range r.entries {
		if e.result.Verdict != "" {
			continue
		}
		if e.ev.RoomID != roomID {
			e.notes = append(e.notes, fmt.Sprintf("is of another room, %s", e.ev.RoomID))
		}
		e.prev, e.missingPrev = r.connect(e.ev.PrevEvents)
		e.auth, e.missingAuth = r.connect(e.ev.AuthEvents)
		all := append(slices.Clone(e.prev), e.auth...)
		if c := r.createOf(e); c >= 0 && c != i {
			all = append(all, c)
		}
		slices.Sort(all)
		all = slices.Compact(all)
		for _, p := range e.prev {
			r.entries[p].children = append(r.entries[p].children, i)
		}
		for _, p := range all {
			r.entries[p].later = append(r.entries[p].later, i)
		}
		if waiting[i] = len(all); waiting[i] == 0 {
			ready.indices = append(ready.indices, i)
		}
	}
	heap.Init(ready)
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		r.order = append(r.order, i)
		for _, next := range r.entries[i].later {
			if waiting[next]--; waiting[next] == 0 {
				heap.Push(ready, next)
			}
		}
	}
	for i, e := range r.entries {
		if waiting[i] > 0 {
			e.result = result{Verdict: unknown, Step: stepReferences, Reason: "is in or after a cycle of prev_events and auth_events"}
		}
	}
}

// createOf returns the entry of the create event whose hash is the room_id of
// an event, -1 if there is none.
func (r *room) createOf(e *entry) int {
	if i, ok := r.byID[id.EventID("$"+e.ev.RoomID[1:])]; ok && r.rules.CreateEventImplied {
		return i
	}
	return -1
}

// connect finds the entries that an event refers to, each once.
func (r *room) connect(refs []id.EventID) (known []int, missing []id.EventID) {
	for _, ref := range refs {
		i, ok := r.byID[ref]
		switch {
		case !ok && !slices.Contains(missing, ref):
			missing = append(missing, ref)
		case ok && !slices.Contains(known, i):
			known = append(known, i)
		}
	}
	return known, missing
}

// extremities returns the forward extremities: accepted events that no accepted
// event has as a previous event.
func (r *room) extremities() []int {
	var ends []int
	roomID := r.roomID()
	followed := make([]bool, len(r.entries))
	for _, i := range slices.Backward(r.order) {
		e := r.entries[i]
		if e.result.Verdict == accepted && !followed[i] && e.ev.RoomID == roomID {
			ends = append(ends, i)
		}
		for _, p := range e.prev {
			followed[p] = followed[p] || followed[i] || e.result.Verdict == accepted
		}
	}
	slices.Sort(ends)
	return ends
}

// An indexHeap is a priority queue that returns the smallest index first.
type indexHeap struct{ indices []int }

func (h *indexHeap) Len() int           { return len(h.indices) }
func (h *indexHeap) Less(i, j int) bool { return h.indices[i] < h.indices[j] }
func (h *indexHeap) Swap(i, j int)      { h.indices[i], h.indices[j] = h.indices[j], h.indices[i] }
func (h *indexHeap) Push(x any)         { h.indices = append(h.indices, x.(int)) }
func (h *indexHeap) Pop() any {
	last := len(h.indices) - 1
	x := h.indices[last]
	h.indices = h.indices[:last]
	return x
}
