// SPDX-License-Identifier: Apache-2.0

package touchstonetest

import (
	"context"
	"slices"
	"time"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
	"touchstone.example/server/lab"
	"touchstone.example/server/strict"
)

func (s *Server) lab() *lab.Lab { return s.listeners.Lab() }

// Reset puts a new, empty server behind the same URLs, as after a start: users,
// rooms, violations and the clock are as they were then. Clients that wait for news
// are answered. Snapshots stay.
func (s *Server) Reset(t T) {
	t.Helper()
	if _, err := s.lab().ResetLab(t.Context(), &extraapi.ResetLabRequest{}); err != nil {
		fail(t, "reset the homeserver", err)
	}
}

// Snapshot keeps the server as it is under a name. It needs SQLite, which is what
// New uses unless it is told otherwise.
func (s *Server) Snapshot(t T, name string) {
	t.Helper()
	if _, err := s.lab().SaveLabSnapshot(t.Context(), &extraapi.SaveLabSnapshotRequest{Name: name}); err != nil {
		fail(t, "save snapshot "+name, err)
	}
}

// Restore puts the server back to where it was at a snapshot, its clock and its
// random values included. Clients may go on with the sync tokens of that time.
func (s *Server) Restore(t T, name string) {
	t.Helper()
	if _, err := s.lab().RestoreLabSnapshot(t.Context(), &extraapi.RestoreLabSnapshotRequest{Name: name}); err != nil {
		fail(t, "restore snapshot "+name, err)
	}
}

// Idle waits until the server has done what requests have caused to happen in the
// background.
func (s *Server) Idle(t T) {
	t.Helper()
	if _, err := s.lab().AwaitLabIdle(t.Context(), &extraapi.AwaitLabIdleRequest{}); err != nil {
		fail(t, "wait until the homeserver is idle", err)
	}
}

// A Clock is the clock that clients see. It runs, unless the server was started
// with WithClock. What has to do with the machine and not with Matrix, such as
// time-outs of connections, goes by real time.
type Clock struct{ s *Server }

// Clock returns the server's clock.
func (s *Server) Clock() Clock { return Clock{s} }

// Now is the time that clients see.
func (c Clock) Now() time.Time { return c.s.lab().Host.Clock().Now() }

// Advance moves the clock forward. Long polls whose time is up by then are
// answered. It panics if d is negative.
func (c Clock) Advance(d time.Duration) { c.s.lab().Host.Clock().Advance(d) }

// Set sets the clock, also back.
func (c Clock) Set(at time.Time) { c.s.lab().Host.Clock().Set(at) }

// Freeze stops the clock, Run lets it run on.
func (c Clock) Freeze() { c.s.lab().Host.Clock().Freeze() }

func (c Clock) Run() { c.s.lab().Host.Clock().Run() }

// A Violation is one thing that a client did against the specification.
type Violation = api.Violation

// Violations are those of all clients so far, oldest first.
func (s *Server) Violations() []Violation {
	found, _ := s.lab().Violations.List(strict.Query{})
	return found
}

// Found is what Violations lists, for questions of other kinds.
func (s *Server) Found() *strict.Store { return s.lab().Violations }

// ViolationsOf are those of one user.
func (s *Server) ViolationsOf(userID string) []Violation {
	found, _ := s.lab().Violations.List(strict.Query{User: userID})
	return found
}

// ClearViolations forgets them.
func (s *Server) ClearViolations() { s.lab().Violations.Clear(strict.Query{}) }

// ReportViolations fails a test for each violation so far, but for those of some
// rules. FailOnViolations calls it at the test's end.
func (s *Server) ReportViolations(t T, but ...string) {
	t.Helper()
	for _, v := range s.Violations() {
		if !slices.Contains(but, v.Rule) {
			t.Errorf("the client broke a rule of the specification: %s", v.Error())
		}
	}
}

// A Call is an operation that clients called.
type Call struct {
	Operation string // clientapi.sendMessage
	User      string // empty for nobody known
	Agent     string // its User-Agent
	Calls     int64
	Refused   int64
	Clean     int64 // neither refused nor against a rule
}

// Coverage lists the operations that clients called, by operation and caller.
func (s *Server) Coverage() (list []Call) {
	out, err := s.lab().GetLabCoverage(context.Background(), &extraapi.GetLabCoverageRequest{})
	if err != nil {
		return nil // it reads what is in memory
	}
	for _, op := range out.Operations {
		for _, c := range op.Callers {
			list = append(list, Call{op.Operation, c.User, c.Agent, c.Calls, c.Refused, c.Clean})
		}
	}
	return list
}
