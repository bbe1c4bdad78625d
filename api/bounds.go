// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// Bounds keep one caller from taking what is everybody's. A caller is a user or
// a server, or the address of a request that names neither. A method may be
// called by many goroutines.
type Bounds interface {
	// Body is how large the body of an operation may be, in bytes.
	Body(op *Operation) int64
	// Admit is asked before anything else is done for a request. The function
	// that it returns, which may be nil, is told how the request ended.
	Admit(op *Operation, r *http.Request) (ended func(*Error), err error)
	// Turn waits until the caller may be given another large answer, where the
	// operation has such ones. done, which may be nil, ends the turn.
	Turn(ctx context.Context, op *Operation, caller string) (done func(), err error)
	// Hold counts bytes that are kept in memory for a caller, until done is
	// called. It refuses with false what would be too many at once.
	Hold(caller string, bytes int64) (done func(), ok bool)
}

// holdFrom is the size from which bodies and answers are counted.
const holdFrom = 16 << 10

// heldRetry is when to come again after too much was asked for at once.
const heldRetry = time.Second

// hold counts bytes until the exchange is over.
func (x *Exchange) hold(bytes int64) error {
	bounds := x.router.cfg.Bounds
	if bounds == nil || bytes < holdFrom {
		return nil
	}
	done, ok := bounds.Hold(x.callerKey(), bytes)
	if !ok {
		return LimitExceeded(heldRetry)
	}
	x.later(done)
	return nil
}

// turn waits for the caller's turn, which lasts until the exchange is over.
func (x *Exchange) turn(ctx context.Context) error {
	bounds := x.router.cfg.Bounds
	if bounds == nil {
		return nil
	}
	done, err := bounds.Turn(ctx, x.Op, x.callerKey())
	if err == nil && done != nil {
		x.later(done)
	}
	return err
}

func (x *Exchange) later(done func()) { x.done = append(x.done, done) }

func (x *Exchange) end() {
	x.announce()
	for _, done := range x.done {
		done()
	}
}

// identified notes who calls, for the bounds and for the log.
func (x *Exchange) identified(caller string) {
	x.caller = caller
	x.rec.note(slog.String("user", caller))
}

// callerKey names who is asking: a user or server, else an address.
func (x *Exchange) callerKey() string {
	if x.caller != "" {
		return x.caller
	}
	if a, ok := AddressOf(x.R); ok {
		return a.String()
	}
	return x.R.RemoteAddr
}

// admit asks whether the request may go on.
func (x *Exchange) admit() (ended func(error), err error) {
	bounds := x.router.cfg.Bounds
	if bounds == nil {
		return func(error) {}, nil
	}
	tell, err := bounds.Admit(x.Op, x.R)
	return func(err error) {
		if tell == nil {
			return
		}
		var e *Error
		_ = errors.As(err, &e) // nil where it went well, or failed for reasons of ours
		tell(e)
	}, err
}

// refused notes why a request was refused, for the log.
func (x *Exchange) refused(e *Error) {
	x.rec.note(slog.String("errcode", e.ErrCode))
	switch {
	case e.ErrCode == "":
	case len(x.violations) > 0:
		x.rec.note(slog.String("rule", x.violations[0].Rule))
	default:
		x.rec.note(slog.String("rule", e.violations()[0].Rule))
	}
}
