// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/generated/ops"
)

// answering is a server that always answers in one way.
func answering(t *testing.T, change func(h http.Header), status int, body string) *Server {
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization")
		h.Set("Content-Type", "application/json")
		if change != nil {
			change(h)
		}
		w.WriteHeader(status)
		_, err := w.Write([]byte(body))
		require.NoError(t, err)
	}))
	t.Cleanup(fake.Close)
	s := &Server{Routes: NewRoutes(ops.All), Judge: judge}
	s.at.Store(&Addresses{Client: fake.URL})
	return s
}

// TestCheck: the test client reports what is wrong with a response.
func TestCheck(t *testing.T) {
	const whoami = `{"user_id":"@alice:hs1"}`
	header := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	for _, c := range []struct {
		name   string
		change func(http.Header)
		status int
		body   string
		bad    bool
	}{
		{"a good answer", nil, 200, whoami, false},
		{"a standard error", nil, 401, `{"errcode":"M_MISSING_TOKEN","error":"no"}`, false},
		{"no CORS header", header("Access-Control-Allow-Origin", ""), 200, whoami, true},
		{"a method missing for browsers", header("Access-Control-Allow-Methods", "GET, POST"), 200, whoami, true},
		{"a header missing for browsers", header("Access-Control-Allow-Headers", "Authorization"), 200, whoami, true},
		{"another content type", header("Content-Type", "text/html"), 200, whoami, true},
		{"no JSON", nil, 200, `OK`, true},
		{"JSON with a repeated key", nil, 200, `{"user_id":"@a:hs1","user_id":"@b:hs1"}`, true},
		{"no object", nil, 200, `[]`, true},
		{"an internal error", nil, 500, `{"errcode":"M_UNKNOWN","error":"no"}`, true},
		{"a status that is not declared", nil, 201, whoami, true},
		{"an error without an errcode", nil, 404, `{"error":"no"}`, true},
		{"a member missing", nil, 200, `{}`, true},
		{"a member of another type", nil, 200, `{"user_id":7}`, true},
		{"an id without a sigil", nil, 200, `{"user_id":"alice"}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := answering(t, c.change, c.status, c.body)
			_, err := s.Try(t.Context(), Request{Method: "GET", Path: Path("v3/account/whoami")})
			if c.bad {
				require.ErrorIs(t, err, ErrBadAnswer)
			} else {
				require.NoError(t, err)
			}
		})
	}
}
