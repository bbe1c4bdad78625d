// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/stateres"
)

// A verdict is the result of the checks on an event.
type verdict string

const (
	accepted  verdict = "accepted"
	rejected  verdict = "rejected"
	dropped   verdict = "dropped"   // ignored as if it had never been received
	unknown   verdict = "unknown"   // some of its references are missing
	duplicate verdict = "duplicate" // the same event again
)

// verdicts lists all of them in the order of the summary.
var verdicts = [...]verdict{accepted, rejected, dropped, unknown, duplicate}

// good reports whether the event passed.
func (v verdict) good() bool { return v == accepted || v == duplicate }

// A step is one of the checks on receipt.
//
// Spec: server-server "Checks performed on receipt of a PDU".
type step string

const (
	stepFormat     step = "format"
	stepSignatures step = "signatures"
	stepAuthEvents step = "auth events"
	stepState      step = "state before"
	stepReferences step = "references"
)

// A result is a verdict with its reason. Rule is set only for rejections.
type result struct {
	Verdict verdict
	Step    step
	Rule    string
	Reason  string
	Link    string
}

// A state is the state of the room after an event. Events that do not change it
// share one value, so it may be changed only by its sole owner.
type state struct {
	entries stateres.State
	holders int
}

// A checker performs the checks on receipt on the events of a room. It checks
// each event after all events that it refers to.
type checker struct {
	room  *room
	keys  verifyKeys   // nil: do not check signatures
	keep  map[int]bool // entries for which the state after them is kept
	after []*state     // the state after each entry; nil if unknown or no longer needed
	uses  []int        // number of children that have not been checked

	record         bool // record the conflicts of state resolution
	stateConflicts []stateConflict
}

// A stateConflict is a state entry for which branches had different events.
type stateConflict struct {
	event.StateKey
	won  id.EventID // empty if the resolved state has no such entry
	lost []id.EventID
}

func newChecker(r *room, keys verifyKeys) *checker {
	return &checker{room: r, keys: keys, keep: map[int]bool{}}
}

// checkAll checks every event of the room.
func (j *checker) checkAll() {
	j.after = make([]*state, len(j.room.entries))
	j.uses = make([]int, len(j.room.entries))
	for _, i := range j.room.order {
		j.uses[i] = len(j.room.entries[i].children)
	}
	for _, i := range j.room.order {
		j.checkOne(i)
	}
}

// checkOne checks an event. All events that it refers to must have been checked.
func (j *checker) checkOne(i int) {
	e := j.room.entries[i]
	before, err := j.before(e)
	e.result = j.check(e, before, err)
	for _, p := range e.prev {
		j.release(p)
	}
	if before == nil || e.result.Verdict != accepted && e.result.Verdict != rejected {
		return
	}
	if e.result.Verdict == accepted && e.ev.IsState() {
		if before.holders > 0 {
			before = &state{entries: maps.Clone(before.entries)}
		}
		before.entries[e.ev.Key()] = e.ev.ID
	}
	before.holders++
	j.after[i] = before
}

// before returns the state before an event, or an error that says why it is
// unknown.
func (j *checker) before(e *entry) (*state, error) {
	if err := j.missing("prev event", e.missingPrev, e.prev); err != nil {
		return nil, err
	}
	for _, p := range e.prev {
		if prev := j.room.entries[p].ev; e.ev != nil && prev.RoomID != e.ev.RoomID {
			return nil, fmt.Errorf("the prev event %s is of another room", printable(string(prev.ID)))
		}
	}
	states := make([]*state, len(e.prev))
	for i, p := range e.prev {
		if states[i] = j.after[p]; states[i] == nil {
			return nil, fmt.Errorf("the state after the prev event %s is not known", printable(string(j.room.entries[p].ev.ID)))
		}
	}
	switch len(states) {
	case 0:
		return &state{entries: stateres.State{}}, nil
	case 1:
		return states[0], nil
	}
	resolved, err := j.room.resolve(states, nil)
	if err != nil {
		return nil, err
	}
	if j.record {
		j.addStateConflicts(j.room.conflicts(e.prev, states), resolved)
	}
	return &state{entries: resolved}, nil
}

func (j *checker) addStateConflicts(conflicts []conflict, resolved stateres.State) {
	for _, c := range conflicts {
		one := stateConflict{StateKey: c.StateKey, won: resolved[c.StateKey]}
		for _, candidate := range c.candidates {
			if candidate.eventID != one.won {
				one.lost = append(one.lost, candidate.eventID)
			}
		}
		j.stateConflicts = append(j.stateConflicts, one)
	}
}

// release is called when one more child has been checked. The last child
// becomes the sole owner of the state, unless the state is kept.
func (j *checker) release(i int) {
	if j.uses[i]--; j.uses[i] > 0 || j.keep[i] || j.after[i] == nil || !j.followed(i) {
		return
	}
	j.after[i].holders--
	j.after[i] = nil
}

// followed reports whether an accepted event has this one as a previous event.
func (j *checker) followed(i int) bool {
	return slices.ContainsFunc(j.room.entries[i].children, func(c int) bool {
		return j.room.entries[c].result.Verdict == accepted
	})
}

// missing returns an error that names the references that are missing or have
// no known state.
func (j *checker) missing(what string, absent []id.EventID, there []int) error {
	if len(absent) > 0 {
		return fmt.Errorf("the %s %s is not in the input", what, printable(string(absent[0])))
	}
	for _, p := range there {
		if e := j.room.entries[p]; e.result.Verdict == dropped {
			return fmt.Errorf("the %s %s was dropped", what, printable(string(e.ev.ID)))
		}
	}
	return nil
}

// check performs the checks on one event.
func (j *checker) check(e *entry, before *state, stateErr error) result {
	// 1. was performed when the event was read.
	// 2. Passes signature checks, otherwise it is dropped.
	verify, err := j.signatures(e)
	if err != nil {
		return result{Verdict: dropped, Step: stepSignatures, Reason: err.Error(), Link: linkSignatures}
	}
	// 3. Passes hash checks, otherwise it is redacted before being processed
	// further.
	if !e.ev.ContentHashMatches() {
		e.ev = e.ev.Redact()
		e.redacted = true
		e.notes = append(e.notes, "was redacted, since its content hash does not match")
	}
	// 4. Passes authorisation rules based on the event's auth events, otherwise it
	// is rejected.
	cited, undecided := j.authState(e)
	if undecided == nil {
		if err := j.byAuthEvents(e, cited, verify); err != nil {
			return j.rejection(stepAuthEvents, err)
		}
	}
	if undecided == nil {
		undecided = stateErr
	}
	if undecided != nil {
		return result{Verdict: unknown, Step: stepReferences, Reason: undecided.Error(), Link: linkReceipt}
	}
	// 5. Passes authorisation rules based on the state before the event, otherwise
	// it is rejected.
	if err := eventauth.Check(j.room.rules, e.ev, j.withCreate(e, stateEvents{j.room, before.entries}), verify); err != nil {
		return j.rejection(stepState, err)
	}
	return result{Verdict: accepted}
}

// signatures checks the required signatures of an event, and returns a Verifier
// for others.
func (j *checker) signatures(e *entry) (eventauth.Verifier, error) {
	if j.keys == nil {
		return nil, nil
	}
	all := j.keys.signatures(e.ev)
	verify := func(_ *event.Event, server id.ServerName) bool { return signedBy(all, server) == nil }
	return verify, verifies(e.ev, all)
}

// authState returns the auth events of an event, or an error if some are
// missing or undecided.
func (j *checker) authState(e *entry) ([]*event.Event, error) {
	if err := j.missing("auth event", e.missingAuth, e.auth); err != nil {
		return nil, err
	}
	var cited []*event.Event
	for _, ref := range e.ev.AuthEvents { // duplicates included
		a := j.room.entries[j.room.byID[ref]]
		if a.result.Verdict == unknown {
			return nil, fmt.Errorf("the auth event %s could not be checked", printable(string(ref)))
		}
		cited = append(cited, a.ev)
	}
	if j.room.rules.CreateEventImplied && e.ev.Type != event.TypeCreate && j.room.createOf(e) < 0 {
		return nil, errors.New("the create event that its room_id names is not in the input")
	}
	return cited, nil
}

func (j *checker) byAuthEvents(e *entry, cited []*event.Event, verify eventauth.Verifier) error {
	rejectedBefore := func(eventID id.EventID) bool {
		return j.room.entries[j.room.byID[eventID]].result.Verdict == rejected
	}
	if err := eventauth.CheckAuthEvents(j.room.rules, e.ev, cited, rejectedBefore); err != nil {
		return err
	}
	return eventauth.Check(j.room.rules, e.ev, j.withCreate(e, eventauth.StateOf(cited...)), verify)
}

// withCreate adds the create event of the room to a state, if it was accepted,
// in versions whose events need not refer to it.
func (j *checker) withCreate(e *entry, s eventauth.State) eventauth.State {
	if !j.room.rules.CreateEventImplied || s.Event(event.TypeCreate, "") != nil || e.ev.Type == event.TypeCreate {
		return s
	}
	i := j.room.createOf(e)
	if i < 0 || j.room.entries[i].result.Verdict != accepted {
		return s
	}
	return createdState{s, j.room.entries[i].ev}
}

type createdState struct {
	eventauth.State
	create *event.Event
}

func (s createdState) Event(typ, stateKey string) *event.Event {
	if typ == event.TypeCreate && stateKey == "" {
		return s.create
	}
	return s.State.Event(typ, stateKey)
}

func (j *checker) rejection(at step, err error) result {
	res := result{Verdict: rejected, Step: at, Reason: err.Error(), Link: linkAuth(j.room.rules)}
	var r *eventauth.Rejection
	if errors.As(err, &r) {
		res.Rule, res.Reason = r.Rule, r.Reason
	}
	return res
}

// stateEvents implements eventauth.State for a state of the room.
type stateEvents struct {
	room    *room
	entries stateres.State
}

func (s stateEvents) Event(typ, stateKey string) *event.Event {
	eventID, ok := s.entries[event.StateKey{Type: typ, Key: stateKey}]
	if !ok {
		return nil
	}
	return s.room.entries[s.room.byID[eventID]].ev
}

// resolve returns the resolution of several states.
func (r *room) resolve(states []*state, trace *stateres.Trace) (stateres.State, error) {
	sets := make([]stateres.State, len(states))
	for i, s := range states {
		sets[i] = s.entries
	}
	return stateres.Resolve(r.rules, sets, r, trace)
}

// Load implements stateres.Source with the events of the room.
func (r *room) Load(ids []id.EventID, into []stateres.Entry) error {
	for i, eventID := range ids {
		into[i] = stateres.Entry{}
		n, ok := r.byID[eventID]
		if !ok {
			continue
		}
		if e := r.entries[n]; e.result.Verdict == accepted || e.result.Verdict == rejected {
			into[i] = stateres.Entry{Event: e.ev, Rejected: e.result.Verdict == rejected}
		}
	}
	return nil
}
