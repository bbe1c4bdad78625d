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

// A Trace records a resolution step by step. Resolve fills it. It has a text
// form (String) and a JSON form.
type Trace struct {
	RoomVersion string                  `json:"room_version"`
	Algorithm   roomver.StateResolution `json:"algorithm"`
	States      int                     `json:"states"`
	// Unconflicted counts the entries that all states share.
	Unconflicted int        `json:"unconflicted"`
	Conflicts    []Conflict `json:"conflicts"`
	// AuthDifference and Subgraph (algorithm 2.1 only) list the events that
	// they add to the conflicted ones.
	AuthDifference []id.EventID `json:"auth_difference,omitempty"`
	Subgraph       []id.EventID `json:"conflicted_state_subgraph,omitempty"`
	// Missing lists events that are needed but were not found.
	Missing []id.EventID `json:"missing,omitempty"`
	Steps   []Step       `json:"steps"`
	// Restored lists resolved entries that the unconflicted state map replaced
	// at the end.
	Restored []Restored `json:"restored,omitempty"`
}

// A Conflict is an entry for which the states have different events.
type Conflict struct {
	Type       string      `json:"type"`
	StateKey   string      `json:"state_key"`
	Winner     id.EventID  `json:"winner,omitempty"` // empty: the resolved state has no such entry
	Candidates []Candidate `json:"candidates"`
}

// A Candidate is an event that some states have for an entry, with its outcome.
type Candidate struct {
	Event   id.EventID `json:"event_id"`
	States  []int      `json:"states"` // indices into the list of states
	Outcome Outcome    `json:"fate"`
	// Step is the number of the deciding step, from 1; 0 if there was none.
	Step int        `json:"step,omitempty"`
	By   id.EventID `json:"by,omitempty"` // the event that replaced it
}

// An Outcome says what happened to a candidate.
type Outcome string

// The outcomes.
const (
	Won        Outcome = "won"
	Rejected   Outcome = "rejected"
	Replaced   Outcome = "replaced"
	Missing    Outcome = "missing"
	NotReached Outcome = "not reached" // algorithm 1 ended before it
)

// A Pass is a part of an algorithm that sorts and applies one set of events.
type Pass string

// The passes of algorithm 1, and of algorithms 2 and 2.1.
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

	// The sort key of the event: the sender's power level in the pass of power
	// events, the position in the mainline in the next, the depth in algorithm
	// 1.
	SenderLevel    *Level `json:"sender_level,omitempty"`
	Mainline       *Level `json:"mainline_position,omitempty"`
	Depth          *int64 `json:"depth,omitempty"`
	OriginServerTS int64  `json:"origin_server_ts"`

	// Uses lists the state entries that the check of the event read.
	Uses    []Use `json:"uses,omitempty"`
	Allowed bool  `json:"allowed"`
	// Unchecked: algorithm 1 takes the first event of a list without a check.
	Unchecked bool       `json:"unchecked,omitempty"`
	Rule      string     `json:"rule,omitempty"` // the rule that rejects it
	Reason    string     `json:"reason,omitempty"`
	Replaces  id.EventID `json:"replaces,omitempty"`
}

// A Level is a power level or a mainline position; the largest value is
// infinite.
type Level int64

func (l Level) String() string {
	if l == math.MaxInt64 {
		return "infinite"
	}
	return strconv.FormatInt(int64(l), 10)
}

// MarshalJSON returns a number, or "infinite".
func (l Level) MarshalJSON() ([]byte, error) {
	if l == math.MaxInt64 {
		return []byte(`"infinite"`), nil
	}
	return []byte(l.String()), nil
}

// A Use is a state entry that the check of an event read.
type Use struct {
	Type     string     `json:"type"`
	StateKey string     `json:"state_key"`
	Event    id.EventID `json:"event_id"`
	From     From       `json:"from"`
}

// A From says where such an entry came from.
type From string

const (
	fromState      From = "state"
	fromAuthEvents From = "auth_events"
	fromRoomID     From = "room_id"
)

// A Restored is a resolved entry that the unconflicted state map replaced.
type Restored struct {
	Type     string     `json:"type"`
	StateKey string     `json:"state_key"`
	Event    id.EventID `json:"event_id"`
	Shared   id.EventID `json:"shared"`
}

// A tracer fills a Trace. The methods of a nil tracer do nothing.
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

// full records the full conflicted set.
func (t *tracer) full(g *graph) {
	if t == nil {
		return
	}
	for i := range g.nodes {
		n := int32(i)
		if g.has(n, inAuthDifference) && !g.has(n, conflicted) {
			t.AuthDifference = append(t.AuthDifference, g.ids[n])
		}
		if g.has(n, inSubgraph) && !g.has(n, conflicted) {
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

// first records that the event of the last step was taken without a check.
func (t *tracer) first() {
	if t != nil {
		step := &t.Steps[len(t.Steps)-1]
		step.Allowed, step.Unchecked = true, true
	}
}

// verdict records the result of the last step. It is called before the state
// changes.
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

// finish records the outcome of each candidate.
func (t *tracer) finish(r *resolver, result State) {
	last := map[id.EventID]int{} // last step of an event, from 1
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
			t.setOutcome(c, &c.Candidates[j], last)
		}
	}
	slices.SortFunc(t.Restored, func(a, b Restored) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.StateKey, b.StateKey))
	})
}

func (t *tracer) setOutcome(c *Conflict, of *Candidate, last map[id.EventID]int) {
	of.Step = last[of.Event]
	_, missing := slices.BinarySearch(t.Missing, of.Event)
	switch {
	case of.Event == c.Winner:
		of.Outcome = Won
	case missing:
		of.Outcome = Missing
	case of.Step == 0:
		of.Outcome = NotReached
	case !t.Steps[of.Step-1].Allowed:
		of.Outcome = Rejected
	default:
		of.Outcome, of.By = Replaced, c.Winner
		of.Step = last[c.Winner]
	}
}
