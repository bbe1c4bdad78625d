// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.OpenID = OpenID{}

// OpenID stands for openid.yaml.
type OpenID struct{}

// RequestOpenIDToken is not served yet.
func (OpenID) RequestOpenIDToken(context.Context, api.Caller, *clientapi.RequestOpenIDTokenRequest) (*clientapi.RequestOpenIDTokenResponse, error) {
	return nil, api.Unfinished()
}
