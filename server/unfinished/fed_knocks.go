// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.Knocks = FedKnocks{}

// FedKnocks stands for knocks.yaml.
type FedKnocks struct{}

// MakeKnock is not served yet.
func (FedKnocks) MakeKnock(context.Context, id.ServerName, *fedapi.MakeKnockRequest) (*fedapi.MakeKnockResponse, error) {
	return nil, api.Unfinished()
}

// SendKnock is not served yet.
func (FedKnocks) SendKnock(context.Context, id.ServerName, *fedapi.SendKnockRequest) (*fedapi.SendKnockResponse, error) {
	return nil, api.Unfinished()
}
