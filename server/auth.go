// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/go-openapi/runtime"

	"touchstone.example/api"
	"touchstone.example/api/id"
)

// authenticators say who makes a request, for each kind of operation.
func (s *features) authenticators() map[api.Auth]runtime.Authenticator {
	user := api.TokenAuthenticator(s.accounts.Caller)
	return map[api.Auth]runtime.Authenticator{
		api.AuthUser: user,
		api.AuthAppService: api.TokenAuthenticator(func(r *http.Request, token string) (api.Caller, error) {
			if _, err := s.accounts.Caller(r, token); err != nil {
				return api.Caller{}, err
			}
			return api.Caller{}, api.Forbidden("Only application services may do this")
		}),
		api.AuthServer: api.SignatureAuthenticator(func(*http.Request, []api.XMatrix) (id.ServerName, error) {
			return "", api.Unauthorized("This server does not federate yet")
		}),
	}
}
