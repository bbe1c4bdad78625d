// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.InvitesV1 = FedInvitesV1{}

// FedInvitesV1 stands for invites-v1.yaml.
type FedInvitesV1 struct{}

// SendInviteV1 is not served yet.
func (FedInvitesV1) SendInviteV1(context.Context, id.ServerName, *fedapi.SendInviteV1Request) (*fedapi.SendInviteV1Response, error) {
	return nil, api.Unfinished()
}
