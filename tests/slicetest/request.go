// SPDX-License-Identifier: Apache-2.0

package slicetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// O is a JSON object, L a list.
type (
	O map[string]any
	L []any
)

// An Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// At returns the value at a path of members as text: a string's characters,
// else its JSON, and "" where there is nothing.
func (a Answer) At(path ...string) string {
	v := jsontext.Value(a.Body)
	for _, name := range path {
		var m map[string]jsontext.Value
		if v.Kind() != '{' || json.Unmarshal(v, &m) != nil {
			return ""
		}
		v = m[name]
	}
	if v.Kind() == '"' {
		s, err := jsontext.AppendUnquote(nil, v)
		if err == nil {
			return string(s)
		}
	}
	return string(v)
}

// Do sends a request to a handler. A string body goes as it is, anything else
// as JSON; nil sends none.
func Do(t testing.TB, h http.Handler, method, path, token string, body any) Answer {
	t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		b, err := json.Marshal(body, json.Deterministic(true))
		require.NoError(t, err)
		text = string(b)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(text))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return Answer{w.Code, w.Header(), w.Body.String()}
}

// OK is Do, and ends the test unless the answer is 200.
func OK(t testing.TB, h http.Handler, method, path, token string, body any) Answer {
	t.Helper()
	a := Do(t, h, method, path, token, body)
	require.Equal(t, 200, a.Status, a)
	return a
}

// Path fills each {} of a path of the client-server API with the next argument,
// escaped.
func Path(format string, args ...any) string {
	out := "/_matrix/client/" + format
	for _, a := range args {
		out = strings.Replace(out, "{}", url.PathEscape(fmt.Sprint(a)), 1)
	}
	return out
}

// Query is one more parameter of a query.
func Query(name, value string) string { return "&" + name + "=" + url.QueryEscape(value) }

// A Row is a request and how it must be answered.
type Row struct {
	Name    string
	Method  string
	Path    string
	Token   string
	Body    any
	Status  int
	ErrCode string // empty for a success, and for a question without an error
}

// Table sends the requests of a table, one after the other.
func Table(t *testing.T, h http.Handler, rows []Row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			a := Do(t, h, row.Method, row.Path, row.Token, row.Body)
			require.Equal(t, row.Status, a.Status, a)
			require.Equal(t, row.ErrCode, a.At("errcode"), a)
		})
	}
}
