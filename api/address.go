// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// ClientAddresses sets RemoteAddr to the client's address if a request came through
// trusted proxies. Each proxy appends to X-Forwarded-For the address of its own client,
// and only entries of trusted proxies count: the client is the right-most address that
// is not one of theirs. The first ignored header is logged: a proxy may be missing in
// the settings, and all its clients would count as one.
func ClientAddresses(next http.Handler, proxies []netip.Prefix, log *slog.Logger) http.Handler {
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwarded := r.Header["X-Forwarded-For"]
		peer, ok := AddressOf(r)
		if !ok || len(forwarded) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if client := forwardedClient(peer, forwarded, proxies); client != peer {
			r = r.WithContext(r.Context()) // net/http keeps its own
			r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		} else {
			once.Do(func() {
				log.LogAttrs(r.Context(), slog.LevelInfo,
					"X-Forwarded-For is not believed: its sender is not in listeners.trusted_proxies",
					slog.String("address", peer.String()))
			})
		}
		next.ServeHTTP(w, r)
	})
}

// AddressOf is a request's client address.
func AddressOf(r *http.Request) (netip.Addr, bool) { return parseAddress(r.RemoteAddr) }

// forwardedClient reads the entries from the server towards the client. It stops at the
// first address that is not a trusted proxy, and at an entry that is not an address.
func forwardedClient(peer netip.Addr, forwarded []string, proxies []netip.Prefix) netip.Addr {
	client := peer
	ours := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for _, hop := range slices.Backward(hops) {
		before, ok := parseAddress(strings.TrimSpace(hop))
		if !ours(client) || !ok {
			break
		}
		client = before
	}
	return client
}

// parseAddress reads an address with or without a port, as proxies write them.
func parseAddress(text string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}

type addressKey struct{}

// withAddress puts the client address into the context of a public operation, whose
// callers are not otherwise known. Known callers are parameters.
func withAddress(ctx context.Context, r *http.Request) context.Context {
	a, ok := AddressOf(r)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, addressKey{}, a.String())
}

// ClientAddress is the client address of a public operation's request as text, empty if
// not known.
func ClientAddress(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}
