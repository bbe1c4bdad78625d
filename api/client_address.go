// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net"
	"net/http"
)

type addressKey struct{}

// withAddress puts where a request of nobody's comes from into its context, for
// want of anything else to tell one from another by. Callers who are known are
// parameters.
func withAddress(ctx context.Context, r *http.Request) context.Context {
	return context.WithValue(ctx, addressKey{}, r.RemoteAddr)
}

// ClientAddress is where the request of a public operation comes from, as text;
// empty where nobody knows.
func ClientAddress(ctx context.Context) string {
	remote, _ := ctx.Value(addressKey{}).(string)
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return "" // a transport without addresses
	}
	return host
}
