// SPDX-License-Identifier: Apache-2.0

// Package limits bounds what one caller may take of the server: how large a
// body may be, how much of memory a caller holds at once, and how often
// somebody may guess a secret. It knows operations, and no slice; what it
// counts is in memory, each process for itself, and bounded.
package limits

import (
	"context"
	"net/http"
	"time"

	"touchstone.example/api"
)

// Options say what is limited, besides what always is.
type Options struct {
	// Failures limits how often an address may fail to know a secret.
	Failures bool
	// Now is real time, whatever the time that clients see.
	Now func() time.Time
}

// Limits are the bounds of a server.
type Limits struct {
	failures *failures // nil: without limit
	pages    turns
	wholes   turns
	syncs    turns
	held     heldBytes
}

var _ api.Bounds = (*Limits)(nil)

// New returns the limits of a server.
func New(o Options) *Limits {
	l := &Limits{
		pages: turns{atOnce: maxPages}, wholes: turns{atOnce: maxFullStates}, syncs: turns{atOnce: maxFullStates},
	}
	if o.Failures {
		l.failures = &failures{now: o.Now}
	}
	return l
}

// Turn is that of callers who ask for an answer which may be large: a few at a
// time are made and sent to one caller, and the others wait.
func (l *Limits) Turn(ctx context.Context, op *api.Operation, caller string) (done func(), err error) {
	switch {
	case pageOperations[op]:
		return l.pages.take(ctx, caller)
	case fullStateOperations[op]:
		return l.wholes.take(ctx, caller)
	}
	return nil, nil
}

// Sync waits for a turn to put an answer of /sync together. What waits for news
// has none, so that a user may have as many devices as there are.
func (l *Limits) Sync(ctx context.Context, user string) (done func(), err error) {
	return l.syncs.take(ctx, user)
}

// Hold counts bytes in memory for a caller.
func (l *Limits) Hold(caller string, bytes int64) (done func(), ok bool) {
	return l.held.take(caller, bytes)
}

// Admit refuses an operation that takes a secret to an address from which too
// many wrong ones have come.
func (l *Limits) Admit(op *api.Operation, r *http.Request) (ended func(*api.Error), err error) {
	if l.failures == nil || !secretOperations[op] {
		return nil, nil
	}
	return l.failures.admit(op, r)
}
