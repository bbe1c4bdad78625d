// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// Bounds limit how much of the server one caller may use. A caller is a user or a
// server, or the address of a request without either. The methods may be called by many
// goroutines.
type Bounds interface {
	// Body is how large the body of an operation may be, in bytes.
	Body(op *Operation) int64
	// Admit is called before anything else is done for a request. It returns a
	// function, which may be nil, that is called with the request's result.
	Admit(op *Operation, r *http.Request) (ended func(*Error), err error)
	// Turn waits until the caller may have another large answer, if the operation has
	// large answers. done, which may be nil, ends the turn.
	Turn(ctx context.Context, op *Operation, caller string) (done func(), err error)
	// Hold counts bytes in memory for a caller, until done is called. It returns false
	// if they would be too many.
	Hold(caller string, bytes int64) (done func(), ok bool)
}

// holdFrom is the size from which bodies and answers are counted.
const holdFrom = 16 << 10

// heldRetry is the retry time in the answer if Hold refuses.
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

// identified records the caller, for the bounds and for the log.
func (x *Exchange) identified(caller string) {
	x.caller = caller
	x.rec.note(slog.String("user", caller))
}

// callerKey names the caller: a user or server, else an address.
func (x *Exchange) callerKey() string {
	if x.caller != "" {
		return x.caller
	}
	if a, ok := AddressOf(x.R); ok {
		return a.String()
	}
	return x.R.RemoteAddr
}

// admit asks Bounds whether the request may continue.
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
		_ = errors.As(err, &e) // nil if it succeeded, or failed through a fault of the server
		tell(e)
	}, err
}

// refused records why a request was refused, for the log.
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
