// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.LoginToken = LoginToken{}

// LoginToken stands for login_token.yaml.
type LoginToken struct{}

// GenerateLoginToken is not served yet.
func (LoginToken) GenerateLoginToken(context.Context, api.Caller, *clientapi.GenerateLoginTokenRequest) (*clientapi.GenerateLoginTokenResponse, error) {
	return nil, api.Unfinished()
}
