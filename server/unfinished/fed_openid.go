// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.OpenID = FedOpenID{}

// FedOpenID stands for openid.yaml.
type FedOpenID struct{}

// ExchangeOpenIDToken is not served yet.
func (FedOpenID) ExchangeOpenIDToken(context.Context, *fedapi.ExchangeOpenIDTokenRequest) (*fedapi.ExchangeOpenIDTokenResponse, error) {
	return nil, api.Unfinished()
}
