// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// exchange writes a request by hand and reads what comes back.
func exchange(t *testing.T, s *harness.Server, request string) (*http.Response, string) {
	t.Helper()
	conn := dial(t, s)
	_, err := io.WriteString(conn, request)
	require.NoError(t, err)
	return answer(t, bufio.NewReader(conn), strings.Fields(request)[0])
}

func answer(t *testing.T, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

// TestUncommonRequests: whatever HTTP request a client sends, the response is
// Matrix JSON with CORS headers.
func TestUncommonRequests(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	const (
		host     = " HTTP/1.1\r\nHost: hs1\r\n"
		versions = "/_matrix/client/versions"
	)
	login := "POST " + harness.Path("v3/login") + host
	for _, c := range []struct {
		name, request string
		status        int
		errcode       string
	}{
		{"HTTP/1.0", "GET " + versions + " HTTP/1.0\r\n\r\n", 200, ""},
		{"an absolute target", "GET http://hs1:99" + versions + host + "\r\n", 200, ""},
		{"an absolute target with escapes", "GET http://hs1" + harness.Path("v3/profile/{}", "@a/b:hs1") + host + "\r\n", 404, "M_NOT_FOUND"},
		{"an absolute target without a path", "GET http://hs1" + host + "\r\n", 404, "M_UNRECOGNIZED"},
		{"HEAD", "HEAD " + versions + host + "\r\n", 405, ""},
		{"HEAD of nothing", "HEAD /nothing" + host + "\r\n", 404, ""},
		{"OPTIONS of nothing", "OPTIONS /nothing" + host + "\r\n", 204, ""},
		{"OPTIONS of the whole server", "OPTIONS *" + host + "\r\n", 204, ""},
		{"GET of the whole server", "GET *" + host + "\r\n", 404, "M_UNRECOGNIZED"},
		{"TRACE", "TRACE " + versions + host + "\r\n", 405, "M_UNRECOGNIZED"},
		{"CONNECT", "CONNECT hs1:443" + host + "\r\n", 404, "M_UNRECOGNIZED"},
		{"a method in small letters", "get " + versions + host + "\r\n", 405, "M_UNRECOGNIZED"},
		{"an upgrade", "GET " + versions + host + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200, ""},
		{"a body of a GET", "GET " + versions + host + "Content-Length: 2\r\n\r\n{}", 200, ""},
		{"a long path", "GET /" + strings.Repeat("a", 64<<10) + host + "\r\n", 404, "M_UNRECOGNIZED"},
		{"a long identifier", "GET " + harness.Path("v3/profile/{}", "@"+strings.Repeat("a", 100<<10)+":hs1") + host + "\r\n", 400, "M_INVALID_PARAM"},
		{"a fragment", "GET " + versions + "#x" + host + "\r\n", 404, "M_UNRECOGNIZED"},
		{"a broken escape in the query", "GET /nothing?a=%zz" + host + "\r\n", 404, "M_UNRECOGNIZED"},
		{"a token that is not UTF-8", "GET " + harness.Path("v3/account/whoami") + host + "Authorization: Bearer \xff\r\n\r\n", 401, "M_UNKNOWN_TOKEN"},
		{"chunks", login + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, "M_BAD_JSON"},
		{"chunks and a length", login + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, "M_BAD_JSON"},
		{"chunks that are none", login + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "M_NOT_JSON"},
		{"a chunk longer than it says", login + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400, "M_NOT_JSON"},
		{"a body that nobody waits for", "POST /nothing" + host + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", 404, "M_UNRECOGNIZED"},
		{"a body too large to wait for", login + "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", 413, "M_TOO_LARGE"},
		{"a compressed body", login + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", 400, "M_NOT_JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := exchange(t, s, c.request)
			require.Equal(t, c.status, resp.StatusCode, body)
			require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
			if c.errcode != "" {
				require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
				require.Equal(t, c.errcode, harness.Parse([]byte(body)).At("errcode").String(), body)
			}
		})
	}
}

// TestExpectContinue: a client that sends Expect: 100-continue is asked for the
// body only if the server wants it.
func TestExpectContinue(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	conn := dial(t, s)
	r := bufio.NewReader(conn)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: hs1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", harness.Path("v3/login"))
	resp, _ := answer(t, r, "POST")
	require.Equal(t, http.StatusContinue, resp.StatusCode)
	fmt.Fprint(conn, "{}")
	resp, body := answer(t, r, "POST")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "M_BAD_JSON", harness.Parse([]byte(body)).At("errcode").String())
}

// TestPipelinedRequests: requests that are sent without waiting are answered in their
// order, and a refused one does not take the next with it.
func TestPipelinedRequests(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	conn := dial(t, s)
	const end = " HTTP/1.1\r\nHost: hs1\r\n"
	fmt.Fprint(conn, "GET /_matrix/client/versions"+end+"\r\n"+
		"GET /nothing"+end+"\r\n"+
		"POST "+harness.Path("v3/login")+end+"Content-Length: 2\r\n\r\n{}"+
		"POST /nothing"+end+"Content-Length: 7\r\n\r\nGET /no"+
		"GET /health"+end+"\r\n")
	r := bufio.NewReader(conn)
	for _, want := range []int{200, 404, 400, 404, 200} {
		resp, body := answer(t, r, "GET")
		require.Equal(t, want, resp.StatusCode, body)
		require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	}
}

// TestIncompleteRequestsTimeOut pins what net/http answers by itself, in plain text and
// without CORS headers, and then hangs up: what it cannot read as a request.
// Decision 0053 says why that is so. None of it is a 5xx but what HTTP asks for.
func TestIncompleteRequestsTimeOut(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	const get = "GET /_matrix/client/versions HTTP/1.1\r\n"
	// Just past what net/http reads, so that all of it can be written.
	long := strings.Repeat("x", 128<<10+4096)
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"a broken escape in the path":          {"GET /%zz HTTP/1.1\r\nHost: hs1\r\n\r\n", 400},
		"a space in the path":                  {"GET /a b HTTP/1.1\r\nHost: hs1\r\n\r\n", 400},
		"a control character in the path":      {"GET /\x01 HTTP/1.1\r\nHost: hs1\r\n\r\n", 400},
		"a path that does not begin":           {"GET a HTTP/1.1\r\nHost: hs1\r\n\r\n", 400},
		"a method that is no token":            {"G@T / HTTP/1.1\r\nHost: hs1\r\n\r\n", 400},
		"no host":                              {get + "\r\n", 400},
		"two hosts":                            {get + "Host: hs1\r\nHost: hs2\r\n\r\n", 400},
		"NUL in a header":                      {get + "Host: hs1\r\nX: a\x00b\r\n\r\n", 400},
		"a space after a header's name":        {get + "Host: hs1\r\nX : a\r\n\r\n", 400},
		"two lengths":                          {get + "Host: hs1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400},
		"headers past 128 KiB":                 {get + "Host: hs1\r\nX: " + long, 431},
		"a path past 128 KiB":                  {"GET /" + long, 431},
		"an expectation that nobody has":       {get + "Host: hs1\r\nExpect: more\r\n\r\n", 417},
		"an encoding of transfer with no name": {get + "Host: hs1\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		"a version of HTTP of the future":      {"GET / HTTP/3.0\r\nHost: hs1\r\n\r\n", 505},
	} {
		t.Run(name, func(t *testing.T) {
			resp, _ := exchange(t, s, c.request)
			require.Equal(t, c.status, resp.StatusCode)
			require.True(t, resp.Close)
			require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"), "decision 0053 and its test are out of date: well done")
		})
	}
}
