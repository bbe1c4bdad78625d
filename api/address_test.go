// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClientAddresses: behind proxies, the client is the right-most address of
// X-Forwarded-For that is none of theirs.
func TestClientAddresses(t *testing.T) {
	proxies := []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.1:5", nil, "192.0.2.1"},
		{"a proxy that says nothing", "127.0.0.1:5", nil, "127.0.0.1"},
		{"one proxy", "127.0.0.1:5", []string{"192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "127.0.0.1:5", []string{"192.0.2.1, 10.1.1.1"}, "192.0.2.1"},
		{"two header fields", "127.0.0.1:5", []string{"192.0.2.1", "10.1.1.1"}, "192.0.2.1"},
		{"a client that writes the header itself", "127.0.0.1:5", []string{"198.51.100.7, 192.0.2.1"}, "192.0.2.1"},
		{"a client that claims to be behind a proxy", "127.0.0.1:5", []string{"198.51.100.7, 10.9.9.9, 192.0.2.1, 10.1.1.1"}, "192.0.2.1"},
		{"a client that is no proxy of ours", "192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		{"only proxies", "127.0.0.1:5", []string{"10.1.1.2, 10.1.1.1"}, "10.1.1.2"},
		{"ports", "[::ffff:127.0.0.1]:5", []string{"192.0.2.1:9, [fd00::1]:80"}, "192.0.2.1"},
		{"IPv6", "[fd00::1%eth0]:5", []string{"2001:db8::1, [fd00::2]"}, "2001:db8::1"},
		{"what is no address", "127.0.0.1:5", []string{"192.0.2.1, unknown"}, "127.0.0.1"},
		{"nothing between commas", "127.0.0.1:5", []string{"192.0.2.1,"}, "127.0.0.1"},
		{"an empty header", "127.0.0.1:5", []string{""}, "127.0.0.1"},
		{"no address of its own", "@", []string{"192.0.2.1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			h := ClientAddresses(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if a, ok := AddressOf(r); ok {
					got = a.String()
				}
			}), proxies, slog.New(slog.DiscardHandler))
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			h.ServeHTTP(httptest.NewRecorder(), r)
			require.Equal(t, c.want, got)
		})
	}
}

// TestForwardedIsNotBelievedWithoutProxies: without a setting nobody is trusted.
func TestForwardedIsNotBelievedWithoutProxies(t *testing.T) {
	log, out := logged()
	rt := NewRouter(Config{Log: log})
	got := ""
	rt.Add(op("GET", "/x"), func(_ context.Context, x *Exchange) error {
		got = x.R.RemoteAddr
		return x.Reply(200, text(""))
	})
	r := httptest.NewRequest("GET", "/x", nil)
	r.RemoteAddr = "127.0.0.1:5"
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	h := rt.Handler()
	for range 3 {
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, "127.0.0.1:5", got)
	}
	require.Equal(t, 1, strings.Count(out.String(), "trusted_proxies"))
}
