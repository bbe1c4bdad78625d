// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipes is a listener whose connections hold nothing in between: what one end
// does not read, the other cannot write.
type pipes struct{ conns chan net.Conn }

func (p *pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

const patience = 30 * time.Second

// connect serves some operations in the bubble of a test, on one connection.
func connect(t *testing.T) (net.Conn, *bufio.Reader) {
	soon := func() time.Time { return time.Now().Add(patience) }
	rt := NewRouter(Config{WriteDeadline: soon, BodyDeadline: func(*Operation) time.Time { return soon() }})
	rt.Add(op("GET", "/large"), func(_ context.Context, x *Exchange) error { return x.Reply(200, text(strings.Repeat("x", 1<<20))) })
	rt.Add(op("GET", "/stream"), func(_ context.Context, x *Exchange) error {
		return x.Send(200, "text/plain", -1, io.LimitReader(zeros{}, 1<<20))
	})
	rt.Add(op("GET", "/poll"), func(_ context.Context, x *Exchange) error {
		<-time.After(4 * patience)
		return x.Reply(200, text("late"))
	})
	rt.Add(op("POST", "/body"), func(_ context.Context, x *Exchange) error {
		var v Raw
		if err := x.Body(&v, true); err != nil {
			return err
		}
		return x.Reply(200, text("read"))
	})
	server, client := net.Pipe()
	p := &pipes{conns: make(chan net.Conn, 1)}
	p.conns <- server
	srv := &http.Server{Handler: rt.Handler(), IdleTimeout: 10 * patience}
	go srv.Serve(p)
	t.Cleanup(func() {
		close(p.conns)
		srv.Close()
		client.Close()
	})
	return client, bufio.NewReader(client)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func get(t *testing.T, c net.Conn, path string) {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	require.NoError(t, err)
}

// TestAnswersThatNobodyTakes: the server hangs up on who does not read.
func TestAnswersThatNobodyTakes(t *testing.T) {
	for _, path := range []string{"/large", "/stream", "/nothing"} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := connect(t)
			start := time.Now()
			get(t, c, path)
			<-time.After(patience + time.Second)
			synctest.Wait()
			_, err := c.Write([]byte("GET / HTTP/1.1\r\n"))
			require.ErrorIs(t, err, io.ErrClosedPipe, "%s, after %s", path, time.Since(start))
		})
	}
}

// TestSlowReaders: who reads a little now and then gets all of it.
func TestSlowReaders(t *testing.T) {
	for _, path := range []string{"/large", "/stream"} {
		synctest.Test(t, func(t *testing.T) {
			c, r := connect(t)
			get(t, c, path)
			resp, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			start, got := time.Now(), int64(0)
			for {
				n, err := io.CopyN(io.Discard, resp.Body, writeAtOnce)
				if got += n; err == io.EOF {
					break
				}
				require.NoError(t, err)
				<-time.After(patience - time.Second)
			}
			require.GreaterOrEqual(t, got, int64(1<<20))
			require.Greater(t, time.Since(start), 10*patience)
		})
	}
}

// TestDeadlinesEndWithTheirAnswer: what comes later on a connection has its own.
func TestDeadlinesEndWithTheirAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := connect(t)
		answered := func(method string, status int) {
			resp, err := http.ReadResponse(r, &http.Request{Method: method})
			require.NoError(t, err)
			require.Equal(t, status, resp.StatusCode)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
		}
		get(t, c, "/large")
		answered("GET", 200)
		<-time.After(2 * patience)
		get(t, c, "/poll")
		answered("GET", 200)
		<-time.After(2 * patience)
		fmt.Fprint(c, "POST /body HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		answered("POST", 100)
		fmt.Fprint(c, "{}")
		answered("POST", 200)
		<-time.After(2 * patience)
		fmt.Fprint(c, "OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n")
		answered("OPTIONS", 204)
	})
}

// TestBodiesThatNobodyReads: a body that the answer did not need holds the
// connection no longer than one that it did.
func TestBodiesThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := connect(t)
		start := time.Now()
		fmt.Fprint(c, "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
		resp, err := http.ReadResponse(r, &http.Request{Method: "POST"})
		require.NoError(t, err)
		require.Equal(t, 404, resp.StatusCode)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		_, err = r.ReadByte()
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, patience, time.Since(start))
	})
}

// TestUploadsThatGoOn: a stream may take its time while some of it arrives.
func TestUploadsThatGoOn(t *testing.T) {
	u := &upload{x: &Exchange{R: &http.Request{ContentLength: 1}}, r: io.LimitReader(zeros{}, 1<<20)}
	asked := 0
	u.x.router = NewRouter(Config{BodyDeadline: func(*Operation) time.Time { asked++; return time.Time{} }})
	n, err := io.Copy(struct{ io.Writer }{io.Discard}, u)
	require.NoError(t, err)
	require.Equal(t, int64(1<<20), n)
	require.Equal(t, (1<<20)/writeAtOnce, asked)
}
