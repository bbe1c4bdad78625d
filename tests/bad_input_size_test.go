// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestEventSizeLimit finds the longest text that a message may have, and checks
// that the event is then exactly as large as the limit of 65,536 bytes.
func TestEventSizeLimit(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		w := newFixture(t, s)
		fits := func(n int) bool {
			a := s.Do(t, w.send(`{"body":"`+strings.Repeat("x", n)+`"}`))
			if a.Status == http.StatusOK {
				return true
			}
			require.Equal(t, http.StatusRequestEntityTooLarge, a.Status, a)
			require.Equal(t, "M_TOO_LARGE", a.JSON().At("errcode").String())
			return false
		}
		require.False(t, fits(65_537))
		low, high := 0, 65_537
		for high-low > 1 {
			if mid := (low + high) / 2; fits(mid) {
				low = mid
			} else {
				high = mid
			}
		}
		// Hashes, a signature, ids and the names of the members come to more
		// than 500 bytes and to less than 1,000.
		require.Greater(t, low, 64_500)
		require.Less(t, low, 65_036)

		// The first that is refused is one byte too long.
		a := s.Do(t, w.send(`{"body":"`+strings.Repeat("x", low+1)+`"}`))
		require.Contains(t, a.JSON().At("error").String(), "65537 bytes", a)

		wide := low / 2 // the same in letters of two bytes
		require.Equal(t, 200, s.Do(t, w.send(`{"body":"`+strings.Repeat("é", wide)+`"}`)).Status)
		require.Equal(t, 413, s.Do(t, w.send(`{"body":"`+strings.Repeat("é", wide+1)+`"}`)).Status)
	})
}

// TestOversizedBodies: bodies beyond the server's limits are refused before they
// have been sent completely, with and without a Content-Length.
func TestOversizedBodies(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	w := newFixture(t, s)
	send := harness.Path("v3/rooms/{}/send/org.example.content/{}", w.room, w.txn())
	login := harness.Path("v3/login")
	for _, c := range []struct {
		name, head string
		body       string
	}{
		{"announced, with a token", "PUT " + send + " HTTP/1.1\r\nAuthorization: Bearer " + w.alice.Token + "\r\nContent-Length: 104857600", `{"body":"`},
		{"announced, without one", "POST " + login + " HTTP/1.1\r\nContent-Length: 1048576", `{"type":"`},
		{"in chunks, without a token", "POST " + login + " HTTP/1.1\r\nTransfer-Encoding: chunked", chunks(`{"type":"`+strings.Repeat("x", 400<<10), 16<<10)},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := raw(t, s, c.head, c.body)
			require.Equal(t, http.StatusRequestEntityTooLarge, status, body)
			require.Equal(t, "M_TOO_LARGE", harness.Parse([]byte(body)).At("errcode").String(), body)
		})
	}
}

// TestSlowBodies: a connection whose body does not arrive is closed soon.
func TestSlowBodies(t *testing.T) {
	s := harness.Start(t, harness.Options{Settings: []string{"TOUCHSTONE_LISTENERS_BODY_TIMEOUT=300ms"}})
	w := newFixture(t, s)
	status, body := raw(t, s, "POST "+harness.Path("v3/createRoom")+" HTTP/1.1\r\nAuthorization: Bearer "+
		w.alice.Token+"\r\nContent-Length: 100", `{"name":`)
	require.Equal(t, http.StatusRequestTimeout, status, body)
	require.Equal(t, "M_UNKNOWN", harness.Parse([]byte(body)).At("errcode").String(), body)
}

// TestShortBodies: a body that is shorter than its Content-Length is refused.
func TestShortBodies(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	w := newFixture(t, s)
	conn := dial(t, s)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: hs1\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{}",
		harness.Path("v3/createRoom"), w.alice.Token)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	_, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		rooms := w.alice.Get(t, harness.Path("v3/joined_rooms")).At("joined_rooms").Strings()
		require.Equal(t, []string{w.room}, rooms, "no room came of it")
	}
}

// raw writes a request by hand, and returns the answer while the connection
// still waits for the rest of the body.
func raw(t *testing.T, s *harness.Server, head, body string) (int, string) {
	t.Helper()
	conn := dial(t, s)
	_, err := fmt.Fprintf(conn, "%s\r\nHost: hs1\r\nContent-Type: application/json\r\n\r\n%s", head, body)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	return resp.StatusCode, string(text)
}

func dial(t *testing.T, s *harness.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

func chunks(body string, size int) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String()
}
