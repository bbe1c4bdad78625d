// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
)

// A sample is a request body as generated decoders read it.
type sample struct {
	UserID  id.UserID      `json:"user_id"`
	Count   int64          `json:"count"`
	Topic   Opt[string]    `json:"topic"`
	Content Raw            `json:"content"`
	Nested  map[string]own `json:"nested"`
}

// own refuses a value with an error that is already meant for the client.
type own struct{}

func (*own) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if err := dec.SkipValue(); err != nil {
		return err
	}
	return BadJSON("Missing %q", "medium")
}

func bodyRouter(cfg Config, required bool, dst func() any) *Router {
	rt := NewRouter(cfg)
	rt.Add(&Operation{ID: "post", Method: "POST", Path: "/p", Auth: AuthUser}, func(_ context.Context, x *Exchange) error {
		v := dst()
		if err := x.Body(v, required); err != nil {
			return err
		}
		if raw, ok := v.(*Raw); ok {
			return x.Reply(200, text(*raw))
		}
		out, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return x.Reply(200, text(out))
	})
	return rt
}

func newSample() any { return new(sample) }

func TestBadBodies(t *testing.T) {
	rt := bodyRouter(Config{}, true, newSample)
	deep := func(n int) string { return `{"content":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	for name, c := range map[string]struct{ body, code, says string }{
		"nothing where a body is required":      {``, "M_NOT_JSON", "no body"},
		"only white space":                      {" \n", "M_NOT_JSON", "byte"},
		"text":                                  {`hello`, "M_NOT_JSON", "byte 0"},
		"a form":                                {`user_id=%40a%3Ax`, "M_NOT_JSON", "byte 0"},
		"an object cut short":                   {`{"count":1`, "M_NOT_JSON", "byte 10"},
		"something behind the object":           {`{"count":1}{}`, "M_NOT_JSON", "byte 11"},
		"a trailing comma":                      {`{"count":1,}`, "M_NOT_JSON", "byte 10"},
		"single quotes":                         {`{'count':1}`, "M_NOT_JSON", "byte 1"},
		"a byte order mark":                     {"\xef\xbb\xbf{}", "M_NOT_JSON", "byte 0"},
		"UTF-16":                                {"{\x00}\x00", "M_NOT_JSON", "byte 1"},
		"a repeated member":                     {`{"count":1,"count":1}`, "M_NOT_JSON", `"/count"`},
		"a repeated member by another spelling": {`{"count":1,"c\u006funt":1}`, "M_NOT_JSON", `"/count"`},
		"a repeated member deep inside":         {`{"content":{"a":[{"b":1,"b":2}]}}`, "M_NOT_JSON", `"/content/a/0/b"`},
		"a repeated unknown member":             {`{"zz":1,"zz":1}`, "M_NOT_JSON", `"/zz"`},
		"bytes that are not UTF-8":              {"{\"topic\":\"\xff\"}", "M_NOT_JSON", `"/topic"`},
		"bytes that are not UTF-8 in raw JSON":  {"{\"content\":[\"\xc0\xaf\"]}", "M_NOT_JSON", `"/content/0"`},
		"a lone surrogate":                      {`{"topic":"\ud800"}`, "M_NOT_JSON", `"/topic"`},
		"a lone surrogate in an unknown member": {`{"zz":"\udc00x"}`, "M_NOT_JSON", `"/zz"`},
		"an array instead of an object":         {`[]`, "M_BAD_JSON", "array"},
		"null instead of an object":             {`"x"`, "M_BAD_JSON", "string"},
		"a string for an integer":               {`{"count":"1"}`, "M_BAD_JSON", `"/count"`},
		"a fraction for an integer":             {`{"count":1.5}`, "M_BAD_JSON", `"/count"`},
		"null for an optional member":           {`{"topic":null}`, "M_BAD_JSON", `"/topic"`},
		"an identifier without its sigil":       {`{"user_id":"a:x"}`, "M_BAD_JSON", "sigil"},
		"an identifier of 256 bytes":            {`{"user_id":"@` + strings.Repeat("a", 253) + `:x"}`, "M_BAD_JSON", "255"},
		"an identifier that is a number":        {`{"user_id":1}`, "M_BAD_JSON", `"/user_id"`},
		"an error of a decoder, with its place": {`{"nested":{"k":{}}}`, "M_BAD_JSON", `Missing "medium" at "/nested/k"`},
		"not JSON behind a wrong value":         {`{"count":"1","x":tru}`, "M_NOT_JSON", "byte"},
		"a repeated member behind one":          {`{"count":"1","x":1,"x":1}`, "M_NOT_JSON", `"/x"`},
		"nesting beyond the limit":              {deep(MaxDepth), "M_BAD_JSON", "128"},
		"nesting of 10,000":                     {deep(10_000), "M_BAD_JSON", "128"},
		"nesting of a million, never closed":    {strings.Repeat("[", 1_000_000), "M_BAD_JSON", "128"},
		"brackets that are not JSON":            {`{"x":y` + strings.Repeat("[", 1000), "M_NOT_JSON", "byte"},
		"brackets behind the object":            {`{}` + strings.Repeat("[", 1000), "M_NOT_JSON", "byte 2"},
	} {
		w := do(rt, "POST", "/p", c.body, "Content-Type", "application/json")
		requireError(t, w, 400, c.code, name)
		require.Contains(t, strings.ReplaceAll(w.Body.String(), `\"`, `"`), c.says, name)
		require.NotContains(t, w.Body.String(), "sample", "no Go type is named")
		require.NotContains(t, w.Body.String(), "Go ", "no Go type is named")
	}
}

func TestGoodBodies(t *testing.T) {
	rt := bodyRouter(Config{}, true, func() any { return new(Raw) })
	for name, body := range map[string]string{
		"large numbers stay as they are":     `{"n":[9007199254740993,-0,1e400,1.50]}`,
		"a string may hold U+0000":           `{"a\u0000":"\u0000"}`,
		"nesting up to the limit":            strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth),
		"brackets in strings do not nest":    `"` + strings.Repeat(`[\"{`, 200) + `"`,
		"white space and escapes are kept":   "{ \"\\u0041\" :\t[ ] }",
		"members may differ by case only":    `{"a":1,"A":2}`,
		"surrogate pairs are one code point": `"\ud83d\ude00"`,
	} {
		for _, ct := range []string{"application/json", "application/json; charset=UTF-8", "text/plain", "", "nonsense;;"} {
			w := do(rt, "POST", "/p", body, "Content-Type", ct)
			require.Equal(t, body, said(t, w), name)
		}
	}
}

func TestAnAbsentBody(t *testing.T) {
	rt := bodyRouter(Config{Checks: Checks{Request: func(*Exchange, []byte) []Violation { panic("asked") }}}, false, newSample)
	require.Contains(t, said(t, do(rt, "POST", "/p", "")), `"count":0`, "an optional body may be absent")

	chunked := httptest.NewRequest("POST", "/p", io.MultiReader(strings.NewReader("")))
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, chunked)
	require.Equal(t, 200, w.Code, "a body of unknown length may turn out empty")
}

func TestTheJudgeSeesBodies(t *testing.T) {
	var saw, found []string
	enforced := "judged"
	checks := Checks{
		Request: func(x *Exchange, body []byte) []Violation {
			saw = append(saw, x.Op.ID+" "+string(body))
			return []Violation{{Rule: "judged", Setting: SettingEnforce, ErrCode: "M_BAD_JSON"}}
		},
		Settle: func(_ *Operation, v *Violation) {
			if v.Setting = SettingReport; v.Rule == enforced {
				v.Setting = SettingEnforce
			}
		},
		Store: func(v Violation) { found = append(found, v.Rule) },
	}
	rt := bodyRouter(Config{Checks: checks}, true, newSample)
	for ct, want := range map[string][]string{
		"":                                {"judged", "content-type-missing"},
		"text/plain":                      {"judged", "content-type-not-json"},
		"application/json; charset=utf-8": {"judged"},
		"application/json;charset=latin1": {"judged", "content-type-not-json"},
		"application/json;charset":        {"judged", "content-type-not-json"},
	} {
		saw, found = nil, nil
		requireError(t, do(rt, "POST", "/p", "{}", "Content-Type", ct), 400, "M_BAD_JSON", ct)
		require.Equal(t, []string{"post {}"}, saw, ct)
		require.Equal(t, want, found, "why it was refused comes first")
	}
	enforced = "content-type-not-json"
	requireError(t, do(rt, "POST", "/p", "{}", "Content-Type", "text/enforced"), 400, "M_UNKNOWN")
}

func TestBodyLimits(t *testing.T) {
	newRaw := func() any { return new(Raw) }
	rt := bodyRouter(Config{MaxBody: 20}, true, newRaw)
	fits, big := `"`+strings.Repeat("x", 18)+`"`, `"`+strings.Repeat("x", 19)+`"`
	require.Equal(t, 200, do(rt, "POST", "/p", fits).Code)
	requireError(t, do(rt, "POST", "/p", big), 413, "M_TOO_LARGE")

	r := httptest.NewRequest("POST", "/p", io.MultiReader(strings.NewReader(big)))
	require.Negative(t, r.ContentLength)
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, r)
	requireError(t, w, 413, "M_TOO_LARGE", "a length that was not announced counts too")

	public := NewRouter(Config{MaxBody: 100, MaxPublicBody: 20})
	for path, auth := range map[string]Auth{"/public": AuthNone, "/user": AuthUser} {
		public.Add(&Operation{ID: path, Method: "POST", Path: path, Auth: auth}, func(_ context.Context, x *Exchange) error {
			if err := x.Body(new(Raw), true); err != nil {
				return err
			}
			return x.Reply(200, &Empty{})
		})
	}
	requireError(t, do(public, "POST", "/public", big), 413, "M_TOO_LARGE")
	require.Equal(t, 200, do(public, "POST", "/user", big).Code)
}

func uploadRouter(cfg Config) *Router {
	rt := NewRouter(cfg)
	rt.Add(&Operation{ID: "upload", Method: "POST", Path: "/upload"}, func(_ context.Context, x *Exchange) error {
		body, ct, err := x.Stream()
		if err != nil {
			return err
		}
		got, err := io.ReadAll(body)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if _, err := x.RawBody(); err == nil {
			return errors.New("a body is read twice")
		}
		return x.Reply(200, text(ct+":"+string(got)))
	})
	return rt
}

func TestUploads(t *testing.T) {
	rt := uploadRouter(Config{MaxBody: 1, MaxPublicBody: 1, MaxUpload: 5})
	require.Equal(t, "image/png:12345", said(t, do(rt, "POST", "/upload", "12345", "Content-Type", "image/png")))
	require.Equal(t, ":", said(t, do(rt, "POST", "/upload", "")))
	requireError(t, do(rt, "POST", "/upload", "123456"), 413, "M_TOO_LARGE")
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, httptest.NewRequest("POST", "/upload", io.MultiReader(strings.NewReader("123456"))))
	requireError(t, w, 413, "M_TOO_LARGE")
}

// slow sends the beginning of a request, then nothing, and returns what comes
// back.
func slow(t *testing.T, addr, request string, shut bool) string {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	if shut {
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
	}
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	return string(answer)
}

func TestSlowAndShortBodies(t *testing.T) {
	// A deadline that has passed makes any body a slow one.
	past := func(*Operation) time.Time { return time.Unix(1, 0) }
	rt := bodyRouter(Config{BodyDeadline: past}, true, newSample)
	srv := httptest.NewServer(rt)
	defer srv.Close()
	const head = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
	answer := slow(t, srv.Listener.Addr().String(), head+"{", false)
	require.Contains(t, answer, "HTTP/1.1 408 ")
	require.Contains(t, answer, "Connection: close")
	require.Contains(t, answer, `"errcode":"M_UNKNOWN"`)

	upload := httptest.NewServer(uploadRouter(Config{BodyDeadline: past}))
	defer upload.Close()
	require.Contains(t, slow(t, upload.Listener.Addr().String(), strings.Replace(head, "/p", "/upload", 1)+"{", false), "HTTP/1.1 408 ")

	patient := httptest.NewServer(bodyRouter(Config{BodyDeadline: func(*Operation) time.Time { return time.Time{} }}, true, newSample))
	defer patient.Close()
	answer = slow(t, patient.Listener.Addr().String(), head+"{", true)
	require.Contains(t, answer, "HTTP/1.1 400 ")
	require.Contains(t, answer, "M_NOT_JSON")
}
