// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// maxFlood is how much memory, in MiB, one account may make the server take by
// asking for what it does not read.
const maxFlood = 200

// startMemoryServer starts a process with a room of large messages. Its responses
// are not validated, since that takes memory too.
func startMemoryServer(t *testing.T, messages, size int, settings ...string) (*harness.Server, *harness.User, string) {
	t.Helper()
	s := harness.Start(t, harness.Options{Process: true, Settings: append([]string{
		"TOUCHSTONE_STRICTNESS_PROFILE=lenient", "TOUCHSTONE_STRICTNESS_ANSWERS=false", "TOUCHSTONE_LISTENERS_WRITE_TIMEOUT=200ms",
	}, settings...)})
	u := s.User(t, "flood")
	room := u.PublicRoom(t)
	var all sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		all.Go(func() {
			for next.Add(1) <= int64(messages) {
				if _, err := u.TrySend(t.Context(), room, harness.Txn(), strings.Repeat("x", size)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return s, u, room
}

// memory returns a value of a process's status in MiB.
func memory(t *testing.T, s *harness.Server, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Pid()))
	if err != nil {
		t.Skip("NOT RUN: how much memory a process takes is read from /proc, and this machine has none")
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			require.NoError(t, err)
			return kib / 1024
		}
	}
	require.Failf(t, "no such value", "%s", name)
	return 0
}

// taken returns by how much the server's memory has grown at most since resetPeak.
func taken(t *testing.T, s *harness.Server, before int) int {
	t.Helper()
	peak := memory(t, s, "VmHWM")
	t.Logf("the server took %d MiB before, and up to %d MiB: %d MiB more", before, peak, peak-before)
	return peak - before
}

func resetPeak(t *testing.T, s *harness.Server) int {
	t.Helper()
	// Where this is not allowed, the peak is since the server's start.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.Pid()), []byte("5"), 0)
	return memory(t, s, "VmRSS")
}

// connectWithoutReading dials with as little room for answers as the machine allows.
func connectWithoutReading(t *testing.T, address string) net.Conn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	conn, err := d.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// page asks for a thousand messages.
func page(room string) string {
	return harness.Path("v3/rooms/{}/messages", room) + "?dir=b&limit=1000"
}

// TestMemoryOfConnectionsThatDoNotRead: a hundred connections of one user ask for
// 10 MB each, of a page or of everything, and take none of it. That costs little, and the server hangs up.
func TestMemoryOfConnectionsThatDoNotRead(t *testing.T) {
	s, u, room := startMemoryServer(t, 400, 24<<10)
	before := resetPeak(t, s)
	var conns []net.Conn
	everything := harness.Path("v3/sync") + "?filter=" + url.QueryEscape(`{"room":{"timeline":{"limit":1000}}}`)
	for i := range 100 {
		conn := connectWithoutReading(t, strings.TrimPrefix(s.URL(), "http://"))
		_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: hs1\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n", []string{page(room), everything}[i%2], u.Token)
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	awaitQuiet(t, s)
	require.Less(t, taken(t, s, before), maxFlood)
	for _, conn := range conns { // what was on its way is still there to read
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		_, err := io.Copy(io.Discard, io.LimitReader(conn, 24<<20))
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server still holds on to an answer")
		conn.Close()
	}
}

// TestMemoryOfManyHTTP2Streams: one HTTP/2 connection asks sixty times at
// once, and gives the server no leave to send.
func TestMemoryOfManyHTTP2Streams(t *testing.T) {
	cert, key := certificate(t)
	s, u, room := startMemoryServer(t, 400, 24<<10, "TOUCHSTONE_LISTENERS_FEDERATION_ADDRESS=127.0.0.1:0",
		"TOUCHSTONE_LISTENERS_FEDERATION_TLS_CERT_FILE="+cert, "TOUCHSTONE_LISTENERS_FEDERATION_TLS_KEY_FILE="+key)
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 64 << 10},
	}}
	t.Cleanup(client.CloseIdleConnections)
	before := resetPeak(t, s)
	var all sync.WaitGroup
	bodies := make(chan io.ReadCloser, 60)
	for range cap(bodies) {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.FederationURL()+page(room), nil)
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+u.Token)
			resp, err := client.Do(r)
			if err != nil {
				t.Logf("no answer: %v", err)
				return
			}
			require.Equal(t, 2, resp.ProtoMajor)
			bodies <- resp.Body
		})
	}
	awaitQuiet(t, s)
	require.Less(t, taken(t, s, before), maxFlood)
	all.Wait()
	close(bodies)
	for body := range bodies { // what was on its way is still there to read
		n, _ := io.Copy(io.Discard, body)
		require.Less(t, n, int64(512<<10), "the server still holds on to an answer")
		body.Close()
	}
}

// TestMemoryOfOneLargeResponse: a thousand messages of the largest size are asked for at
// once, and read.
func TestMemoryOfOneLargeResponse(t *testing.T) {
	s, u, room := startMemoryServer(t, 1000, 63<<10)
	before := resetPeak(t, s)
	a := s.Do(t, harness.Request{Method: http.MethodGet, Path: page(room), Token: u.Token})
	require.Equal(t, http.StatusOK, a.Status)
	t.Logf("an answer of %d KiB", len(a.Body)>>10)
	require.Less(t, taken(t, s, before), maxFlood)
	messages := 0
	for _, ev := range u.AllMessages(t, room, "b", 1000) {
		if ev.At("type").String() == "m.room.message" {
			messages++
		}
	}
	require.Equal(t, 1000, messages, "pages are shorter, and nothing is lost")
}

// awaitQuiet waits until the server's memory no longer grows and it uses no
// processor time.
func awaitQuiet(t *testing.T, s *harness.Server) {
	t.Helper()
	quiet, last := 0, int64(-1)
	require.Eventually(t, func() bool {
		now := cpuTicks(t, s)
		if quiet++; now-last > 2 {
			quiet = 0
		}
		last = now
		return quiet >= 10
	}, 2*time.Minute, 200*time.Millisecond)
}

// cpuTicks is how long a process has worked.
func cpuTicks(t *testing.T, s *harness.Server) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Pid()))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.ParseInt(fields[11], 10, 64)
	require.NoError(t, err)
	system, err := strconv.ParseInt(fields[12], 10, 64)
	require.NoError(t, err)
	return user + system
}

// certificate makes files with a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hs1"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	folder := t.TempDir()
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return certFile, keyFile
}
