// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.RoomEventByTimestamp = RoomEventByTimestamp{}

// RoomEventByTimestamp stands for room_event_by_timestamp.yaml.
type RoomEventByTimestamp struct{}

// GetEventByTimestamp is not served yet.
func (RoomEventByTimestamp) GetEventByTimestamp(context.Context, api.Caller, *clientapi.GetEventByTimestampRequest) (*clientapi.GetEventByTimestampResponse, error) {
	return nil, api.Unfinished()
}
