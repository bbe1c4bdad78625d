// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
)

// A Request is one HTTP request. Path is escaped already and may carry a
// query. A Body of []byte or string is sent as it is; anything else as JSON;
// nil sends none.
type Request struct {
	Method string
	Path   string
	Token  string
	Body   any
	Header http.Header
}

// An Answer is what came back, checked already.
type Answer struct {
	Op     *api.Operation // nil where no operation has the route
	Status int
	Header http.Header
	Body   []byte
}

// JSON returns the body as a value.
func (a *Answer) JSON() Value { return Parse(a.Body) }

// Unfinished says whether the operation is not written yet.
func (a *Answer) Unfinished() bool { return a.Header.Get("Touchstone-Unfinished") != "" }

func (a *Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// ErrBadAnswer is wrapped by every complaint about an answer that breaks the
// specification.
var ErrBadAnswer = errors.New("answer departs from the specification")

// transport is shared by all clients; fifty long polls need as many
// connections.
var transport = &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}

// Try sends a request and checks the answer. The error is the connection's,
// or ErrBadAnswer.
func (s *Server) Try(ctx context.Context, r Request) (*Answer, error) {
	body, err := encode(r.Body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, s.URL()+r.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if r.Body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	answered := func(*Answer) {}
	if s.Record != nil {
		answered = s.Record(r, body)
	}
	resp, err := (&http.Client{Transport: transport, CheckRedirect: noRedirect}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: resp.StatusCode, Header: resp.Header, Body: got}
	if s.Unchecked {
		return a, nil
	}
	a.Op = s.Routes.Find(r.Method, req.URL.EscapedPath(), req.URL.Query(), body)
	answered(a)
	if err := s.check(a); err != nil {
		return a, fmt.Errorf("%w: %s %s: %v\nanswer: %.2000s", ErrBadAnswer, r.Method, r.Path, err, a)
	}
	return a, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func encode(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	case string:
		return []byte(b), nil
	}
	return json.Marshal(body, json.Deterministic(true))
}

// Do sends a request and fails the test when no answer comes or the answer
// breaks the specification.
func (s *Server) Do(t T, r Request) *Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	a, err := s.Try(ctx, r)
	require.NoError(t, err)
	return a
}

// Path fills each {} of a path with the next argument, escaped, the prefix of
// the client-server API in front of it: Path("v3/rooms/{}/leave", room).
func Path(format string, args ...any) string {
	out := "/_matrix/client/" + format
	for _, a := range args {
		out = strings.Replace(out, "{}", url.PathEscape(fmt.Sprint(a)), 1)
	}
	return out
}

// Query writes name and value pairs as a query string.
func Query(pairs ...any) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Add(fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return "?" + q.Encode()
}
