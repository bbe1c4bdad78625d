// SPDX-License-Identifier: Apache-2.0

package outbound_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/outbound"
)

func TestPublicAddresses(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::1.1.1.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
		"3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		require.False(t, outbound.Public(netip.MustParseAddr(text)), text)
	}
	for _, text := range []string{"1.1.1.1", "9.255.255.255", "11.0.0.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "223.255.255.255", "::ffff:1.1.1.1", "2606:4700::1111", "2a00::1"} {
		require.True(t, outbound.Public(netip.MustParseAddr(text)), text)
	}
	require.False(t, outbound.Public(netip.Addr{}), "no address")
}

// names is a resolver of which each lookup of any name gets the next of the
// answers, and the last one from then on.
func names(answers ...[]string) *net.Resolver {
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for {
				var length [2]byte
				if _, err := io.ReadFull(theirs, length[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(length[:]))
				if _, err := io.ReadFull(theirs, query); err != nil {
					return
				}
				end := 12 // of the question, whose type stands in its last four bytes
				for query[end] != 0 {
					end += int(query[end]) + 1
				}
				end += 5
				var addresses []string
				if isA := query[end-3] == 1; isA {
					addresses = answers[min(int(asked.Add(1))-1, len(answers)-1)]
				}
				out := append([]byte{}, query[:end]...)
				copy(out[2:12], []byte{0x81, 0x80, 0, 1, 0, byte(len(addresses)), 0, 0, 0, 0})
				for _, a := range addresses {
					four := netip.MustParseAddr(a).As4()
					out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
					out = append(out, four[:]...)
				}
				if _, err := theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}}
}

const timeout = 10 * time.Second

func get(way *http.Transport, url string) error {
	res, err := (&http.Client{Transport: way}).Get(url)
	if err == nil {
		res.Body.Close()
	}
	return err
}

// reached counts the connections that a server of this machine gets.
func reached(t *testing.T, h http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	var n atomic.Int64
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &n
}

func portOf(s *httptest.Server) string { return s.URL[strings.LastIndexByte(s.URL, ':')+1:] }

// TestHostsThatAreRefused: an address is refused in whatever way it is written,
// and a name by what it turns out to be.
func TestHostsThatAreRefused(t *testing.T) {
	s, n := reached(t, func(http.ResponseWriter, *http.Request) {})
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "169.254.169.254",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]",
		"[fe80::1]", "[fe80::1%25lo]", "[fd00:ec2::254]", "localhost", "①②⑦.⓪.⓪.①",
	} {
		way := outbound.Transport(outbound.Options{Timeout: timeout})
		require.ErrorContains(t, get(way, "http://"+host+":"+portOf(s)+"/"), "is not an address of the internet", host)
	}
	// To some resolvers these are addresses, to others names of any address, or
	// of none.
	for _, host := range []string{"2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1", "127.0.0.1.", "inner.example.org", "127.0.0.1.example.org"} {
		for _, addresses := range [][]string{{"127.0.0.1"}, {"10.0.0.1", "127.0.0.1", "0.0.0.0"}} {
			way := outbound.TransportTo(outbound.Options{Timeout: timeout}, outbound.Public, names(addresses))
			err := get(way, "http://"+host+":"+portOf(s)+"/")
			require.Error(t, err, host)
			require.Regexp(t, "is not an address of the internet|no such host", err.Error(), host)
			if strings.HasSuffix(host, "example.org") {
				require.ErrorContains(t, err, "is not an address of the internet", host)
			}
		}
	}
	require.Zero(t, n.Load())
	open := outbound.Transport(outbound.Options{Timeout: timeout, AllowPrivate: true})
	require.NoError(t, get(open, s.URL))
	require.EqualValues(t, 1, n.Load())
}

// loopback lets one address of this machine stand for the internet.
func loopback(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.1") }

// TestNamesWithSeveralAddresses: of the addresses of a name only those that may
// be reached are.
func TestNamesWithSeveralAddresses(t *testing.T) {
	s, n := reached(t, func(http.ResponseWriter, *http.Request) {})
	var tried []string
	allowed := func(a netip.Addr) bool { tried = append(tried, a.String()); return loopback(a) }
	way := outbound.TransportTo(outbound.Options{Timeout: timeout}, allowed, names([]string{"127.0.0.2", "127.0.0.1"}))
	require.NoError(t, get(way, "http://several.example.org:"+portOf(s)+"/"))
	require.EqualValues(t, 1, n.Load())
	require.Equal(t, "127.0.0.1", tried[len(tried)-1])
}

// TestNamesThatChange: what a name was when somebody looked before does not
// count, nor what it is when a connection is used again.
func TestNamesThatChange(t *testing.T) {
	s, n := reached(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	resolver := names([]string{"127.0.0.1"}, []string{"127.0.0.1"}, []string{"127.0.0.2"})
	before, err := resolver.LookupHost(t.Context(), "changes.example.org")
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1"}, before)
	way := outbound.TransportTo(outbound.Options{Timeout: timeout}, loopback, resolver)
	url := "http://changes.example.org:" + portOf(s) + "/"
	require.NoError(t, get(way, url), "the second lookup")
	require.ErrorContains(t, get(way, url), "127.0.0.2 is not an address of the internet", "the third")
	require.EqualValues(t, 1, n.Load())
}

// TestRedirects: where one leads is looked at as well.
func TestRedirects(t *testing.T) {
	inner, n := reached(t, func(http.ResponseWriter, *http.Request) {})
	for _, to := range []string{"http://127.0.0.2:", "http://[::1]:", "http://[::ffff:127.0.0.2]:", "http://0.0.0.0:"} {
		outer := httptest.NewServer(http.RedirectHandler(to+portOf(inner)+"/", http.StatusTemporaryRedirect))
		way := outbound.TransportTo(outbound.Options{Timeout: timeout}, loopback, nil)
		require.ErrorContains(t, get(way, outer.URL), "is not an address of the internet", to)
		outer.Close()
	}
	require.Zero(t, n.Load())
}

// TestNoProxy: a proxy would look the name up itself, and its own address says
// nothing.
func TestNoProxy(t *testing.T) {
	require.Nil(t, outbound.Transport(outbound.Options{}).Proxy)
}
