// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/server/config"
)

// bound is far longer than a stop may take with clients that hang.
const bound = 15 * time.Second

// empty are listeners with a server that has nothing but its goroutines.
func empty(t *testing.T) (*Listeners, *Server) {
	l := &Listeners{cfg: config.LabDefault(), log: slog.New(slog.DiscardHandler)}
	l.begin(t.Context())
	s := &Server{cfg: l.cfg, log: l.log}
	s.begin(t.Context())
	l.serve(s)
	return l, s
}

// only answers what comes to any server behind the listeners.
func only(l *Listeners, answer http.HandlerFunc) http.Handler {
	return l.handler(func(*Server) http.Handler { return answer })
}

// TestStopInOrder: while requests are under way, the work in the background and
// the feed go on; then they end one after the other.
func TestStopInOrder(t *testing.T) {
	l, s := empty(t)
	order := make(chan string, 10)
	began, finish := make(chan struct{}), make(chan struct{})
	at := config.TLSListener{Address: "127.0.0.1:0"}
	require.NoError(t, l.open("client", at, only(l, func(http.ResponseWriter, *http.Request) {
		close(began)
		<-finish
		order <- "request"
	})))
	background := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			<-ctx.Done()
			order <- name
			return ctx.Err()
		}
	}
	s.stream.Go("feed", background("feed"))
	s.work.Go("work", background("work"))
	answered := make(chan error, 1)
	go func() {
		answer, err := http.Get(l.ClientURL())
		if err == nil {
			answer.Body.Close()
		}
		answered <- err
	}()
	<-began
	l.main.Stop()
	<-s.waiting.Done() // who waits for news is told before anything else ends
	require.Empty(t, order)
	close(finish)
	require.NoError(t, l.Wait())
	require.NoError(t, <-answered)
	require.Equal(t, "request", <-order)
	require.Equal(t, "work", <-order)
	require.Equal(t, "feed", <-order)
}

// TestAFailureStopsInOrder: what fails in one stage stops the whole server, and
// is what Wait returns.
func TestAFailureStopsInOrder(t *testing.T) {
	l, s := empty(t)
	ended := make(chan struct{})
	s.stream.Go("feed", func(ctx context.Context) error {
		<-ctx.Done()
		close(ended)
		return nil
	})
	s.work.Go("work", func(context.Context) error { return fmt.Errorf("broken") })
	require.EqualError(t, l.Wait(), "work: broken")
	<-ended
	require.EqualError(t, l.Close(t.Context()), "work: broken")
}

// TestStopOverHTTP2: streams are answered as requests are, and the connection that
// carries them ends.
func TestStopOverHTTP2(t *testing.T) {
	l, s := empty(t)
	reached := make(chan struct{}, 3)
	at := config.TLSListener{Address: "127.0.0.1:0"}
	at.TLSCertFile, at.TLSKeyFile = certificateFiles(t)
	require.NoError(t, l.open("client", at, only(l, func(w http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-s.waiting.Done()
		fmt.Fprint(w, r.Proto)
	})))
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	answers := make(chan string, 3)
	for range 3 {
		go func() {
			answer, err := client.Get(l.ClientURL())
			if err != nil {
				answers <- err.Error()
				return
			}
			defer answer.Body.Close()
			text, _ := io.ReadAll(answer.Body)
			answers <- string(text)
		}()
		<-reached
	}
	begin := time.Now()
	require.NoError(t, l.Close(t.Context()))
	require.Less(t, time.Since(begin), stopPatience)
	for range 3 {
		require.Equal(t, "HTTP/2.0", <-answers)
	}
}

// certificateFiles are those of a certificate that nobody trusts.
func certificateFiles(t *testing.T) (cert, key string) {
	ts := httptest.NewTLSServer(nil)
	defer ts.Close()
	pair := ts.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	}
	return cert, key
}

// TestStopWithClientsThatHang: a request that takes too long hears that the
// server stops, and one whose client does nothing is cut off.
func TestStopWithClientsThatHang(t *testing.T) {
	t.Parallel()
	l, _ := empty(t)
	reached := make(chan struct{}, 2)
	why, readError := make(chan error, 1), make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
		why <- context.Cause(r.Context())
	})
	mux.HandleFunc("/read", func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		_, err := r.Body.Read(make([]byte, 1))
		readError <- err
	})
	require.NoError(t, l.open("client", config.TLSListener{Address: "127.0.0.1:0"}, only(l, mux.ServeHTTP)))
	dial := func(request string) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(l.ClientURL(), "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprint(conn, request)
		require.NoError(t, err)
		return conn
	}
	slow := dial("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	defer slow.Close()
	hung := dial("POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
	defer hung.Close()
	for range 2 {
		<-reached
	}
	begin := time.Now()
	require.NoError(t, l.Close(t.Context()))
	require.Less(t, time.Since(begin), bound)
	require.Equal(t, api.ErrStopping, <-why)
	require.Error(t, <-readError)
	answer, err := http.ReadResponse(bufio.NewReader(slow), nil)
	require.NoError(t, err)
	require.True(t, answer.Close, "the client is not to ask again on this connection")
}

// TestStopWithWorkThatHangs: what does not end is left behind, and said.
func TestStopWithWorkThatHangs(t *testing.T) {
	t.Parallel()
	l, s := empty(t)
	never := make(chan struct{})
	defer close(never)
	s.work.Go("endless work", func(context.Context) error {
		<-never
		return nil
	})
	begin := time.Now()
	require.EqualError(t, l.Close(t.Context()), "the server stops without waiting any longer for endless work")
	require.Less(t, time.Since(begin), bound)
}
