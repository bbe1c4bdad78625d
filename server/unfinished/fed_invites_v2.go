// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.InvitesV2 = FedInvitesV2{}

// FedInvitesV2 stands for invites-v2.yaml.
type FedInvitesV2 struct{}

// SendInviteV2 is not served yet.
func (FedInvitesV2) SendInviteV2(context.Context, id.ServerName, *fedapi.SendInviteV2Request) (*fedapi.SendInviteV2Response, error) {
	return nil, api.Unfinished()
}
