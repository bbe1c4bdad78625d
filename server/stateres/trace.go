// SPDX-License-Identifier: Apache-2.0

package stateres

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// A Trace is how a resolution went, step by step. It is filled in by Resolve, has
// a text form (String) and, by the tags of its members, a JSON form.
type Trace struct {
	RoomVersion string                  `json:"room_version"`
	Algorithm   roomver.StateResolution `json:"algorithm"`
	States      int                     `json:"states"`
	// Unconflicted counts the entries that all states share.
	Unconflicted int        `json:"unconflicted"`
	Conflicts    []Conflict `json:"conflicts"`
	// AuthDifference, and Subgraph, which algorithm 2.1 has, list what they add to
	// the conflicted events.
	AuthDifference []id.EventID `json:"auth_difference,omitempty"`
	Subgraph       []id.EventID `json:"conflicted_state_subgraph,omitempty"`
	// Missing lists events that would have taken part but are not there.
	Missing []id.EventID `json:"missing,omitempty"`
	Steps   []Step       `json:"steps"`
	// Restored lists the entries that gave way to what all states share.
	Restored []Restored `json:"restored,omitempty"`
}

// A Conflict is an entry that not all states have the same event for.
type Conflict struct {
	Type       string      `json:"type"`
	StateKey   string      `json:"state_key"`
	Winner     id.EventID  `json:"winner,omitempty"` // empty: the resolved state has none
	Candidates []Candidate `json:"candidates"`
}

// A Candidate is an event that some states have for an entry, and what became of
// it.
type Candidate struct {
	Event  id.EventID `json:"event_id"`
	States []int      `json:"states"` // places in the list of states
	Fate   Fate       `json:"fate"`
	// Step is the one that decided it, counted from 1; 0 if none did.
	Step int        `json:"step,omitempty"`
	By   id.EventID `json:"by,omitempty"` // that replaced it
}

// A Fate is what became of a candidate.
type Fate string

// Fates of candidates.
const (
	Won        Fate = "won"
	Rejected   Fate = "rejected"
	Replaced   Fate = "replaced"
	Missing    Fate = "missing"
	NotReached Fate = "not reached" // algorithm 1 ended before it
)

// A Pass is a part of an algorithm that applies events in an order of its own.
type Pass string

// The passes of algorithm 1, and those of the others.
const (
	passPowerLevels Pass = "power levels"
	passJoinRules   Pass = "join rules"
	passMembers     Pass = "members"
	passOthers      Pass = "others"

	passPower    Pass = "power events"
	passMainline Pass = "mainline"
)

// A Step is one event that was checked, and perhaps applied.
type Step struct {
	Pass     Pass       `json:"pass"`
	Event    id.EventID `json:"event_id"`
	Type     string     `json:"type"`
	StateKey string     `json:"state_key"`
	Sender   id.UserID  `json:"sender"`

	// What the event was sorted by: power level of the sender in the pass over
	// power events, position in the mainline in the next, depth in algorithm 1.
	SenderLevel    *Level `json:"sender_level,omitempty"`
	Mainline       *Level `json:"mainline_position,omitempty"`
	Depth          *int64 `json:"depth,omitempty"`
	OriginServerTS int64  `json:"origin_server_ts"`

	// Uses lists the state that the event was checked against, as far as the rules
	// asked for it.
	Uses    []Use `json:"uses,omitempty"`
	Allowed bool  `json:"allowed"`
	// Unchecked: it was taken as the first of its list, as algorithm 1 does.
	Unchecked bool       `json:"unchecked,omitempty"`
	Rule      string     `json:"rule,omitempty"` // that rejects it
	Reason    string     `json:"reason,omitempty"`
	Replaces  id.EventID `json:"replaces,omitempty"`
}

// A Level is a power level or a position; the largest is infinite.
type Level int64

func (l Level) String() string {
	if l == math.MaxInt64 {
		return "infinite"
	}
	return strconv.FormatInt(int64(l), 10)
}

// MarshalJSON writes a number, or "infinite".
func (l Level) MarshalJSON() ([]byte, error) {
	if l == math.MaxInt64 {
		return []byte(`"infinite"`), nil
	}
	return []byte(l.String()), nil
}

// A Use is an entry of the state that an event was checked against.
type Use struct {
	Type     string     `json:"type"`
	StateKey string     `json:"state_key"`
	Event    id.EventID `json:"event_id"`
	From     From       `json:"from"`
}

// A From says where an entry came from that an event was checked against.
type From string

const (
	fromState      From = "state"
	fromAuthEvents From = "auth_events"
	fromRoomID     From = "room_id"
)

// A Restored is an entry that gave way to what all states share.
type Restored struct {
	Type     string     `json:"type"`
	StateKey string     `json:"state_key"`
	Event    id.EventID `json:"event_id"`
	Shared   id.EventID `json:"shared"`
}

// A tracer fills a Trace. A nil one does nothing.
type tracer struct {
	*Trace
}

func (t *tracer) begin(rules *roomver.Rules, conflicts *entries, shared int) {
	*t.Trace = Trace{
		RoomVersion: rules.Version, Algorithm: rules.StateResolution, States: conflicts.states, Unconflicted: shared,
	}
	at := map[event.StateKey]*Conflict{}
	for i, e := range conflicts.list {
		c := at[e.key]
		if c == nil {
			c = &Conflict{Type: e.key.Type, StateKey: e.key.Key}
			at[e.key] = c
		}
		c.Candidates = append(c.Candidates, Candidate{Event: conflicts.events.ids[e.n], States: conflicts.statesOf(i)})
	}
	for _, c := range at {
		slices.SortFunc(c.Candidates, func(a, b Candidate) int { return cmp.Compare(a.Event, b.Event) })
		t.Conflicts = append(t.Conflicts, *c)
	}
	slices.SortFunc(t.Conflicts, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.StateKey, b.StateKey))
	})
}

// full notes the full conflicted set.
func (t *tracer) full(g *graph) {
	if t == nil {
		return
	}
	for i := range g.nodes {
		n := int32(i)
		if g.has(n, differing) && !g.has(n, conflicted) {
			t.AuthDifference = append(t.AuthDifference, g.ids[n])
		}
		if g.has(n, connecting) && !g.has(n, conflicted) {
			t.Subgraph = append(t.Subgraph, g.ids[n])
		}
	}
	slices.Sort(t.AuthDifference)
	slices.Sort(t.Subgraph)
}

func (t *tracer) step(r *resolver, s *sortable, pass Pass) {
	if t == nil {
		return
	}
	ev := r.g.nodes[s.n].ev
	step := Step{
		Pass: pass, Event: r.g.ids[s.n], Type: ev.Type, StateKey: ev.Key().Key, Sender: ev.Sender, OriginServerTS: ev.OriginServerTS,
	}
	rank := Level(s.rank)
	switch pass {
	case passPower:
		step.SenderLevel = &rank
	case passMainline:
		step.Mainline = &rank
	default:
		step.Depth = &ev.Depth
	}
	t.Steps = append(t.Steps, step)
}

func (t *tracer) uses(key event.StateKey, eventID id.EventID, from From) {
	if t == nil {
		return
	}
	step := &t.Steps[len(t.Steps)-1]
	if use := (Use{key.Type, key.Key, eventID, from}); !slices.Contains(step.Uses, use) {
		step.Uses = append(step.Uses, use)
	}
}

// first notes that the event of the last step was taken without a check.
func (t *tracer) first() {
	if t != nil {
		step := &t.Steps[len(t.Steps)-1]
		step.Allowed, step.Unchecked = true, true
	}
}

// verdict notes what became of the event of the last step; the state is still the
// one before it.
func (t *tracer) verdict(r *resolver, n int32, err error) {
	if t == nil {
		return
	}
	step := &t.Steps[len(t.Steps)-1]
	var rejection *eventauth.Rejection
	switch {
	case err == nil:
		step.Allowed = true
		if was := r.lookup(r.g.nodes[n].ev.Key()); was >= 0 && was != n {
			step.Replaces = r.g.ids[was]
		}
	case errors.As(err, &rejection):
		step.Rule, step.Reason = rejection.Rule, rejection.Reason
	default:
		step.Reason = err.Error()
	}
}

func (t *tracer) restored(key event.StateKey, eventID, shared id.EventID) {
	if t != nil && eventID != shared {
		t.Restored = append(t.Restored, Restored{key.Type, key.Key, eventID, shared})
	}
}

// finish notes what became of each candidate.
func (t *tracer) finish(r *resolver, result State) {
	last := map[id.EventID]int{} // step of an event, from 1
	for i, step := range t.Steps {
		last[step.Event] = i + 1
	}
	for i := range r.g.nodes {
		if n := int32(i); r.g.any(n, fullConflicted) && r.g.nodes[n].ev == nil {
			t.Missing = append(t.Missing, r.g.ids[n])
		}
	}
	slices.Sort(t.Missing)
	for i := range t.Conflicts {
		c := &t.Conflicts[i]
		c.Winner = result[event.StateKey{Type: c.Type, Key: c.StateKey}]
		for j := range c.Candidates {
			t.judge(c, &c.Candidates[j], last)
		}
	}
	slices.SortFunc(t.Restored, func(a, b Restored) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.StateKey, b.StateKey))
	})
}

func (t *tracer) judge(c *Conflict, of *Candidate, last map[id.EventID]int) {
	of.Step = last[of.Event]
	_, missing := slices.BinarySearch(t.Missing, of.Event)
	switch {
	case of.Event == c.Winner:
		of.Fate = Won
	case missing:
		of.Fate = Missing
	case of.Step == 0:
		of.Fate = NotReached
	case !t.Steps[of.Step-1].Allowed:
		of.Fate = Rejected
	default:
		of.Fate, of.By = Replaced, c.Winner
		of.Step = last[c.Winner]
	}
}
