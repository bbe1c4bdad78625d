// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.ThirdPartyMembership = ThirdPartyMembership{}

// ThirdPartyMembership stands for third_party_membership.yaml.
type ThirdPartyMembership struct{}

// InviteBy3PID is not served yet.
func (ThirdPartyMembership) InviteBy3PID(context.Context, api.Caller, *clientapi.InviteBy3PIDRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
