// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.RegistrationTokens = RegistrationTokens{}

// RegistrationTokens stands for registration_tokens.yaml.
type RegistrationTokens struct{}

// RegistrationTokenValidity is not served yet.
func (RegistrationTokens) RegistrationTokenValidity(context.Context, *clientapi.RegistrationTokenValidityRequest) (*clientapi.RegistrationTokenValidityResponse, error) {
	return nil, api.Unfinished()
}
