// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.RoomSummary = RoomSummary{}

// RoomSummary stands for room_summary.yaml.
type RoomSummary struct{}

// GetRoomSummary is not served yet.
func (RoomSummary) GetRoomSummary(context.Context, *api.Caller, *clientapi.GetRoomSummaryRequest) (*clientapi.GetRoomSummaryResponse, error) {
	return nil, api.Unfinished()
}
