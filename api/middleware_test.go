// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is one second later each time it is read.
func clock() func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func TestOneLineForEachRequest(t *testing.T) {
	log, out := logged()
	n := 0
	var observed []string
	rt := NewRouter(Config{
		Log: log, Now: clock(),
		RequestID: func() string { n++; return "r" + string(rune('0'+n)) },
		Observe: func(op *Operation, status int, d time.Duration) {
			observed = append(observed, operationID(op)+" "+http.StatusText(status)+" "+d.String())
		},
	})
	rt.Add(&Operation{API: "clientapi", ID: "getThing", Method: "GET", Path: "/x"}, func(_ context.Context, x *Exchange) error { return x.Reply(200, text("hello")) })
	h := rt.Handler()

	w := do(h, "GET", "/x?access_token=secret", "", "Authorization", "Bearer hidden", "Request-Id", "forged")
	require.Equal(t, "r1", w.Header().Get("Request-Id"))
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	for _, want := range []string{"level=INFO", "msg=request", "request_id=r1", "method=GET", "operation=clientapi.getThing", "status=200", "bytes=7", "duration="} {
		require.Contains(t, out.String(), want)
	}

	out.Reset()
	requireError(t, do(h, "PUT", "/nowhere?access_token=secret", ""), 404, "M_UNRECOGNIZED")
	require.Contains(t, out.String(), "path=/nowhere ")
	require.Contains(t, out.String(), "status=404")
	for _, never := range []string{"secret", "hidden", "forged"} {
		require.NotContains(t, out.String(), never)
	}
	require.Equal(t, 204, do(h, "OPTIONS", "/x", "").Code)
	require.Equal(t, []string{"getThing OK 1s", " Not Found 1s", " No Content 1s"}, observed)
}

func TestPanics(t *testing.T) {
	log, out := logged()
	serve := func(h Handler) http.Handler {
		out.Reset()
		return answer(Config{Log: log, RequestID: func() string { return "r1" }}, h).Handler()
	}
	w := do(serve(func(context.Context, *Exchange) error { panic("the secret is 42") }), "GET", "/x", "")
	requireError(t, w, 500, "M_UNKNOWN")
	require.NotContains(t, w.Body.String(), "42")
	for _, want := range []string{"the secret is 42", "middleware_test.go", "request_id=r1", "operation=getThing", "level=WARN msg=request", "status=500"} {
		require.Contains(t, out.String(), want)
	}

	begun := serve(func(_ context.Context, x *Exchange) error {
		_, err := io.WriteString(x.W, "par")
		require.NoError(t, err)
		panic("too late")
	})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { do(begun, "GET", "/x", "") })
	require.Contains(t, out.String(), "too late")
	require.Contains(t, out.String(), "status=499", "no whole answer went out")

	dropped := serve(func(context.Context, *Exchange) error { panic(http.ErrAbortHandler) })
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { do(dropped, "GET", "/x", "") })
	require.NotContains(t, out.String(), "msg=panic", "a dropped connection is not a fault of ours")

	bare := AccessLog(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("unguarded") }), nil, log)
	require.PanicsWithValue(t, "unguarded", func() { do(bare, "GET", "/x", "") }, "only Recover swallows a panic")
}

func TestTheContextMayCarryTheName(t *testing.T) {
	type key struct{}
	log, out := logged()
	var inContext any
	cfg := Config{
		Log: log, RequestID: func() string { return "r1" },
		Context: func(ctx context.Context, id string) context.Context { return context.WithValue(ctx, key{}, id) },
	}
	h := answer(cfg, func(ctx context.Context, _ *Exchange) error {
		inContext = ctx.Value(key{})
		return errors.New("broken")
	}).Handler()
	require.Equal(t, "r1", do(h, "GET", "/x", "").Header().Get("Request-Id"))
	require.Equal(t, "r1", inContext)
	require.NotContains(t, out.String(), "request_id", "the log adds it from the context, once")
}

// between is a middleware of someone else's.
type between struct{ http.ResponseWriter }

func (b between) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func TestForeignMiddlewareBetween(t *testing.T) {
	log, out := logged()
	rt := answer(Config{Log: log}, func(_ context.Context, x *Exchange) error {
		if err := http.NewResponseController(x.W).Flush(); err != nil {
			return err
		}
		_, err := io.Copy(x.W, struct{ io.Reader }{strings.NewReader("streamed")})
		return err
	})
	foreign := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rt.ServeHTTP(between{w}, r) })
	w := do(RequestIDs(AccessLog(foreign, nil, log), func() string { return "r7" }, nil), "GET", "/x", "")
	require.Equal(t, "streamed", w.Body.String())
	require.True(t, w.Flushed)
	require.Contains(t, out.String(), "operation=clientapi.getThing")
	require.Contains(t, out.String(), "request_id=r7")
	require.Contains(t, out.String(), "status=200 ")
}

func TestMiddlewareForOtherHandlers(t *testing.T) {
	log, out := logged()
	silent := AccessLog(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil, log)
	do(silent, "GET", "/health", "")
	require.Contains(t, out.String(), "status=200", "net/http answers 200 where a handler says nothing")

	early := AccessLog(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	}), nil, slog.New(slog.NewTextHandler(out, nil)))
	do(early, "GET", "/health", "")
	require.Contains(t, out.String(), "status=418", "an interim answer is not the answer")
}

// TestCORSOnEveryAnswer: errors of the router and panics included, and without a
// middleware, each header once.
func TestCORSOnEveryAnswer(t *testing.T) {
	log, _ := logged()
	rt := NewRouter(Config{Log: log})
	rt.Add(&Operation{ID: "boom", Method: "GET", Path: "/boom"}, func(context.Context, *Exchange) error { panic("boom") })
	for path, status := range map[string]int{"/boom": 500, "/nothing": 404} {
		w := do(rt.Handler(), "GET", path, "")
		require.Equal(t, status, w.Code)
		require.Equal(t, []string{"*"}, w.Header().Values("Access-Control-Allow-Origin"), path)
		require.Equal(t, 204, do(rt.Handler(), "OPTIONS", path, "").Code, path)
	}
}
