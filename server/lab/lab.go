// SPDX-License-Identifier: Apache-2.0

// Package lab is the control plane of lab mode: it makes users, puts the server
// back to where it was, moves its clock, waits until it has nothing to do, and
// tells what clients did and which rules of the specification they broke. It
// must not be reachable from where clients are, and a server that is not in lab
// mode has none.
package lab

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
	"touchstone.example/server/accounts"
	"touchstone.example/server/env"
	"touchstone.example/server/strict"
	"touchstone.example/storage"
)

var _ extraapi.Lab = (*Lab)(nil)

// A Host is the server that a lab controls, behind its listeners.
type Host interface {
	// Reset puts a new, empty server behind the listeners.
	Reset(ctx context.Context) error
	// Save copies the server as it is; storage.ErrUnsupported where its database
	// cannot be copied.
	Save(ctx context.Context) (*Saved, error)
	// Restore puts a server behind the listeners that is as one was when it was
	// saved.
	Restore(ctx context.Context, s *Saved) error
	// Idle returns once the server has nothing to do but to answer requests.
	Idle(ctx context.Context) error
	// Clock is the clock that clients see.
	Clock() *env.VirtualClock
	// Accounts are those of the server that answers now.
	Accounts() *accounts.Accounts
}

// Saved is a server as it was at some time.
type Saved struct {
	Data *storage.Snapshot
	Rand *env.Rand
	// At is what the clock showed, in milliseconds, and Running whether it ran.
	At      int64
	Running bool
}

// Deps are what a Lab works with.
type Deps struct {
	Host       Host
	Coverage   *Coverage
	Violations *strict.Store
}

// Lab serves the control plane of one server.
type Lab struct {
	Deps
	mu        sync.Mutex
	snapshots map[string]*Saved
}

// New returns the control plane of a server.
func New(d Deps) *Lab { return &Lab{Deps: d, snapshots: map[string]*Saved{}} }

// Close deletes the snapshots.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for _, s := range l.snapshots {
		err = errors.Join(err, s.Data.Delete())
	}
	l.snapshots = map[string]*Saved{}
	return err
}

// ResetLab puts a new, empty server behind the same listeners, as after a start.
// Those who wait for news are answered. Snapshots stay; what is known of clients'
// violations and calls goes with the server that they were about.
func (l *Lab) ResetLab(ctx context.Context, _ *extraapi.ResetLabRequest) (*api.Empty, error) {
	if err := l.Host.Reset(ctx); err != nil {
		return nil, err
	}
	l.Coverage.Clear()
	l.Violations.Reset()
	return &api.Empty{}, nil
}

// Codes of the control plane's own errors.
const (
	codeNotIdle     = "ORG.TOUCHSTONE.NOT_IDLE"
	codeUnsupported = "ORG.TOUCHSTONE.UNSUPPORTED"
)

// AwaitLabIdle returns once no job is due, no cursor is behind and no fence is
// open, so that what requests have caused has happened.
func (l *Lab) AwaitLabIdle(ctx context.Context, req *extraapi.AwaitLabIdleRequest) (*extraapi.AwaitLabIdleResponse, error) {
	timeout, err := idleTimeout(req.Timeout.Or(defaultIdle))
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = l.Host.Idle(waiting)
	switch {
	case err == nil:
		return &extraapi.AwaitLabIdleResponse{}, nil
	case waiting.Err() != nil && ctx.Err() == nil:
		return nil, api.Errorf(http.StatusGatewayTimeout, codeNotIdle, "The server still had work to do after %s: %s", timeout, err)
	}
	return nil, err
}
