// SPDX-License-Identifier: Apache-2.0

// Package limits bounds what one caller may use: the size of a body, the memory held at
// once, and how often a secret may be guessed. It knows operations, and no slice. Its
// counts are in memory, bounded, and each process has its own.
package limits

import (
	"context"
	"net/http"
	"time"

	"touchstone.example/api"
)

// Options are the limits that can be turned off.
type Options struct {
	// Failures limits how many wrong secrets an address may send.
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

// Turn waits until a caller may have another large answer: only a few are made and sent
// at a time for one caller.
func (l *Limits) Turn(ctx context.Context, op *api.Operation, caller string) (done func(), err error) {
	switch {
	case pageOperations[op]:
		return l.pages.take(ctx, caller)
	case fullStateOperations[op]:
		return l.wholes.take(ctx, caller)
	}
	return nil, nil
}

// Sync waits for a turn to make an answer of /sync. A request that waits for news takes
// no turn, so that a user may have any number of devices.
func (l *Limits) Sync(ctx context.Context, user string) (done func(), err error) {
	return l.syncs.take(ctx, user)
}

// Hold counts bytes in memory for a caller.
func (l *Limits) Hold(caller string, bytes int64) (done func(), ok bool) {
	return l.held.take(caller, bytes)
}

// Admit refuses an operation that takes a secret, if its address has sent too many
// wrong ones.
func (l *Limits) Admit(op *api.Operation, r *http.Request) (ended func(*api.Error), err error) {
	if l.failures == nil || !secretOperations[op] {
		return nil, nil
	}
	return l.failures.admit(op, r)
}
