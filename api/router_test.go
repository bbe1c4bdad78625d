// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func specRouter(tb testing.TB) (*Router, []*Operation) {
	ops := specOperations(tb)
	rt := NewRouter(Config{})
	for _, o := range ops {
		rt.Add(o, reply)
	}
	return rt, ops
}

// A pattern is a route as the reference sees it.
type pattern struct {
	op   *Operation
	segs []string
}

func patterns(ops []*Operation) (out []pattern) {
	for _, o := range ops {
		segs := strings.Split(o.Path, "/")
		out = append(out, pattern{o, segs})
		if n := len(segs) - 1; segs[n] == "{stateKey}" {
			out = append(out, pattern{o, segs[:n]})
		}
	}
	return out
}

// match is the reference: of the routes that fit segment by segment, the one
// with the earliest literals.
func match(ps []pattern, method string, segs []string) (best *Operation, values []string) {
	rank := ""
	for _, p := range ps {
		if p.op.Method != method || len(p.segs) != len(segs) {
			continue
		}
		if key, vs := fit(p.segs, segs); key != "" && (best == nil || key < rank) {
			best, rank, values = p.op, key, vs
		}
	}
	return best, values
}

func fit(want, have []string) (key string, values []string) {
	for i, w := range want {
		switch {
		case w == "{stateKey}" || strings.HasPrefix(w, "{") && have[i] != "":
			key, values = key+"1", append(values, have[i])
		case w == have[i]:
			key += "0"
		default:
			return "", nil
		}
	}
	return key, values
}

func TestRoutesAgreeWithASlowMatcher(t *testing.T) {
	rt, ops := specRouter(t)
	ps := patterns(ops)
	rnd := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"", "!", ":", "@", "$", "=", "*", "#", "%2F", "%25", ".", "..", "a", "query", "directory", "rooms", "global", "+", "é", `"`}
	methods := []string{"GET", "PUT", "POST", "DELETE", "PATCH"}
	found := 0
	for range 60_000 {
		o := ops[rnd.IntN(len(ops))]
		segs := strings.Split(o.Path, "/")
		for i, s := range segs[1:] {
			if strings.HasPrefix(s, "{") || rnd.IntN(40) == 0 {
				segs[i+1] = pieces[rnd.IntN(len(pieces))] + pieces[rnd.IntN(len(pieces))]
			}
		}
		method := o.Method
		if rnd.IntN(10) == 0 {
			method = methods[rnd.IntN(len(methods))]
		}
		path := strings.Join(segs, "/")
		want, values := match(ps, method, segs)
		var p Params
		s := search{method: method, params: &p}
		n := rt.root.find(path[1:], &s)
		if want == nil {
			require.Nil(t, n, path)
			continue
		}
		require.NotNil(t, n, path)
		i := slices.IndexFunc(n.ops, func(r route) bool { return r.op.Method == method })
		require.Equal(t, want.ID, n.ops[i].op.ID, path)
		require.Equal(t, values, append([]string(nil), p.raw[:p.n]...), path)
		found++
	}
	require.Greater(t, found, 30_000, "most of the paths lead somewhere")
}

func TestAPlainPathIsRoutedWithoutAllocating(t *testing.T) {
	rt, _ := specRouter(t)
	r := httptest.NewRequest("PUT", "/_matrix/client/v3/rooms/!abc:ex.org/send/m.room.message/t1", nil)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var p Params
		s := search{method: r.Method, params: &p}
		if rt.root.find(rawPath(r)[1:], &s) == nil {
			t.Fatal("not found")
		}
		for i := range 3 {
			if v, err := p.Path(i); err != nil || v == "" {
				t.Fatal(err)
			}
		}
	}))
}

// rawRequest sends the bytes of a request line over a connection, so that no client
// tidies the target up, and returns the answer.
func rawRequest(t *testing.T, addr, method, target string) (*http.Response, string) {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, target)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func TestTargetsOnTheWire(t *testing.T) {
	rt, _ := specRouter(t)
	srv := httptest.NewServer(rt)
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	const state = "/_matrix/client/v3/rooms/!r:x/state/"
	const stateID = "GET/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"
	for target, want := range map[string]string{
		"/_matrix/client/v3/directory/room/%23a%2Fb%3Ax":      "GET/_matrix/client/v3/directory/room/{roomAlias}|#a/b:x",
		"/_matrix/client/v3/directory/room/%2523":             "GET/_matrix/client/v3/directory/room/{roomAlias}|%23",
		"/_matrix/client/v3/directory/room/a+b%2B":            "GET/_matrix/client/v3/directory/room/{roomAlias}|a+b+",
		"/_matrix/client/v3/directory/room/..":                "GET/_matrix/client/v3/directory/room/{roomAlias}|..",
		"/_matrix/client/v3/directory/room/:":                 "GET/_matrix/client/v3/directory/room/{roomAlias}|:",
		"/_matrix/client/v3/directory/room/a%2Fb\"c":          "GET/_matrix/client/v3/directory/room/{roomAlias}|a/b\"c",
		"/_matrix/client/v3/directory/room/%C3%A9\u00e9":      "GET/_matrix/client/v3/directory/room/{roomAlias}|éé",
		"/_matrix/client/v3/directory/room/%00?x=/..":         "GET/_matrix/client/v3/directory/room/{roomAlias}|\x00",
		state + "m.room.name/":                                stateID + "|!r:x|m.room.name|",
		state + "m.room.name":                                 stateID + "|!r:x|m.room.name|",
		state + "m.room.member/%40a%3Ax":                      stateID + "|!r:x|m.room.member|@a:x",
		state + "m%2Fn/%2F":                                   stateID + "|!r:x|m/n|/",
		"/_matrix/federation/v1/query/directory":              "GET/_matrix/federation/v1/query/directory",
		"/_matrix/federation/v1/query/other":                  "GET/_matrix/federation/v1/query/{queryType}|other",
		"/_matrix/federation/v1/query/%64irectory":            "GET/_matrix/federation/v1/query/{queryType}|directory",
		"/_matrix/client/v3/pushrules/":                       "GET/_matrix/client/v3/pushrules/",
		"/_matrix/client/v3/user/:/rooms/query/tags":          "GET/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags|:|query",
		"http://other/_matrix/client/v3/directory/room/%2F":   "GET/_matrix/client/v3/directory/room/{roomAlias}|/",
		"/_matrix/client/v3/directory/room/%2e%2e%2f%2E%2Fx?": "GET/_matrix/client/v3/directory/room/{roomAlias}|.././x",
	} {
		resp, body := rawRequest(t, addr, "GET", target)
		require.Equal(t, 200, resp.StatusCode, "%s: %s", target, body)
		quoted := string(text(want).AppendJSON(nil))
		require.Equal(t, quoted, body, target)
	}
	for target, want := range map[string]int{
		"/":                                  404,
		"//":                                 404,
		"/_matrix/client/versions/":          404,
		"/_matrix/client//versions":          404,
		"//_matrix/client/versions":          404,
		"/_matrix/client/../client/versions": 404,
		"/_matrix/client/v3/pushrules":       404,
		"/_matrix/client/v3/rooms//state":    404,
		state:                                404,
		state + "/":                          404,
		state + "a/b/":                       404,
		"/_matrix/client/%76ersions":         404,
		"/_matrix%2Fclient%2Fversions":       404,
		"/_matrix/client/v3/directory/room/": 404,
		"/_matrix/client/v3/createRoom":      405,
	} {
		resp, body := rawRequest(t, addr, "GET", target)
		require.Equal(t, want, resp.StatusCode, "%s: %s", target, body)
		require.Contains(t, body, `"errcode":"M_UNRECOGNIZED"`, target)
		require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
		require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
		require.Empty(t, resp.Header.Get("Location"))
	}
	resp, body := rawRequest(t, addr, "GET", "/_matrix/client/v3/directory/room/%FF")
	require.Equal(t, 400, resp.StatusCode)
	require.Contains(t, body, `"errcode":"M_INVALID_PARAM"`)
	require.Contains(t, body, `roomAlias`, "the parameter is named")
}

func TestInvalidEscapesInAPath(t *testing.T) {
	rt := NewRouter(Config{})
	rt.Add(op("GET", "/a/{x}"), reply)
	for _, path := range []string{"/a/%", "/a/%2", "/a/%zz", "/a/b%2Fc%q"} {
		r := httptest.NewRequest("GET", "/a/b", nil)
		r.URL = &url.URL{Path: path, RawPath: path}
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		requireError(t, w, 400, "M_INVALID_PARAM", path)
	}
}

func TestMethods(t *testing.T) {
	rt, _ := specRouter(t)
	const path = "/_matrix/client/v3/rooms/!r:x/state/m.room.name/"
	for _, method := range []string{"DELETE", "PATCH", "HEAD", "TRACE", "get", "FOO"} {
		w := do(rt, method, path, "")
		requireError(t, w, 405, "M_UNRECOGNIZED", method)
		require.Equal(t, "GET, OPTIONS, PUT", w.Header().Get("Allow"))
	}
	requireError(t, do(rt, "HEAD", "/_matrix/client/versions", ""), 405, "M_UNRECOGNIZED")
	requireError(t, do(rt, "FOO", "/nowhere", ""), 404, "M_UNRECOGNIZED")

	declared := NewRouter(Config{})
	declared.Add(op("HEAD", "/h"), reply)
	require.Equal(t, 200, do(declared, "HEAD", "/h", "").Code)
}

func TestAMethodIsLookedForBehindTheParameterToo(t *testing.T) {
	rt := NewRouter(Config{})
	rt.Add(op("GET", "/a/literal"), reply)
	rt.Add(op("PUT", "/a/{x}"), reply)
	rt.Add(op("GET", "/a/{x}/c"), reply)
	require.Equal(t, "GET/a/literal", said(t, do(rt, "GET", "/a/literal", "")))
	require.Equal(t, "PUT/a/{x}|literal", said(t, do(rt, "PUT", "/a/literal", "")))
	require.Equal(t, "GET/a/{x}/c|literal", said(t, do(rt, "GET", "/a/literal/c", "")))
	w := do(rt, "DELETE", "/a/literal", "")
	requireError(t, w, 405, "M_UNRECOGNIZED")
	require.Equal(t, "GET, OPTIONS", w.Header().Get("Allow"))
}

func TestPreflight(t *testing.T) {
	rt := NewRouter(Config{})
	rt.Add(op("GET", "/_matrix/client/versions"), func(context.Context, *Exchange) error { panic("OPTIONS ran the endpoint") })
	for _, path := range []string{"/_matrix/client/versions", "/_matrix/client/nothing", "/"} {
		w := do(rt, "OPTIONS", path, "")
		require.Equal(t, 204, w.Code)
		require.Empty(t, w.Body.String())
		require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
		require.Equal(t, "GET, POST, PUT, DELETE, OPTIONS", w.Header().Get("Access-Control-Allow-Methods"))
		require.Equal(t, "X-Requested-With, Content-Type, Authorization", w.Header().Get("Access-Control-Allow-Headers"))
	}
	w := do(rt, "OPTIONS", "/_matrix/identity/v2", "")
	require.Equal(t, "Origin, X-Requested-With, Content-Type, Accept, Authorization", w.Header().Get("Access-Control-Allow-Headers"))
}

func TestOperationsThatShareARoute(t *testing.T) {
	rt := NewRouter(Config{})
	add := func(id, method, when string) {
		rt.Add(&Operation{ID: id, Method: method, Path: "/r/{roomId}/invite", When: when}, reply)
	}
	add("byUser", "POST", "body:user_id")
	add("byMedium", "POST", "body:medium")
	add("plain", "GET", "")
	add("peek", "GET", "query:room_id")
	for body, want := range map[string]string{
		`{"user_id":"@a:x"}`:              "byUser",
		`{"medium":"email"}`:              "byMedium",
		`{"a":{"user_id":1},"medium":{}}`: "byMedium",
		`{"user_id":1,"medium":2}`:        "byUser",
		`{"us\u0065r_id":1}`:              "byUser",
		`{}`:                              "byUser",
		`[{"medium":1}]`:                  "byUser",
		`{"medium"`:                       "byMedium",
		`{"a":tru,"medium":1}`:            "byUser",
		``:                                "byUser",
	} {
		require.Equal(t, want+"|!x", said(t, do(rt, "POST", "/r/!x/invite", body)), body)
	}
	require.Equal(t, "plain|!x", said(t, do(rt, "GET", "/r/!x/invite?roomid=1", "")))
	require.Equal(t, "peek|!x", said(t, do(rt, "GET", "/r/!x/invite?a&room%5Fid=1", "")))
	requireError(t, do(rt, "GET", "/r/!x/invite?room_id=%zz", ""), 400, "M_INVALID_PARAM")
	require.Panics(t, func() { add("byUserAgain", "POST", "body:user_id") })
	require.Panics(t, func() { add("plainAgain", "GET", "") })
	require.Panics(t, func() { rt.Add(op("GET", strings.Repeat("/{p}", maxParams+1)), reply) })
}

func BenchmarkRoute(b *testing.B) {
	rt, _ := specRouter(b)
	for name, target := range map[string]string{
		"plain":   "/_matrix/client/v3/rooms/!abc:ex.org/send/m.room.message/t1",
		"escaped": "/_matrix/client/v3/rooms/%21abc%3Aex.org/send/m.room.message/t%2F1",
	} {
		r := httptest.NewRequest("PUT", target, nil)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var p Params
				s := search{method: r.Method, params: &p}
				if rt.root.find(rawPath(r)[1:], &s) == nil {
					b.Fatal()
				}
				for i := range p.n {
					if _, err := p.Path(i); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
