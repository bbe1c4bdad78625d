// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"touchstone.example/api"
	"touchstone.example/api/id"
)

// authenticators are the authenticators for each kind of operation.
func (s *features) authenticators() api.Authenticators {
	return api.Authenticators{
		User: api.TokenAuthenticator(s.accounts.Caller),
		AppService: api.TokenAuthenticator(func(r *http.Request, token string) (api.Caller, error) {
			if _, err := s.accounts.Caller(r, token); err != nil {
				return api.Caller{}, err
			}
			return api.Caller{}, api.Forbidden("Only application services may do this")
		}),
		Server: api.SignatureAuthenticator(func(*http.Request, []api.XMatrix) (id.ServerName, error) {
			return "", api.Unauthorized("This server does not federate yet")
		}),
	}
}
