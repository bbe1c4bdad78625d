// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.LeavingV2 = FedLeavingV2{}

// FedLeavingV2 stands for leaving-v2.yaml.
type FedLeavingV2 struct{}

// SendLeaveV2 is not served yet.
func (FedLeavingV2) SendLeaveV2(context.Context, id.ServerName, *fedapi.SendLeaveV2Request) (*api.Empty, error) {
	return nil, api.Unfinished()
}
