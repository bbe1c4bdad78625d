// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// A Remote makes requests to other servers. Its results are not trusted: events go
// through the checks like any other.
type Remote interface {
	// MissingEvents asks for events before latest and not before earliest, at
	// most limit of them. Spec: server-server getMissingEvents.
	MissingEvents(ctx context.Context, from id.ServerName, room id.RoomID, earliest, latest []id.EventID, limit int) ([][]byte, error)
	// EventAuth asks for the auth chain of an event. Spec: server-server getEventAuthorization.
	EventAuth(ctx context.Context, from id.ServerName, room id.RoomID, of id.EventID) ([][]byte, error)
	// State asks for the state before an event, with the auth chain of all its
	// events. Spec: server-server getRoomState.
	State(ctx context.Context, from id.ServerName, room id.RoomID, before id.EventID) (state, auth [][]byte, err error)
	// Event asks for one event. Spec: server-server getEvent.
	Event(ctx context.Context, from id.ServerName, of id.EventID) ([]byte, error)
	// PolicySignature asks a policy server for its signatures on an event.
	// Spec: server-server "Asking for a Policy Server signature on an event".
	PolicySignature(ctx context.Context, via id.ServerName, ev *event.Event) (signatures []byte, err error)
}

// Outcome is the result of receiving an event.
type Outcome string

// The outcomes. A dropped event is not stored and may be sent again.
const (
	Accepted   Outcome = "accepted"
	SoftFailed Outcome = "soft-failed"
	Rejected   Outcome = "rejected"
	Dropped    Outcome = "dropped"
)

// A ReceiveResult is the result of receiving one event.
type ReceiveResult struct {
	EventID id.EventID // empty if it has none
	Outcome Outcome
	Check   int   // the number of the check that decided, 0 if none did
	Reason  error // why the event was not accepted; a *eventauth.Rejection names the rule
	Known   bool  // the event was already part of the room
}

// checks are the checks of an event, with their numbers in the specification. The sixth
// runs in the room's queue, so it comes last, after all requests to other servers.
//
// Spec: server-server "Checks performed on receipt of a PDU".
func (a *inbound) checks() []check {
	return []check{ // recheckFrom is the index of the fourth
		{1, a.checkFormat},
		{2, a.checkSignatures},
		{3, a.checkHashes},
		{4, a.checkAuthEvents},
		{0, a.findPrevious},
		{5, a.checkStateBefore},
		{7, a.checkPolicy},
		{6, a.checkCurrentState},
	}
}

// recheckFrom is the check from which to start again if verdicts have changed
// meanwhile.
const recheckFrom = 3

// errStaleVerdicts says that the room has changed since the checks: an auth event or
// prev_event has another verdict, or the room has another policy server.
var errStaleVerdicts = errors.New("rooms: what an event was checked by has changed")

type check struct {
	number int
	run    func(context.Context) error
}

// An inbound is a received event during the checks.
type inbound struct {
	r       *Rooms
	origin  id.ServerName // the sending server, which is asked for missing events
	room    *storage.Room
	rules   *roomver.Rules
	pdu     []byte // as sent
	fetched bool   // fetched as a missing event: its own missing prev_events are not fetched

	ev                 *event.Event
	row                *storage.Event // nil until it is stored
	signed             map[id.ServerName]bool
	auth               []*storage.Event
	otherRoomAuth      []*storage.Event // auth events of other rooms
	authEvents         []*event.Event   // auth, decoded
	previous           []*storage.Event // prev_events that are part of the room
	missing            []id.EventID     // prev_events that are not
	states             []string         // after each previous event
	stateBefore        string           // the state before the event
	partialState       bool             // stateBefore is incomplete
	receivedSignatures []byte           // the signatures that it was received with, if the stored ones differ
	policy             policyVerdict

	outcome            Outcome
	check              int
	reason             error
	known              bool
	wasRejected        bool // the event is part of the room, and was rejected
	wasRejectedOutlier bool // it was rejected, as an outlier
	trusted            bool // all required signatures were verified earlier
}

// A drop ends the checks; the event is not stored.
type drop struct{ reason error }

func (d *drop) Error() string { return d.reason.Error() }
func (d *drop) Unwrap() error { return d.reason }

func dropped(format string, args ...any) error { return &drop{fmt.Errorf(format, args...)} }

// errKnown ends the checks of an event that has already passed them.
var errKnown = errors.New("rooms: the event is known")

// errStored ends the checks of a rejected event that stays an outlier.
var errStored = errors.New("rooms: the event is kept as an outlier")

// Receive puts an event that another server sent through the checks and, unless
// it is dropped, into its room. An error says that the checks could not be done.
//
// Spec: server-server "Checks performed on receipt of a PDU".
func (r *Rooms) Receive(ctx context.Context, origin id.ServerName, roomID id.RoomID, pdu []byte) (ReceiveResult, error) {
	var room *storage.Room
	err := r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		room, err = tx.Room(ctx, roomID)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return ReceiveResult{Outcome: Dropped, Check: 1, Reason: fmt.Errorf("room %s is not known here", roomID)}, nil
	}
	if err != nil {
		return ReceiveResult{}, fmt.Errorf("find room %s: %w", roomID, err)
	}
	rules, err := roomver.Of(room.RoomVersion)
	if err != nil {
		return ReceiveResult{}, err
	}
	if room.ReevaluateFrom != 0 { // an earlier reevaluation was interrupted
		if err := r.reevaluate(ctx, room, room.ReevaluateFrom, nil, false); err != nil {
			return ReceiveResult{}, err
		}
	}
	return r.receive(ctx, &inbound{r: r, origin: origin, room: room, rules: rules, pdu: pdu})
}

// maxRechecks bounds how often the checks start again because verdicts have changed.
const maxRechecks = 16

func (r *Rooms) receive(ctx context.Context, a *inbound) (ReceiveResult, error) {
	a.outcome = Accepted
	all := a.checks()
	for i, moved := 0, 0; i < len(all); i++ {
		c := all[i]
		if a.row != nil && (c.number == 2 || c.number == 3) {
			continue // an outlier: this was checked when it was stored
		}
		err := c.run(ctx)
		var d *drop
		switch {
		case errors.Is(err, errStaleVerdicts) && moved < maxRechecks:
			moved++
			a.outcome, a.check, a.reason, a.policy = Accepted, 0, nil, policyVerdict{}
			i = recheckFrom - 1
		case errors.As(err, &d):
			a.outcome, a.check, a.reason = Dropped, c.number, d.reason
			return a.result(), nil
		case errors.Is(err, errStored):
			return a.result(), nil
		case errors.Is(err, errKnown):
			a.known = true
			return a.result(), nil
		case err != nil:
			return a.result(), fmt.Errorf("check %d of event %s: %w", c.number, a.id(), err)
		}
	}
	return a.result(), nil
}

func (a *inbound) result() ReceiveResult {
	return ReceiveResult{EventID: a.id(), Outcome: a.outcome, Check: a.check, Reason: a.reason, Known: a.known}
}

func (a *inbound) id() id.EventID {
	if a.ev == nil {
		return ""
	}
	return a.ev.ID
}

// refuse records the first check that the event fails.
func (a *inbound) refuse(outcome Outcome, check int, why error) {
	if a.outcome == Accepted {
		a.outcome, a.check, a.reason = outcome, check, why
	}
}

// applyRules records a rejection by the authorization rules and returns any other
// error.
func (a *inbound) applyRules(outcome Outcome, check int, err error) error {
	var rejection *eventauth.Rejection
	if errors.As(err, &rejection) {
		a.refuse(outcome, check, rejection)
		return nil
	}
	return err
}

// verify is an eventauth.Verifier: it knows what checkSignatures found.
func (a *inbound) verify(_ *event.Event, server id.ServerName) bool {
	return a.trusted || a.signed[server]
}
