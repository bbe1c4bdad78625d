// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrStopping is the cause with which the context of a request ends if it takes too
// long while the server stops. Its client is still connected and gets an answer.
var ErrStopping = errors.New("the server is stopping")

// fail converts a handler's error to the answer. An *Error becomes the body. If the
// client has gone, the connection is dropped without an answer. Any other error is a
// 500 without details; its text is only logged. If the answer had begun, the connection
// is dropped, so that the client does not take it for complete.
func (rt *Router) fail(x *Exchange, err error) {
	e := rt.clientError(x, err)
	if e == nil || x.rec.status != 0 {
		if x.rec.status != 0 && x.R.Context().Err() == nil {
			rt.log(x, slog.LevelWarn, "answer broken off", err)
		}
		panic(http.ErrAbortHandler)
	}
	e = x.refusal(e)
	x.refused(e)
	h := x.W.Header()
	for k, v := range e.Header {
		h.Set(k, v)
	}
	if x.Op != nil && errors.Is(e, errUnfinished) {
		h.Set("Touchstone-Unfinished", x.Op.ID)
	}
	body := e.AppendJSON(nil)
	if check := rt.cfg.Checks.Response; check != nil && x.Op != nil {
		if err := check(x.Op, e.Status, body); err != nil {
			rt.log(x, slog.LevelError, "the error does not pass the check", err)
		}
	}
	// The client has gone.
	_ = x.writeJSON(e.Status, body)
}

// clientError returns the error for the client, nil for none.
func (rt *Router) clientError(x *Exchange, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(context.Cause(x.R.Context()), ErrStopping) {
		return Errorf(http.StatusServiceUnavailable, "M_UNKNOWN", "The server is stopping; try again")
	}
	if x.R.Context().Err() != nil {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			rt.log(x, slog.LevelDebug, "request ended", err)
		}
		return nil
	}
	if rt.cfg.Failure != nil {
		if e := rt.cfg.Failure(x.R.Context(), err); e != nil {
			x.rec.told()
			return e
		}
	}
	rt.log(x, slog.LevelError, "request failed", err)
	return internalError()
}

func internalError() *Error {
	return Errorf(http.StatusInternalServerError, "M_UNKNOWN", "Internal server error")
}

func (rt *Router) log(x *Exchange, level slog.Level, msg string, err error) {
	rt.cfg.Log.LogAttrs(x.R.Context(), level, msg,
		x.rec.name(),
		slog.String("operation", operationID(x.Op)),
		slog.String("error", err.Error()))
}

func operationID(op *Operation) string {
	if op == nil {
		return ""
	}
	return op.ID
}

// AppendJSON appends the error object, its further members in order. An Error
// without a code is the first answer of user-interactive authentication, whose
// object has neither errcode nor error.
//
// Spec: client-server "Standard error response", "User-interactive API in the
// REST API".
func (e *Error) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	if e.ErrCode != "" {
		b = append(b, `"errcode":`...)
		b = appendString(b, e.ErrCode)
		b = append(b, `,"error":`...)
		b = appendString(b, cmp.Or(e.Msg, e.ErrCode))
	}
	for _, k := range slices.Sorted(maps.Keys(e.Extra)) {
		v, err := json.Marshal(e.Extra[k], json.Deterministic(true))
		if err != nil || k == "errcode" || k == "error" {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		b = append(b, v...)
	}
	return append(b, '}')
}

// appendString appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b, err := jsontext.AppendQuote(b, s)
	_ = err // AppendQuote has then written U+FFFD for the bad bytes
	return b
}
