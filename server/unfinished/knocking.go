// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Knocking = Knocking{}

// Knocking stands for knocking.yaml.
type Knocking struct{}

// KnockRoom is not served yet.
func (Knocking) KnockRoom(context.Context, api.Caller, *clientapi.KnockRoomRequest) (*clientapi.KnockRoomResponse, error) {
	return nil, api.Unfinished()
}
