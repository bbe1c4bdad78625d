// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"fmt"
	"slices"
	"strings"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/stateres"
)

// writeTrace prints the steps of a resolution.
func (r *run) writeTrace(res *resolution) {
	t := res.trace
	fmt.Fprintf(r.out, "\nThey share %s. In conflict:\n", count(t.Unconflicted, "entry", "entries"))
	if len(t.Conflicts) == 0 {
		fmt.Fprint(r.out, "  nothing\n")
	}
	for i := range t.Conflicts {
		r.writeOutcomes(res, &t.Conflicts[i])
	}
	r.writeSet(res, "Auth difference: events in the auth chains of some states only", t.AuthDifference)
	r.writeSet(res, "Conflicted state subgraph: events on the ways between conflicting ones", t.Subgraph)
	if len(t.Missing) > 0 {
		fmt.Fprintf(r.out, "\nNot in the input, so that they cannot take part: %s\n", printable(shortIDs(t.Missing)))
	}
	if len(t.Steps) > 0 {
		fmt.Fprint(r.out, "\nSteps, each on the state that those before it leave:\n")
	}
	for i := range t.Steps {
		if i == 0 || t.Steps[i].Pass != t.Steps[i-1].Pass {
			fmt.Fprintf(r.out, "\n%s\n", passes[t.Steps[i].Pass])
		}
		r.writeStep(res, i+1, &t.Steps[i])
	}
	for _, restored := range t.Restored {
		fmt.Fprintf(r.out, "\nAll states share %s for %s: it replaces %s\n",
			shortID(restored.Shared), keyLabel(event.StateKey{Type: restored.Type, Key: restored.StateKey}), shortID(restored.Event))
	}
}

// passes describes the passes of the algorithms.
var passes = map[stateres.Pass]string{
	"power events": "Power events, in reverse topological power ordering: auth events first; among those that could be next,\nthe highest level of the sender, then the earliest, then the least ID",
	"mainline":     "Other events, in mainline ordering: those based on earlier power levels first, then the earliest, then the least ID",
	"power levels": "m.room.power_levels, the lowest depth first, up to one that is not allowed",
	"join rules":   "m.room.join_rules, the lowest depth first, up to one that is not allowed",
	"members":      "m.room.member, the lowest depth first, up to one that is not allowed",
	"others":       "Other events, the highest depth first: the first one that is allowed",
}

// writeOutcomes prints the outcome of each candidate for one entry.
func (r *run) writeOutcomes(res *resolution, c *stateres.Conflict) {
	fmt.Fprintf(r.out, "  %s\n", keyLabel(event.StateKey{Type: c.Type, Key: c.StateKey}))
	for _, of := range c.Candidates {
		fmt.Fprintf(r.out, "    %s  %s  %s\n", shortID(of.Event), pad(res.describe(of.Event), 0), res.outcome(&of))
		fmt.Fprintf(r.out, "    %s  in the state after %s\n", strings.Repeat(" ", shortLength), shortIDs(res.afterOf(of.States)))
	}
	if n := len(res.without(c)); n > 0 {
		fmt.Fprintf(r.out, "    %s  in the state after %s\n", pad("none", shortLength), shortIDs(res.without(c)))
	}
}

// mainValue describes an event by its sender and its main value.
func (res *resolution) describe(eventID id.EventID) string {
	i, ok := res.checker.room.byID[eventID]
	if !ok {
		return "?"
	}
	e := res.checker.room.entries[i].ev
	s := "by " + printable(string(e.Sender))
	if word := mainValue(e); word != "" {
		s = "→ " + word + " " + s
	}
	return s
}

func (res *resolution) outcome(of *stateres.Candidate) string {
	switch of.Outcome {
	case stateres.Won:
		return "WINS"
	case stateres.Rejected:
		step := &res.trace.Steps[of.Step-1]
		return fmt.Sprintf("loses: step %d rejects it by rule %s: %s", of.Step, step.Rule, step.Reason)
	case stateres.Replaced:
		return fmt.Sprintf("loses: step %d replaces it by %s", of.Step, shortID(of.By))
	case stateres.Missing:
		return "loses: it is not in the input"
	}
	return "loses: the algorithm ends before it"
}

// afterOf returns the events after which these states of a trace are.
func (res *resolution) afterOf(states []int) []id.EventID {
	var after []id.EventID
	for _, s := range states {
		after = append(after, res.checker.room.entries[res.at[s]].ev.ID)
	}
	return after
}

// without returns the events after which the state lacks an entry.
func (res *resolution) without(c *stateres.Conflict) []id.EventID {
	var states []int
	for s := range res.at {
		if !slices.ContainsFunc(c.Candidates, func(of stateres.Candidate) bool { return slices.Contains(of.States, s) }) {
			states = append(states, s)
		}
	}
	return res.afterOf(states)
}

func (r *run) writeSet(res *resolution, what string, ids []id.EventID) {
	if len(ids) == 0 {
		return
	}
	fmt.Fprintf(r.out, "\n%s\n", what)
	for _, eventID := range ids {
		if _, ok := res.checker.room.byID[eventID]; ok {
			r.writeEvent("  ", res.entry(eventID), 0)
		}
	}
}

// writeStep prints one step.
func (r *run) writeStep(res *resolution, number int, s *stateres.Step) {
	fmt.Fprintf(r.out, "  %d. %s  %s  by %s\n", number, shortID(s.Event), label(res.entry(s.Event).ev), printable(string(s.Sender)))
	var by string
	switch {
	case s.SenderLevel != nil:
		by = "level of the sender " + s.SenderLevel.String()
	case s.Mainline != nil:
		by = "position in the mainline " + s.Mainline.String()
	case s.Depth != nil:
		by = fmt.Sprint("depth ", *s.Depth)
	}
	fmt.Fprintf(r.out, "     sorted by: %s, time %d\n", by, s.OriginServerTS)
	var uses []string
	for _, use := range s.Uses {
		text := fmt.Sprintf("%s %s", shortID(use.Event), keyLabel(event.StateKey{Type: use.Type, Key: use.StateKey}))
		if use.From != "state" {
			text += " (from its " + string(use.From) + ")"
		}
		uses = append(uses, text)
	}
	if len(uses) > 0 {
		fmt.Fprintf(r.out, "     checked with: %s\n", strings.Join(uses, ", "))
	}
	switch {
	case s.Unchecked:
		fmt.Fprint(r.out, "     taken as the first, without a check\n")
	case !s.Allowed:
		fmt.Fprintf(r.out, "     REJECTED by rule %s: %s\n     %s\n", s.Rule, printable(s.Reason), linkAuth(res.checker.room.rules))
	case s.Replaces != "":
		fmt.Fprintf(r.out, "     allowed, and replaces %s\n", shortID(s.Replaces))
	default:
		fmt.Fprint(r.out, "     allowed\n")
	}
}
