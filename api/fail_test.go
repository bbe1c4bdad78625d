// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// answer serves one operation with a handler.
func answer(cfg Config, h Handler) *Router {
	rt := NewRouter(cfg)
	rt.Add(&Operation{API: "clientapi", ID: "getThing", Method: "GET", Path: "/x"}, h)
	return rt
}

func failing(err error) Handler { return func(context.Context, *Exchange) error { return err } }

func TestErrorsBecomeBodies(t *testing.T) {
	uia := &Error{Status: 401, Extra: map[string]any{"session": "s", "params": map[string]any{"z": 1, "a": 2}, "flows": []any{}}}
	both := *uia
	both.ErrCode, both.Msg = "M_FORBIDDEN", "Wrong <password>"
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
		header string
	}{
		"an error for the client": {Forbidden("Not in %s", "it"), 403, `{"errcode":"M_FORBIDDEN","error":"Not in it"}`, ""},
		"wrapped":                 {fmt.Errorf("load: %w", NotFound("No such user")), 404, `{"errcode":"M_NOT_FOUND","error":"No such user"}`, ""},
		"its cause stays inside":  {&Error{Status: 400, ErrCode: "M_UNKNOWN", Msg: "No", Err: errors.New("secret")}, 400, `{"errcode":"M_UNKNOWN","error":"No"}`, ""},
		"members in order":        {&both, 401, `{"errcode":"M_FORBIDDEN","error":"Wrong <password>","flows":[],"params":{"a":2,"z":1},"session":"s"}`, ""},
		"authentication's first":  {uia, 401, `{"flows":[],"params":{"a":2,"z":1},"session":"s"}`, ""},
		"too many requests":       {LimitExceeded(1500 * time.Millisecond), 429, `{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":1500}`, "Retry-After: 2"},
		"no text of its own":      {&Error{Status: 400, ErrCode: "M_X"}, 400, `{"errcode":"M_X","error":"M_X"}`, ""},
		"extra cannot replace":    {&Error{Status: 400, ErrCode: "M_X", Msg: "m", Extra: map[string]any{"errcode": "M_Y", "error": 1}}, 400, `{"errcode":"M_X","error":"m"}`, ""},
		"extra that is not JSON":  {&Error{Status: 400, ErrCode: "M_X", Msg: "m", Extra: map[string]any{"f": func() {}}}, 400, `{"errcode":"M_X","error":"m"}`, ""},
		"text that is not UTF-8":  {BadJSON("a\xffb\n"), 400, `{"errcode":"M_BAD_JSON","error":"a` + "\ufffd" + `b\n"}`, ""},
		"not finished":            {Unfinished(), 404, `{"errcode":"M_UNRECOGNIZED","error":"This server does not serve this operation yet"}`, "Touchstone-Unfinished: getThing"},
		"anything else":           {errors.New("SELECT secret"), 500, `{"errcode":"M_UNKNOWN","error":"Internal server error"}`, ""},
		"a time-out of our own":   {context.DeadlineExceeded, 500, `{"errcode":"M_UNKNOWN","error":"Internal server error"}`, ""},
		"no answer at all":        {nil, 500, `{"errcode":"M_UNKNOWN","error":"Internal server error"}`, ""},
	} {
		log, out := logged()
		w := do(answer(Config{Log: log}, failing(c.err)), "GET", "/x", "")
		require.Equal(t, c.status, w.Code, name)
		require.Equal(t, c.body, w.Body.String(), name)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
		if k, v, ok := strings.Cut(c.header, ": "); ok {
			require.Equal(t, v, w.Header().Get(k), name)
		} else {
			require.Empty(t, w.Header().Get("Touchstone-Unfinished"), name)
		}
		if c.status == 500 && c.err != nil {
			require.Contains(t, out.String(), c.err.Error(), "the log has the real text")
			require.Contains(t, out.String(), "operation=getThing")
		}
	}
}

func TestNobodyIsAnsweredWhoIsGone(t *testing.T) {
	for _, end := range []error{context.Canceled, fmt.Errorf("read: %w", context.DeadlineExceeded), errors.New("conn closed")} {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w := httptest.NewRecorder()
		rt := answer(Config{}, failing(end))
		require.PanicsWithValue(t, http.ErrAbortHandler, func() {
			rt.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil).WithContext(ctx))
		})
		require.Empty(t, w.Body.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	answer(Config{}, failing(Forbidden("No"))).ServeHTTP(w, httptest.NewRequest("GET", "/x", nil).WithContext(ctx))
	requireError(t, w, 403, "M_FORBIDDEN", "an answer that is ready goes out")
}

// TestAStopIsSaid: whose request ends because the server stops is still there.
func TestAStopIsSaid(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrStopping)
	log, out := logged()
	w := httptest.NewRecorder()
	answer(Config{Log: log}, failing(fmt.Errorf("wait: %w", context.Canceled))).ServeHTTP(w, httptest.NewRequest("GET", "/x", nil).WithContext(ctx))
	requireError(t, w, 503, "M_UNKNOWN")
	require.Empty(t, out.String(), "nothing went wrong")
}

// TestFailuresOfTheSurroundings have an answer, and are logged elsewhere.
func TestFailuresOfTheSurroundings(t *testing.T) {
	gone := errors.New("the database is gone")
	log, out := logged()
	rt := answer(Config{Log: log, Failure: func(_ context.Context, err error) *Error {
		if errors.Is(err, gone) {
			return Errorf(503, "M_UNKNOWN", "Later")
		}
		return nil
	}}, failing(fmt.Errorf("load: %w", gone)))
	w := httptest.NewRecorder()
	rt.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
	requireError(t, w, 503, "M_UNKNOWN")
	require.NotContains(t, out.String(), "gone")
	require.Contains(t, out.String(), "level=INFO msg=request", "no warning for each of them")
	rt.Add(&Operation{API: "clientapi", ID: "getOther", Method: "GET", Path: "/y"}, failing(errors.New("a bug")))
	w = httptest.NewRecorder()
	rt.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/y", nil))
	requireError(t, w, 500, "M_UNKNOWN")
	require.Contains(t, out.String(), "level=WARN msg=request")
}

// breaking fails in the middle of its answer.
type breaking struct{ closed *bool }

func (breaking) Read(p []byte) (int, error) { return copy(p, "part"), errors.New("disk gone") }
func (b breaking) Close() error             { *b.closed = true; return nil }

func TestABrokenAnswerDropsTheConnection(t *testing.T) {
	closed := false
	log, out := logged()
	srv := httptest.NewServer(answer(Config{Log: log}, func(_ context.Context, x *Exchange) error {
		return x.Send(200, "image/png", 1000, breaking{&closed})
	}))
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/x")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	require.Error(t, err, "the client does not take a part for the whole")
	srv.Close() // waits for the handler
	require.True(t, closed)
	require.Contains(t, out.String(), "disk gone")
}

func TestAClientThatLeavesIsNoNews(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	closed := false
	log, out := logged()
	rt := answer(Config{Log: log}, func(_ context.Context, x *Exchange) error {
		leave()
		return x.Send(200, "image/png", -1, breaking{&closed})
	})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		rt.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil).WithContext(ctx))
	})
	require.True(t, closed)
	require.Empty(t, out.String())
}

func TestResponsesAreChecked(t *testing.T) {
	type seen struct {
		op     string
		status int
		body   string
	}
	var saw []seen
	var verdict error
	cfg := Config{Checks: Checks{Response: func(op *Operation, status int, body []byte) error {
		saw = append(saw, seen{op.ID, status, string(body)})
		return verdict
	}}}
	ok := answer(cfg, func(_ context.Context, x *Exchange) error { return x.Reply(201, text("v")) })
	require.Equal(t, 201, do(ok, "GET", "/x", "").Code)
	require.Equal(t, 404, do(ok, "GET", "/y", "").Code)
	bad := answer(cfg, failing(Forbidden("No")))
	require.Equal(t, 403, do(bad, "GET", "/x", "").Code)
	require.Equal(t, []seen{{"getThing", 201, `"v"`}, {"getThing", 403, `{"errcode":"M_FORBIDDEN","error":"No"}`}}, saw, "no route, no operation to check against")

	verdict = errors.New("not as declared")
	requireError(t, do(ok, "GET", "/x", ""), 500, "M_UNKNOWN")
	requireError(t, do(bad, "GET", "/x", ""), 403, "M_FORBIDDEN", "an error is still the best answer there is")
}

func TestAnswersThatAreNotJSON(t *testing.T) {
	rt := answer(Config{}, func(_ context.Context, x *Exchange) error {
		x.W.Header().Set("Content-Disposition", "inline")
		return x.Send(200, "image/png", 3, strings.NewReader("png"))
	})
	w := do(rt, "GET", "/x", "")
	require.Equal(t, "png", w.Body.String())
	require.Equal(t, "image/png", w.Header().Get("Content-Type"))
	require.Equal(t, "3", w.Header().Get("Content-Length"))
	require.Equal(t, "inline", w.Header().Get("Content-Disposition"))
	require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"), "media too")

	w = do(answer(Config{}, func(_ context.Context, x *Exchange) error { return x.Send(200, "a/b", -1, strings.NewReader("")) }), "GET", "/x", "")
	require.Empty(t, w.Header().Get("Content-Length"), "a size that is not known is not said")

	w = do(answer(Config{}, func(_ context.Context, x *Exchange) error { return x.Redirect(307, "https://x/a%2Fb//../?c") }), "GET", "/x", "")
	require.Equal(t, 307, w.Code)
	require.Equal(t, "https://x/a%2Fb//../?c", w.Header().Get("Location"))
	require.Equal(t, "{}", w.Body.String())
}

func TestMultipartAnswers(t *testing.T) {
	closed := false
	cfg := Config{Boundary: func() string { return "b0undary" }}
	parts := []Part{
		{Header: textproto.MIMEHeader{"Content-Type": {"application/json"}}, Body: strings.NewReader("{}")},
		{Header: textproto.MIMEHeader{"Location": {"https://x/"}}},
	}
	w := do(answer(cfg, func(_ context.Context, x *Exchange) error { return x.SendMultipart(200, parts...) }), "GET", "/x", "")
	media, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/mixed", media)
	require.Equal(t, "b0undary", params["boundary"])
	mr := multipart.NewReader(w.Body, params["boundary"])
	for i, want := range []string{"{}", ""} {
		p, err := mr.NextPart()
		require.NoError(t, err)
		require.Equal(t, parts[i].Header, p.Header)
		body, err := io.ReadAll(p)
		require.NoError(t, err)
		require.Equal(t, want, string(body))
	}
	_, err = mr.NextPart()
	require.ErrorIs(t, err, io.EOF)

	cfg.Boundary = func() string { return "not\na boundary" }
	requireError(t, do(answer(cfg, func(_ context.Context, x *Exchange) error { return x.SendMultipart(200) }), "GET", "/x", ""), 500, "M_UNKNOWN")
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		do(answer(Config{}, func(_ context.Context, x *Exchange) error {
			return x.SendMultipart(200, Part{Body: breaking{&closed}})
		}), "GET", "/x", "")
	})
	require.True(t, closed)
}

func TestEmpty(t *testing.T) {
	require.Equal(t, "{}", string((&Empty{}).AppendJSON(nil)))
	require.NoError(t, json.Unmarshal([]byte(`{"a":[1]}`), new(Empty)))
	require.Error(t, json.Unmarshal([]byte(`[]`), new(Empty)))
	require.Error(t, json.Unmarshal([]byte(`{`), new(Empty)))
}

func TestLargeAnswersDoNotStayInThePool(t *testing.T) {
	big := text(bytes.Repeat([]byte("x"), 2*maxPooled))
	rt := answer(Config{}, func(_ context.Context, x *Exchange) error { return x.Reply(200, big) })
	require.Equal(t, len(big)+2, do(rt, "GET", "/x", "").Body.Len())
	buf := buffers.Get().(*[]byte)
	require.LessOrEqual(t, cap(*buf), maxPooled)
}
