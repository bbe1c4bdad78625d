// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/stateres"
)

var resolveCommand = command{
	name:    "resolve",
	args:    "[file ...]",
	summary: "resolve forks, and say why an event lost",
	text: `Checks the events as check does, and resolves the states after some of them into
one, by the algorithm of the room version. Entries for which the states differ are
marked, with the events that lost. --trace prints every step of the algorithm.

The exit code is 1 if the state after one of the events is not known. Rejected events
of the room do not change it.`,
	examples: [][2]string{
		{"touchstone room resolve room.jsonl", "the state of the room now: all forward extremities resolved"},
		{"touchstone room resolve --trace room.jsonl", "with every step"},
		{"touchstone room resolve --trace --json room.jsonl", "the same for other programs"},
		{"touchstone room resolve --at EVENT --at EVENT room.jsonl", "the states after two events; a prefix of an ID is enough"},
		{"touchstone room resolve --before EVENT --trace room.jsonl", "the state before an event that joins branches"},
	},
	prepare: func(r *run, fs *flag.FlagSet) func([]string) (bool, error) {
		r.flagVersion(fs)
		r.flagJSON(fs)
		var at atFlags
		at.declare(fs)
		keys := fs.String("keys", "", "check signatures with the public keys in this `FILE`")
		trace := fs.Bool("trace", false, "tell every step of the resolution")
		return func(files []string) (bool, error) {
			j, chosen, err := r.newCheckerFor(files, *keys, at)
			if err != nil {
				return false, err
			}
			j.checkAll()
			res, err := j.resolution(chosen, *trace)
			if err != nil {
				return false, err
			}
			if r.json {
				return true, r.writeJSON(res.report())
			}
			r.writeResolution(res)
			return true, nil
		}
	},
}

// atFlags are the flags --at and --before: they select the events whose states
// after them are resolved.
type atFlags struct{ at, before []string }

func (a *atFlags) declare(fs *flag.FlagSet) {
	list := func(into *[]string) func(string) error {
		return func(s string) error {
			*into = append(*into, strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' })...)
			return nil
		}
	}
	fs.Func("at", "resolve the states after this `EVENT`; may be repeated (default: all forward extremities)", list(&a.at))
	fs.Func("before", "resolve the states after the previous events of this `EVENT`", list(&a.before))
}

// entries returns the entries of the events.
func (a *atFlags) entries(r *room) ([]int, error) {
	chosen, err := r.find(a.at)
	if err != nil {
		return nil, err
	}
	merges, err := r.find(a.before)
	if err != nil {
		return nil, err
	}
	for _, i := range merges {
		e := r.entries[i]
		if len(e.prev) == 0 {
			return nil, usagef("--before %s: the input has none of its previous events", e.ev.ID)
		}
		for _, p := range e.prev {
			if !slices.Contains(chosen, p) {
				chosen = append(chosen, p)
			}
		}
	}
	return chosen, nil
}

// A resolution is the resolved state of the states after some events.
type resolution struct {
	checker    *checker
	at         []int // entries
	state      stateres.State
	conflicts  []conflict
	conflicted map[event.StateKey]bool // whether the entry was in conflict
	trace      *stateres.Trace
}

// A conflict is a state entry for which the states differ.
type conflict struct {
	event.StateKey
	candidates []candidate
}

// A candidate is an event that some of the states have for an entry.
type candidate struct {
	eventID id.EventID
	at      []id.EventID // the events after which the state has it
}

// newCheckerFor reads a room and prepares a checker that keeps the states after the
// selected events.
func (r *run) newCheckerFor(files []string, keyFile string, at atFlags) (j *checker, chosen []int, err error) {
	room, keys, err := r.roomAndKeys(files, keyFile)
	if err != nil {
		return nil, nil, err
	}
	if chosen, err = at.entries(room); err != nil {
		return nil, nil, err
	}
	j = newChecker(room, keys)
	for _, i := range chosen {
		j.keep[i] = true
	}
	return j, chosen, nil
}

// find returns the entries of events, given by ID or by a prefix of it, with or
// without its sigil.
func (r *room) find(names []string) ([]int, error) {
	var found []int
	for _, name := range names {
		full := id.EventID("$" + strings.TrimPrefix(name, "$"))
		i, ok := r.byID[full]
		if !ok {
			var err error
			if i, err = r.findPrefix(full); err != nil {
				return nil, err
			}
		}
		if !slices.Contains(found, i) {
			found = append(found, i)
		}
	}
	return found, nil
}

func (r *room) findPrefix(prefix id.EventID) (int, error) {
	match := -1
	for i, e := range r.entries {
		switch {
		case e.ev == nil || e.result.Verdict == duplicate || !strings.HasPrefix(string(e.ev.ID), string(prefix)):
		case match >= 0:
			return 0, usagef("%s could be %s or %s", prefix, r.entries[match].ev.ID, e.ev.ID)
		default:
			match = i
		}
	}
	if match < 0 {
		return 0, usagef("the input has no event %s", prefix)
	}
	return match, nil
}

// resolution resolves the states after some events, or after the forward
// extremities if at is empty.
func (j *checker) resolution(at []int, trace bool) (*resolution, error) {
	if len(at) == 0 {
		at = j.room.extremities()
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("no event of the room was accepted: see touchstone room check")
	}
	states := make([]*state, len(at))
	for i, n := range at {
		if e, first := j.room.entries[n].ev, j.room.entries[at[0]].ev; e.RoomID != first.RoomID {
			return nil, usagef("%s and %s are of different rooms", first.ID, e.ID)
		}
		if states[i] = j.after[n]; states[i] == nil {
			e := j.room.entries[n]
			return nil, fmt.Errorf("the state after %s is not known: %s", e.ev.ID, e.result)
		}
	}
	res := &resolution{checker: j, at: at, conflicted: map[event.StateKey]bool{}}
	if trace {
		res.trace = new(stateres.Trace)
	}
	var err error
	if res.state, err = j.room.resolve(states, res.trace); err != nil {
		return nil, err
	}
	res.conflicts = j.room.conflicts(at, states)
	for _, c := range res.conflicts {
		res.conflicted[c.StateKey] = true
	}
	if j.record {
		j.addStateConflicts(res.conflicts, res.state)
	}
	return res, nil
}

// conflicts lists the entries for which the states differ, by type and state
// key.
func (r *room) conflicts(at []int, states []*state) []conflict {
	byKey := map[event.StateKey]*conflict{}
	for i, s := range states {
		for key, eventID := range s.entries {
			c := byKey[key]
			if c == nil {
				c = &conflict{StateKey: key}
				byKey[key] = c
			}
			c.add(eventID, r.entries[at[i]].ev.ID)
		}
	}
	var all []conflict
	for _, c := range byKey {
		if len(c.candidates) > 1 || len(c.candidates[0].at) < len(states) {
			slices.SortFunc(c.candidates, func(a, b candidate) int { return cmp.Compare(r.byID[a.eventID], r.byID[b.eventID]) })
			all = append(all, *c)
		}
	}
	slices.SortFunc(all, func(a, b conflict) int { return compareKeys(a.StateKey, b.StateKey) })
	return all
}

func (c *conflict) add(eventID, at id.EventID) {
	i := slices.IndexFunc(c.candidates, func(known candidate) bool { return known.eventID == eventID })
	if i < 0 {
		i = len(c.candidates)
		c.candidates = append(c.candidates, candidate{eventID: eventID})
	}
	c.candidates[i].at = append(c.candidates[i].at, at)
}

// compareKeys sorts the entries that others depend on first: create event,
// power levels, join rules.
func compareKeys(a, b event.StateKey) int {
	rank := func(k event.StateKey) int {
		return (slices.Index([]string{event.TypeMember, event.TypeJoinRules, event.TypePowerLevels, event.TypeCreate}, k.Type))
	}
	return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Key, b.Key))
}

// keys lists the entries of the resolved state.
func (res *resolution) keys() []event.StateKey {
	keys := make([]event.StateKey, 0, len(res.state))
	for key := range res.state {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// entryAt returns the i-th of the selected events.
func (res *resolution) entryAt(i int) *entry { return res.checker.room.entries[res.at[i]] }

func (res *resolution) entry(eventID id.EventID) *entry {
	room := res.checker.room
	return room.entries[room.byID[eventID]]
}

// writeResolution prints the resolved state as text.
func (r *run) writeResolution(res *resolution) {
	room := res.checker.room
	fmt.Fprintf(r.out, "%s, state resolution %s\n%s\n\n", room.heading(), room.rules.StateResolution, linkResolution(room.rules))
	fmt.Fprint(r.out, "The states after\n")
	for _, i := range res.at {
		r.writeEvent("  ", room.entries[i], 0)
	}
	if res.trace != nil {
		r.writeTrace(res)
	}
	fmt.Fprintf(r.out, "\nresolve to %s; %d were in conflict:\n", count(len(res.state), "entry", "entries"), len(res.conflicts))
	r.writeState(res)
	if merges := room.merges(); len(res.at) == 1 && len(merges) > 0 {
		fmt.Fprintf(r.out, "\nBranches met before: --before tells what came of them at %s.\n", merges)
	}
	if n := res.checker.counts(); n[accepted] < len(room.entries) {
		fmt.Fprintf(r.out, "\nNot accepted: %d of %s; see touchstone room check.\n",
			len(room.entries)-n[accepted], count(len(room.entries), "event", "events"))
	}
}

// merges names the first events that have several previous events.
func (r *room) merges() string {
	var all []id.EventID
	for _, i := range r.order {
		if e := r.entries[i]; len(e.prev) > 1 && len(all) < 8 {
			all = append(all, e.ev.ID)
		}
	}
	return shortIDs(all)
}

// writeState prints the entries of the state, each with the events that lost
// against it.
func (r *run) writeState(res *resolution) {
	width := 0
	for _, key := range res.keys() {
		width = max(width, min(60, utf8.RuneCountInString(label(res.entry(res.state[key]).ev))))
	}
	lost := res.lost()
	for _, key := range res.keys() {
		mark := "  "
		if res.conflicted[key] {
			mark = "* "
		}
		r.writeEvent(mark, res.entry(res.state[key]), width)
		for _, eventID := range lost[key] {
			r.writeEvent("    not ", res.entry(eventID), width-6)
		}
		delete(lost, key)
	}
	for _, c := range res.conflicts { // entries that the resolved state does not have
		for i, eventID := range lost[c.StateKey] {
			if i == 0 {
				fmt.Fprintf(r.out, "* nothing for %s\n", keyLabel(c.StateKey))
			}
			r.writeEvent("    not ", res.entry(eventID), width-6)
		}
	}
}

func (r *run) writeEvent(indent string, e *entry, width int) {
	fmt.Fprintf(r.out, "%s%s  %s  %s, %s\n", indent, shortID(e.ev.ID), pad(label(e.ev), width), printable(string(e.ev.Sender)), e.where())
}

// lost lists the events of the states that are not in the resolved state.
func (res *resolution) lost() map[event.StateKey][]id.EventID {
	lost := map[event.StateKey][]id.EventID{}
	for _, c := range res.conflicts {
		for _, candidate := range c.candidates {
			if candidate.eventID != res.state[c.StateKey] {
				lost[c.StateKey] = append(lost[c.StateKey], candidate.eventID)
			}
		}
	}
	return lost
}

// A resolveReport is the JSON output of "resolve --json".
type resolveReport struct {
	RoomID      id.RoomID       `json:"room_id"`
	RoomVersion string          `json:"room_version"`
	Algorithm   string          `json:"state_resolution"`
	Link        string          `json:"link"`
	At          []id.EventID    `json:"at"`
	State       []stateReport   `json:"state"`
	Conflicts   []conflictJSON  `json:"conflicts"`
	Trace       *stateres.Trace `json:"trace,omitempty"`
}

type stateReport struct {
	Type     string     `json:"type"`
	StateKey string     `json:"state_key"`
	EventID  id.EventID `json:"event_id"`
	Sender   id.UserID  `json:"sender"`
}

type conflictJSON struct {
	Type       string          `json:"type"`
	StateKey   string          `json:"state_key"`
	Winner     id.EventID      `json:"winner,omitzero"`
	Candidates []candidateJSON `json:"candidates"`
}

type candidateJSON struct {
	EventID id.EventID   `json:"event_id"`
	After   []id.EventID `json:"in_state_after"`
}

func (res *resolution) report() resolveReport {
	room := res.checker.room
	rep := resolveReport{
		RoomID: room.roomID(), RoomVersion: room.rules.Version, Algorithm: string(room.rules.StateResolution),
		Link: linkResolution(room.rules), At: room.ids(res.at), Trace: res.trace,
	}
	for _, key := range res.keys() {
		eventID := res.state[key]
		rep.State = append(rep.State, stateReport{key.Type, key.Key, eventID, res.entry(eventID).ev.Sender})
	}
	for _, c := range res.conflicts {
		one := conflictJSON{Type: c.Type, StateKey: c.Key, Winner: res.state[c.StateKey]}
		for _, candidate := range c.candidates {
			one.Candidates = append(one.Candidates, candidateJSON{candidate.eventID, candidate.at})
		}
		rep.Conflicts = append(rep.Conflicts, one)
	}
	return rep
}
