// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.LeavingV1 = FedLeavingV1{}

// FedLeavingV1 stands for leaving-v1.yaml.
type FedLeavingV1 struct{}

// MakeLeave is not served yet.
func (FedLeavingV1) MakeLeave(context.Context, id.ServerName, *fedapi.MakeLeaveRequest) (*fedapi.MakeLeaveResponse, error) {
	return nil, api.Unfinished()
}
