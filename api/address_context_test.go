// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientAddress(t *testing.T) {
	for remote, want := range map[string]string{"192.0.2.1:4000": "192.0.2.1", "[2001:db8::1]:1": "2001:db8::1", "@": ""} {
		for auth, want := range map[Auth]string{AuthNone: want, AuthUser: ""} {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = remote
			x := &Exchange{R: r, Op: &Operation{Auth: auth}, router: &Router{}}
			got := "not called"
			_, err := serve(t.Context(), x, Nobody, nil, func(ctx context.Context, _ struct{}, _ *struct{}) (Empty, error) {
				got = ClientAddress(ctx)
				return Empty{}, nil
			})
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}
