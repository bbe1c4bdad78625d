// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.JoinsV1 = FedJoinsV1{}

// FedJoinsV1 stands for joins-v1.yaml.
type FedJoinsV1 struct{}

// MakeJoin is not served yet.
func (FedJoinsV1) MakeJoin(context.Context, id.ServerName, *fedapi.MakeJoinRequest) (*fedapi.MakeJoinResponse, error) {
	return nil, api.Unfinished()
}
