// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.JoinsV2 = FedJoinsV2{}

// FedJoinsV2 stands for joins-v2.yaml.
type FedJoinsV2 struct{}

// SendJoinV2 is not served yet.
func (FedJoinsV2) SendJoinV2(context.Context, id.ServerName, *fedapi.SendJoinV2Request) (*fedapi.SendJoinV2Response, error) {
	return nil, api.Unfinished()
}
