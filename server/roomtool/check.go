// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"flag"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

var checkCommand = command{
	name:    "check",
	args:    "[file ...]",
	summary: "check the events of a room; a rejection names its rule",
	text: `Performs the specification's "checks on receipt of a PDU" on each event: format,
signatures (with --keys), content hash, and the authorization rules, first with the
auth events and then with the state before the event, which is resolved after a
fork. Events are checked after the events that they refer to. An event is

  accepted   if it passes all checks
  rejected   if a rule forbids it; the rule has the number of the version's document
  dropped    if it has a wrong format, or lacks a valid signature
  unknown    if an event that it refers to is not in the input
  duplicate  if the same event is in the input before it

The exit code is 1 if an event is rejected, dropped or unknown.`,
	examples: [][2]string{
		{"touchstone room check room.jsonl", "check a room"},
		{"touchstone room check --keys keys.json room.jsonl", "check the signatures as well"},
		{"touchstone room check --json room.jsonl", "for other programs"},
		{"touchstone room check --room-version 11 room.jsonl", "read it as if it were of another version"},
	},
	prepare: func(r *run, fs *flag.FlagSet) func([]string) (bool, error) {
		r.flagVersion(fs)
		r.flagJSON(fs)
		keys := fs.String("keys", "", "check signatures with the public keys in this `FILE`")
		return func(files []string) (bool, error) {
			j, err := r.checkFiles(files, *keys)
			if err != nil {
				return false, err
			}
			if r.json {
				return j.good(), r.writeJSON(j.report())
			}
			r.writeCheck(j)
			return j.good(), nil
		}
	},
}

// checkFiles reads a room and checks its events.
func (r *run) checkFiles(files []string, keyFile string) (*checker, error) {
	room, keys, err := r.roomAndKeys(files, keyFile)
	if err != nil {
		return nil, err
	}
	j := newChecker(room, keys)
	j.checkAll()
	return j, nil
}

// roomAndKeys reads a room, and public keys if a file of them is given.
func (r *run) roomAndKeys(files []string, keyFile string) (room *room, keys verifyKeys, err error) {
	if keyFile != "" {
		if keys, err = r.keys(keyFile); err != nil {
			return nil, nil, err
		}
	}
	room, err = r.readRoom(files)
	return room, keys, err
}

// good reports whether all events are accepted.
func (j *checker) good() bool {
	for _, e := range j.room.entries {
		if !e.result.Verdict.good() {
			return false
		}
	}
	return true
}

// counts returns the number of events per verdict.
func (j *checker) counts() map[verdict]int {
	n := map[verdict]int{}
	for _, e := range j.room.entries {
		n[e.result.Verdict]++
	}
	return n
}

// heading returns a line with the ID and version of the room.
func (r *room) heading() string {
	if roomID := r.roomID(); roomID != "" {
		return fmt.Sprintf("Room %s, version %s", printable(string(roomID)), r.rules.Version)
	}
	return "No room, version " + r.rules.Version
}

// roomID returns the room ID: that of the create event, else that of the first
// event.
func (r *room) roomID() (roomID id.RoomID) {
	for _, e := range r.entries {
		switch {
		case e.ev == nil:
		case e.ev.IsStateOf(event.TypeCreate, ""):
			return e.ev.RoomID
		case roomID == "":
			roomID = e.ev.RoomID
		}
	}
	return roomID
}

// inOrder returns the entries in the order in which they were checked, followed
// by those that were not.
func (r *room) inOrder() []*entry {
	checked := make([]bool, len(r.entries))
	all := make([]*entry, 0, len(r.entries))
	for _, i := range r.order {
		checked[i] = true
		all = append(all, r.entries[i])
	}
	for i, e := range r.entries {
		if !checked[i] {
			all = append(all, e)
		}
	}
	return all
}

// writeCheck prints the verdicts as text.
func (r *run) writeCheck(j *checker) {
	fmt.Fprintf(r.out, "%s, %s\n\n", j.room.heading(), count(len(j.room.entries), "line", "lines"))
	entries := j.room.inOrder()
	placeWidth, labelWidth := 1, 1
	for _, e := range entries {
		placeWidth = max(placeWidth, utf8.RuneCountInString(e.where()))
		if e.ev != nil {
			labelWidth = max(labelWidth, min(60, utf8.RuneCountInString(label(e.ev))))
		}
	}
	for _, e := range entries {
		fmt.Fprintf(r.out, "%*s  %s  ", placeWidth, e.where(), pad(string(e.result.Verdict), len(duplicate)))
		if e.ev != nil {
			fmt.Fprintf(r.out, "%s  %s  %s\n", shortID(e.ev.ID), pad(label(e.ev), labelWidth), printable(string(e.ev.Sender)))
		} else {
			fmt.Fprint(r.out, "-\n")
		}
		indent := strings.Repeat(" ", placeWidth+2+len(duplicate)+2)
		for _, line := range e.explanation() {
			fmt.Fprintf(r.out, "%s%s\n", indent, line)
		}
	}
	r.writeSummary(j)
}

// explanation returns the lines to print below the verdict of an event.
func (e *entry) explanation() (lines []string) {
	for _, note := range e.notes {
		lines = append(lines, printable(note))
	}
	if res := e.result; res.Reason != "" {
		lines = append(lines, res.String())
		if res.Link != "" {
			lines = append(lines, res.Link)
		}
	}
	return lines
}

func (r result) String() string {
	where := map[step]string{stepAuthEvents: "by its auth events, ", stepState: "by the state before it, "}[r.Step]
	if r.Rule != "" {
		where += "rule " + r.Rule + ": "
	}
	return where + printable(r.Reason)
}

func (r *run) writeSummary(j *checker) {
	n := j.counts()
	var parts []string
	for _, v := range verdicts {
		if n[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[v], v))
		}
	}
	fmt.Fprintf(r.out, "\n%s: %s.\n", count(len(j.room.entries), "event", "events"), strings.Join(parts, ", "))
	if j.keys == nil {
		fmt.Fprint(r.out, "Signatures were not checked: there are no --keys.\n")
	}
}

// A checkReport is the JSON output of "check --json".
type checkReport struct {
	RoomID            id.RoomID      `json:"room_id,omitzero"`
	RoomVersion       string         `json:"room_version"`
	SignaturesChecked bool           `json:"signatures_checked"`
	Events            []eventReport  `json:"events"`
	Extremities       []id.EventID   `json:"forward_extremities"`
	Summary           map[string]int `json:"summary"`
}

// An eventReport is one event of that output.
type eventReport struct {
	File     string     `json:"file"`
	Line     int        `json:"line"`
	EventID  id.EventID `json:"event_id,omitzero"`
	Type     string     `json:"type,omitzero"`
	StateKey *string    `json:"state_key,omitzero"`
	Sender   id.UserID  `json:"sender,omitzero"`
	Depth    int64      `json:"depth,omitzero"`
	Verdict  verdict    `json:"verdict"`
	Redacted bool       `json:"redacted,omitzero"`
	Step     step       `json:"step,omitzero"`
	Rule     string     `json:"rule,omitzero"`
	Reason   string     `json:"reason,omitzero"`
	Link     string     `json:"link,omitzero"`
	Notes    []string   `json:"notes,omitzero"`
}

func (e *entry) report() eventReport {
	rep := eventReport{
		File: e.file, Line: e.line, Verdict: e.result.Verdict, Redacted: e.redacted, Step: e.result.Step,
		Rule: e.result.Rule, Reason: e.result.Reason, Link: e.result.Link, Notes: e.notes,
	}
	if e.ev != nil {
		rep.EventID, rep.Type, rep.StateKey, rep.Sender, rep.Depth = e.ev.ID, e.ev.Type, e.ev.StateKey, e.ev.Sender, e.ev.Depth
	}
	return rep
}

func (j *checker) report() checkReport {
	rep := checkReport{
		RoomID: j.room.roomID(), RoomVersion: j.room.rules.Version, SignaturesChecked: j.keys != nil,
		Extremities: j.room.ids(j.room.extremities()), Summary: map[string]int{"events": len(j.room.entries)},
	}
	for _, e := range j.room.inOrder() {
		rep.Events = append(rep.Events, e.report())
	}
	n := j.counts()
	for _, v := range verdicts {
		rep.Summary[string(v)] = n[v]
	}
	return rep
}

func (r *room) ids(entries []int) []id.EventID {
	all := make([]id.EventID, len(entries))
	for i, n := range entries {
		all[i] = r.entries[n].ev.ID
	}
	return all
}

// writeJSON prints a report as indented JSON.
func (r *run) writeJSON(report any) error {
	err := json.MarshalWrite(r.out, report, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return err
	}
	return r.out.WriteByte('\n')
}
