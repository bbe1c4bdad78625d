// SPDX-License-Identifier: Apache-2.0

// Package outbound makes connections to servers whose name comes from outside: from a
// client, an event or another server. Such a name may lead to an address in this
// server's own network, so all these connections are made here. The package must not
// know what is sent on them.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Options say what may be reached, and how.
type Options struct {
	// AllowPrivate lets connections go to private and loopback addresses.
	AllowPrivate bool
	// RootCAs are the trusted CAs; nil: those of the system.
	RootCAs *x509.CertPool
	// Timeout bounds connecting, the TLS handshake and the wait for the header
	// of an answer, each.
	Timeout time.Duration
	// MaxHeader bounds the header of an answer, in bytes.
	MaxHeader int64
}

// Transport returns a transport for such connections. The http.Client follows
// redirects; their addresses are checked like any other.
func Transport(o Options) *http.Transport {
	allowed := public
	if o.AllowPrivate {
		allowed = func(netip.Addr) bool { return true }
	}
	return transport(o, allowed, nil)
}

// transport checks the address when it connects, not when the name is looked up: a
// second look-up may return another address. It uses no proxy, since a proxy would look
// up names itself.
func transport(o Options, allowed func(netip.Addr) bool, resolver *net.Resolver) *http.Transport {
	dial := &net.Dialer{Timeout: o.Timeout, Resolver: resolver, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !allowed(to.Addr()) {
			return fmt.Errorf("%s is not an address of the internet, and federation.allow_private is off", to.Addr())
		}
		return nil
	}}
	return &http.Transport{
		DialContext:            dial.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: o.MaxHeader,
		MaxConnsPerHost:        16,
		MaxIdleConns:           64,
		IdleConnTimeout:        30 * time.Second,
	}
}

// notPublic are the special-purpose addresses of RFC 6890 and its successors that the
// methods of netip.Addr do not know, and those that embed other addresses.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by customers of a provider
	netip.MustParsePrefix("192.0.0.0/24"),    // protocols
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("::/96"),           // IPv4 within IPv6, and the unspecified
	netip.MustParsePrefix("64:ff9b::/96"),    // NAT64 to IPv4
	netip.MustParsePrefix("64:ff9b:1::/48"),  // the same, local
	netip.MustParsePrefix("100::/64"),        // discarded
	netip.MustParsePrefix("2001::/23"),       // protocols, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4, IPv4 within
	netip.MustParsePrefix("3fff::/20"),       // documentation
	netip.MustParsePrefix("5f00::/16"),       // segment routing
	netip.MustParsePrefix("fec0::/10"),       // site-local, of old
}

// public reports whether an address is on the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
