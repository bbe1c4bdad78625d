// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// Handler returns the router with its middleware. A request passes in this order: the
// client's address, the request ID, the log line and the observation, and the recovery
// from panics. The router itself adds CORS headers.
func (rt *Router) Handler() http.Handler {
	c := &rt.cfg
	h := Recover(rt, c.Log)
	h = Observe(h, c.Now, c.Observe)
	h = AccessLog(h, c.Now, c.Log)
	h = RequestIDs(h, c.RequestID, c.Context)
	h = Paced(h, c.WriteDeadline)
	return ClientAddresses(h, c.TrustedProxies, c.Log)
}

// Paced closes connections whose clients do not read their answers: each piece has a
// deadline, set when it is written.
func Paced(next http.Handler, deadline func() time.Time) http.Handler {
	if deadline == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := recorderOf(w)
		rec.deadline = deadline
		next.ServeHTTP(rec, r)
	})
}

// RequestIDs gives every request an ID. It is in the log and, as Request-Id, in the
// answer, where a user can find it to report a fault. An ID sent by the client is
// ignored. name, which may be nil, puts the ID into the context.
func RequestIDs(next http.Handler, source func() string, name func(context.Context, string) context.Context) http.Handler {
	if source == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := recorderOf(w)
		rec.id = source()
		rec.Header().Set("Request-Id", rec.id)
		if name != nil {
			rec.quiet = true
			r = r.WithContext(name(r.Context(), rec.id))
		}
		next.ServeHTTP(rec, r)
	})
}

// statusAborted is the status in logs and metrics for a connection that was dropped
// without a complete answer. It is never sent.
const statusAborted = 499

// AccessLog writes one line for each request: the caller, the operation and the result,
// with the error code and the rule of a refusal. It never contains the query or a
// header, which may hold a token, and the path only if no operation has it.
func AccessLog(next http.Handler, now func() time.Time, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := recorderOf(w)
		start := read(now)
		defer func() {
			level, operation := slog.LevelInfo, slog.String("path", r.URL.Path[:min(len(r.URL.Path), 200)])
			if rec.op != nil {
				operation = slog.String("operation", rec.op.API+"."+rec.op.ID)
			}
			panicked := recover()
			status := rec.outcome(panicked)
			if status >= http.StatusInternalServerError && !rec.logged {
				level = slog.LevelWarn
			}
			attrs := append([]slog.Attr{
				rec.name(), slog.String("method", r.Method), operation, slog.Int("status", status),
				slog.Duration("duration", read(now).Sub(start)), slog.Int64("bytes", rec.bytes),
			}, rec.notes...)
			if a, ok := AddressOf(r); ok {
				attrs = append(attrs, slog.String("address", a.String()))
			}
			log.LogAttrs(r.Context(), level, "request", attrs...)
			if panicked != nil {
				panic(panicked)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// Observe calls observe with each request's result.
func Observe(next http.Handler, now func() time.Time, observe func(op *Operation, status int, d time.Duration)) http.Handler {
	if observe == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := recorderOf(w)
		start := read(now)
		defer func() {
			panicked := recover()
			observe(rec.op, rec.outcome(panicked), read(now).Sub(start))
			if panicked != nil {
				panic(panicked)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

func read(now func() time.Time) time.Time {
	if now == nil {
		return time.Time{}
	}
	return now()
}

// outcome returns the status of an answer. http.ErrAbortHandler, which drops the
// connection, is the only panic that Recover lets pass.
func (rec *recorder) outcome(panicked any) int {
	switch {
	case panicked != nil:
		return statusAborted
	case rec.status == 0:
		return http.StatusOK
	}
	return rec.status
}

// Recover converts a panic to a 500 without details, with its stack in the log. If the
// answer had begun, the connection is dropped.
func Recover(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := recorderOf(w)
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler {
				log.LogAttrs(r.Context(), slog.LevelError, "panic",
					rec.name(), slog.String("operation", operationID(rec.op)),
					slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
				if rec.status == 0 {
					x := Exchange{W: rec, R: r}
					e := internalError()
					// Whoever cannot be written to is gone.
					_ = x.writeJSON(e.Status, e.AppendJSON(nil))
					return
				}
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(rec, r)
	})
}
