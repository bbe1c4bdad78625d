// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"fmt"
	"strings"

	"touchstone.example/api/id"
)

// String formats the trace as lines of text: the conflicts with their winners,
// the full conflicted set, then each step.
func (t *Trace) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "room version %s, algorithm %s: %d states share %d entries and conflict over %d\n",
		t.RoomVersion, t.Algorithm, t.States, t.Unconflicted, len(t.Conflicts))
	for i := range t.Conflicts {
		t.Conflicts[i].write(&b, t)
	}
	writeIDs(&b, "auth difference", t.AuthDifference)
	writeIDs(&b, "conflicted state subgraph", t.Subgraph)
	writeIDs(&b, "missing", t.Missing)
	for i := range t.Steps {
		t.Steps[i].write(&b, i+1)
	}
	for _, r := range t.Restored {
		fmt.Fprintf(&b, "all states share %s for %s %q: it replaces %s\n", r.Shared, r.Type, r.StateKey, r.Event)
	}
	return b.String()
}

func writeIDs(b *strings.Builder, what string, ids []id.EventID) {
	if len(ids) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", what)
	for _, eventID := range ids {
		fmt.Fprintf(b, "  %s\n", eventID)
	}
}

func (c *Conflict) write(b *strings.Builder, t *Trace) {
	fmt.Fprintf(b, "%s %q:\n", c.Type, c.StateKey)
	for _, of := range c.Candidates {
		fmt.Fprintf(b, "  %s of state %s ", of.Event, strings.Trim(fmt.Sprint(of.States), "[]"))
		switch of.Outcome {
		case Won:
			b.WriteString("wins\n")
		case Rejected:
			step := &t.Steps[of.Step-1]
			fmt.Fprintf(b, "is rejected in step %d by rule %s: %s\n", of.Step, step.Rule, step.Reason)
		case Replaced:
			fmt.Fprintf(b, "is replaced in step %d by %s\n", of.Step, of.By)
		case Missing:
			b.WriteString("is missing\n")
		case NotReached:
			b.WriteString("is not reached\n")
		}
	}
	if c.Winner == "" {
		b.WriteString("  nothing wins\n")
	}
}

func (s *Step) write(b *strings.Builder, number int) {
	fmt.Fprintf(b, "step %d, %s: %s, %s %q by %s", number, s.Pass, s.Event, s.Type, s.StateKey, s.Sender)
	switch {
	case s.SenderLevel != nil:
		fmt.Fprintf(b, ", level %s", *s.SenderLevel)
	case s.Mainline != nil:
		fmt.Fprintf(b, ", mainline position %s", *s.Mainline)
	case s.Depth != nil:
		fmt.Fprintf(b, ", depth %d", *s.Depth)
	}
	fmt.Fprintf(b, ", at %d\n", s.OriginServerTS)
	for _, use := range s.Uses {
		fmt.Fprintf(b, "  with %s %q %s from %s\n", use.Type, use.StateKey, use.Event, use.From)
	}
	switch {
	case s.Unchecked:
		b.WriteString("  is taken as the first\n")
	case !s.Allowed:
		fmt.Fprintf(b, "  is rejected by rule %s: %s\n", s.Rule, s.Reason)
	case s.Replaces != "":
		fmt.Fprintf(b, "  is allowed and replaces %s\n", s.Replaces)
	default:
		b.WriteString("  is allowed\n")
	}
}
