// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.ThirdPartyInvite = FedThirdPartyInvite{}

// FedThirdPartyInvite stands for third_party_invite.yaml.
type FedThirdPartyInvite struct{}

// OnBindThirdPartyIdentifier is not served yet.
func (FedThirdPartyInvite) OnBindThirdPartyIdentifier(context.Context, *fedapi.OnBindThirdPartyIdentifierRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// ExchangeThirdPartyInvite is not served yet.
func (FedThirdPartyInvite) ExchangeThirdPartyInvite(context.Context, id.ServerName, *fedapi.ExchangeThirdPartyInviteRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
