// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"context"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
)

// FuzzXMatrix parses Authorization headers. An accepted header must parse to
// the same values after it is written in canonical form.
func FuzzXMatrix(f *testing.F) {
	for _, s := range []string{
		`X-Matrix origin="o",destination="d",key="ed25519:1",sig="s"`, `x-matrix , ORIGIN = o:80 ,,key=ed25519:1, sig="a\"b"`,
		`X-Matrix origin="[::1]",key="ed25519:a\\b",sig="+/"`, `X-Matrix origin=o key=k:1 sig=s`, `X-Matrix origin="`, "X-Matrix \x00=1", `Bearer x`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		m, err := api.ParseXMatrix(header)
		if err != nil {
			require.Zero(t, m)
			return
		}
		require.NotEmpty(t, m.Origin)
		require.NotEmpty(t, m.Key)
		require.NotEmpty(t, m.Sig)
		if m.Destination == "" {
			m.Destination = "d"
		}
		back, err := api.ParseXMatrix(m.String())
		require.NoError(t, err, m.String())
		require.Equal(t, m, back)
	})
}

// jsonString is a response that is one string.
type jsonString string

func (s jsonString) AppendJSON(b []byte) []byte {
	b, _ = jsontext.AppendQuote(b, string(s))
	return b
}

// FuzzBody reads request bodies. The error code must depend on the body alone:
// not JSON, or nested too deeply.
func FuzzBody(f *testing.F) {
	for _, s := range []string{`{}`, ``, ` `, `{"a":1,"a":2}`, "\"\xff\"", `"\ud800"`, `[1e400,-0,9007199254740993]`, `{"a":1}x`, "\"\\u0000\"",
		strings.Repeat("[", 128) + strings.Repeat("]", 128), strings.Repeat("[", 129) + strings.Repeat("]", 129), strings.Repeat(`{"a":`, 200), `"` + strings.Repeat("[", 200)} {
		f.Add([]byte(s))
	}
	rt := api.NewRouter(api.Config{})
	rt.Add(&api.Operation{Method: "POST", Path: "/", Auth: api.AuthUser}, func(_ context.Context, x *api.Exchange) error {
		var v api.Raw
		if err := x.Body(&v, true); err != nil {
			return err
		}
		return x.Reply(200, jsonString(v))
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(string(body))))
		valid := jsontext.Value(body).IsValid()
		if w.Code == 200 {
			require.True(t, valid)
			var echo string
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &echo))
			require.Equal(t, strings.Trim(string(body), " \t\r\n"), echo, "raw JSON comes back byte for byte")
			return
		}
		require.Equal(t, 400, w.Code)
		var e struct {
			ErrCode string `json:"errcode"`
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &e), w.Body.String())
		if valid {
			require.Equal(t, "M_BAD_JSON", e.ErrCode)
			require.Greater(t, strings.Count(string(body), "[")+strings.Count(string(body), "{"), api.MaxDepth)
		} else if e.ErrCode != "M_NOT_JSON" {
			require.Equal(t, "M_BAD_JSON", e.ErrCode)
			require.Greater(t, strings.Count(string(body), "[")+strings.Count(string(body), "{"), api.MaxDepth)
		}
	})
}

// FuzzTarget routes paths and reads their parameters. A parameter must be one
// segment, decoded once; otherwise the request is refused.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/a/b/c", "/a/%2F/x%2F", "/a//c", "/a/:/..", "/a/%zz/c", "/a/%FF/c", "/a/b/", "/a/b", "/a/b%2F/?x", "//a/b/c", "/a/%25/é", "/a/\"%2F/c"} {
		f.Add(s)
	}
	rt := api.NewRouter(api.Config{})
	rt.Add(&api.Operation{Method: "GET", Path: "/a/{one}/{stateKey}"}, func(_ context.Context, x *api.Exchange) error {
		one, err := x.Params.Path(0)
		if err != nil {
			return err
		}
		two, err := x.Params.Path(1)
		if err != nil {
			return err
		}
		return x.Reply(200, jsonString(one+"\n"+two))
	})
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Opaque != "" {
			t.Skip("the input is no request line that net/http would pass on")
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = u
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		sent := target
		if u.IsAbs() {
			_, sent, _ = strings.Cut(target, "://")
			if i := strings.IndexAny(sent, "/?"); i >= 0 {
				sent = sent[i:]
			}
		}
		sent, _, _ = strings.Cut(sent, "?")
		segs := strings.Split(strings.TrimPrefix(sent, "/"), "/")
		if len(segs) == 2 {
			segs = append(segs, "")
		}
		if len(segs) != 3 || segs[0] != "a" || segs[1] == "" {
			require.Equal(t, 404, w.Code, sent)
			return
		}
		one, err1 := url.PathUnescape(segs[1])
		two, err2 := url.PathUnescape(segs[2])
		if err1 != nil || err2 != nil || !utf8.ValidString(one) || !utf8.ValidString(two) {
			require.Equal(t, 400, w.Code, sent)
			return
		}
		require.Equal(t, 200, w.Code, sent)
		require.Equal(t, string(jsonString(one+"\n"+two).AppendJSON(nil)), w.Body.String())
	})
}

// FuzzQuery compares our query parser with net/url.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a=1&b=2&a=3", "a", "a=%20+%2B", "&&=x&", "a=%zz", "%61=b", "a=%FF", "a=b=c", "é=ü", "\xca%80", "\xca=\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if strings.ContainsAny(raw, ";") {
			t.Skip("net/url refuses a semicolon, the URL standard does not: nothing to compare with")
		}
		want, err := url.ParseQuery(raw)
		valid := err == nil
		for name, vs := range want { // compare the decoded values
			for _, s := range append(vs, name) {
				valid = valid && utf8.ValidString(s)
			}
		}
		x := &api.Exchange{R: httptest.NewRequest("GET", "/", nil)}
		x.R.URL.RawQuery = raw
		q := x.Query()
		others := q.Others()
		require.Equal(t, valid, q.Err() == nil, "%q: %v, %v", raw, err, q.Err())
		if !valid {
			return
		}
		for name, vs := range want {
			if name == "" {
				continue // net/url ignores the empty pairs of "a&&b"
			}
			require.Equal(t, api.Some(vs[0]), q.String(name))
			require.Equal(t, vs, q.Strings(name))
			require.Equal(t, vs[0], others[name])
		}
		require.False(t, q.Has("\x00 no such name"))
		require.NoError(t, q.Err())
	})
}
