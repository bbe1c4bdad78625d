// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bounds are Bounds that a test looks into.
type bounds struct {
	body    int64
	refuse  error
	full    bool
	said    []string
	pending int
}

func (b *bounds) Body(*Operation) int64 { return b.body }

func (b *bounds) Admit(op *Operation, r *http.Request) (func(*Error), error) {
	return func(e *Error) {
		code := "nil"
		if e != nil {
			code = e.ErrCode
		}
		b.said = append(b.said, "ended "+code)
	}, b.refuse
}

func (b *bounds) Turn(_ context.Context, _ *Operation, caller string) (func(), error) {
	b.said = append(b.said, "turn "+caller)
	b.pending++
	return func() { b.pending-- }, nil
}

func (b *bounds) Hold(caller string, n int64) (func(), bool) {
	if b.full {
		return nil, false
	}
	b.said = append(b.said, fmt.Sprintf("hold %s %d", caller, n>>10))
	b.pending++
	return func() { b.pending-- }, true
}

func boundRouter(b *bounds, body func() text) http.Handler {
	rt := NewRouter(Config{Bounds: b, Auth: Authenticators{
		User: TokenAuthenticator(func(*http.Request, string) (Caller, error) { return Caller{User: "@alice:hs1"}, nil }),
	}})
	op := &Operation{API: "clientapi", ID: "thing", Method: "GET", Path: "/x", Auth: AuthUser}
	read := func(v *Raw, x *Exchange) error { return x.Body(v, false) }
	serve := ServeJSON((*Exchange).User, read, func(context.Context, Caller, *Raw) (text, error) { return body(), nil })
	rt.Add(op, serve)
	post := *op
	post.Method = "POST"
	rt.Add(&post, serve)
	return rt.Handler()
}

// TestBounds: what one caller takes is counted under the caller's name, and
// given back whatever becomes of the request.
func TestBounds(t *testing.T) {
	large := text(strings.Repeat("x", 64<<10))
	b := &bounds{body: 64 << 10}
	h := boundRouter(b, func() text { return large })
	require.Equal(t, 200, do(h, "GET", "/x", "", "Authorization", "Bearer t").Code)
	require.Equal(t, []string{"turn @alice:hs1", "hold @alice:hs1 64", "ended nil"}, b.said)
	require.Zero(t, b.pending)

	b.said = nil
	requireError(t, do(h, "GET", "/x", ""), 401, "M_MISSING_TOKEN")
	require.Equal(t, []string{"ended M_MISSING_TOKEN"}, b.said)

	b.said = nil
	body := `{"a":"` + strings.Repeat("x", 32<<10) + `"}`
	require.Equal(t, 200, do(h, "POST", "/x", body, "Authorization", "Bearer t").Code)
	require.Equal(t, []string{"hold @alice:hs1 32", "turn @alice:hs1", "ended nil"}, b.said, "the answer of what is done is not refused")
	requireError(t, do(h, "POST", "/x", body+body, "Authorization", "Bearer t"), 413, "M_TOO_LARGE")
	require.Zero(t, b.pending)

	b.full = true
	w := do(h, "GET", "/x", "", "Authorization", "Bearer t")
	requireError(t, w, 429, "M_LIMIT_EXCEEDED")
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	requireError(t, do(h, "POST", "/x", body, "Authorization", "Bearer t"), 429, "M_LIMIT_EXCEEDED")
	require.Equal(t, 200, do(h, "POST", "/x", "{}", "Authorization", "Bearer t").Code)
	large = "small"
	require.Equal(t, 200, do(h, "GET", "/x", "", "Authorization", "Bearer t").Code)

	b.refuse, b.said = LimitExceeded(0), nil
	requireError(t, do(h, "GET", "/x", "", "Authorization", "Bearer t"), 429, "M_LIMIT_EXCEEDED")
	require.Empty(t, b.said)
	require.Zero(t, b.pending)

	b.refuse = nil
	h = boundRouter(b, func() text { panic("a bug") })
	requireError(t, do(h, "GET", "/x", "", "Authorization", "Bearer t"), 500, "M_UNKNOWN")
	require.Zero(t, b.pending)
}

// TestCallersWithoutNames: who names no user is an address.
func TestCallersWithoutNames(t *testing.T) {
	for remote, want := range map[string]string{"192.0.2.1:7": "192.0.2.1", "[2001:db8::1]:7": "2001:db8::1", "@": "@"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		require.Equal(t, want, (&Exchange{R: r}).callerKey())
	}
}

// TestSharedRoutesReadWithinTheirLimit: an operation that is chosen by its body
// reads no more of it than the operation may have.
func TestSharedRoutesReadWithinTheirLimit(t *testing.T) {
	rt := NewRouter(Config{Bounds: &bounds{body: 1000}})
	a, b := op("POST", "/x"), op("POST", "/x")
	a.ID, b.ID, b.When = "a", "b", "body:b"
	rt.Add(a, reply)
	rt.Add(b, reply)
	h := rt.Handler()
	require.Equal(t, "b", said(t, do(h, "POST", "/x", `{"b":1}`)))
	require.Equal(t, "a", said(t, do(h, "POST", "/x", `{}`)))
	requireError(t, do(h, "POST", "/x", `{"b":"`+strings.Repeat("x", 1000)+`"}`), 413, "M_TOO_LARGE")
}

// ruled is an error with a rule.
type ruled struct{}

func (ruled) Error() string  { return "no" }
func (ruled) RuleID() string { return "5.3.2" }

// TestTheLogNamesTheClient: the line of a request says who made it, and why it
// was refused.
func TestTheLogNamesTheClient(t *testing.T) {
	log, out := logged()
	rt := NewRouter(Config{Log: log, Auth: Authenticators{
		User: TokenAuthenticator(func(*http.Request, string) (Caller, error) { return Caller{User: "@alice:hs1"}, nil }),
	}})
	rt.Add(&Operation{API: "clientapi", ID: "thing", Method: "GET", Path: "/x", Auth: AuthUser},
		ServeJSON((*Exchange).User, nil, func(context.Context, Caller, *Raw) (text, error) {
			e := Forbidden("secret reason")
			e.Err = ruled{}
			return "", e
		}))
	h := rt.Handler()
	requireError(t, do(h, "GET", "/x", "", "Authorization", "Bearer t"), 403, "M_FORBIDDEN")
	line := out.String()
	require.Contains(t, line, ` user=@alice:hs1 errcode=M_FORBIDDEN rule=5.3.2 address=192.0.2.1`)
	require.NotContains(t, line, "secret")
	out.Reset()
	requireError(t, do(h, "GET", "/x", ""), 401, "M_MISSING_TOKEN")
	require.Contains(t, out.String(), " errcode=M_MISSING_TOKEN rule=M_MISSING_TOKEN address=")
	require.NotContains(t, out.String(), "user=")
}
