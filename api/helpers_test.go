// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// do sends a request straight to a handler.
func do(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// requireError checks the status and the error code of an answer.
func requireError(t *testing.T, w *httptest.ResponseRecorder, status int, errcode string, msg ...any) {
	t.Helper()
	require.Equal(t, status, w.Code, append([]any{w.Body.String()}, msg...)...)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"), msg...)
	require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"), msg...)
	var e struct {
		ErrCode string `json:"errcode"`
		Error   string `json:"error"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &e), msg...)
	require.Equal(t, errcode, e.ErrCode, append([]any{e.Error}, msg...)...)
	require.NotEmpty(t, e.Error, msg...)
}

// op is an operation without authentication.
func op(method, path string) *Operation {
	return &Operation{API: "clientapi", ID: method + path, Method: method, Path: path}
}

// text is an answer that is one JSON string.
type text string

func (s text) AppendJSON(b []byte) []byte {
	b, _ = jsontext.AppendQuote(b, string(s))
	return b
}

// reply answers with the operation's id and its parameters.
func reply(_ context.Context, x *Exchange) error {
	out := []string{x.Op.ID}
	for i := range strings.Count(x.Op.Path, "{") {
		v, err := x.Params.Path(i)
		if err != nil {
			return err
		}
		out = append(out, v)
	}
	return x.Reply(http.StatusOK, text(strings.Join(out, "|")))
}

func said(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var s string
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &s))
	return s
}

// logged returns a log and what has been written to it.
func logged() (*slog.Logger, *bytes.Buffer) {
	var buf bytes.Buffer
	return slog.New(slog.NewTextHandler(&buf, nil)), &buf
}

// specOperations returns every operation of the pinned specification.
func specOperations(tb testing.TB) (ops []*Operation) {
	files, err := os.ReadDir("../spec/v1.19")
	require.NoError(tb, err)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		raw, err := os.ReadFile("../spec/v1.19/" + f.Name())
		require.NoError(tb, err)
		var doc struct {
			Paths map[string]map[string]jsontext.Value `json:"paths"`
		}
		require.NoError(tb, json.Unmarshal(raw, &doc))
		for path, item := range doc.Paths {
			for method := range item {
				if m := strings.ToUpper(method); slices.Contains([]string{"GET", "PUT", "POST", "DELETE"}, m) {
					ops = append(ops, op(m, path))
				}
			}
		}
	}
	require.Greater(tb, len(ops), 200)
	slices.SortFunc(ops, func(a, b *Operation) int { return strings.Compare(a.ID, b.ID) })
	return ops
}
