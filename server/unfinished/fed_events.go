// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.Events = FedEvents{}

// FedEvents stands for events.yaml.
type FedEvents struct{}

// GetEvent is not served yet.
func (FedEvents) GetEvent(context.Context, id.ServerName, *fedapi.GetEventRequest) (*fedapi.GetEventResponse, error) {
	return nil, api.Unfinished()
}

// GetRoomState is not served yet.
func (FedEvents) GetRoomState(context.Context, id.ServerName, *fedapi.GetRoomStateRequest) (*fedapi.GetRoomStateResponse, error) {
	return nil, api.Unfinished()
}

// GetRoomStateIDs is not served yet.
func (FedEvents) GetRoomStateIDs(context.Context, id.ServerName, *fedapi.GetRoomStateIDsRequest) (*fedapi.GetRoomStateIDsResponse, error) {
	return nil, api.Unfinished()
}

// GetEventByTimestamp is not served yet.
func (FedEvents) GetEventByTimestamp(context.Context, id.ServerName, *fedapi.GetEventByTimestampRequest) (*fedapi.GetEventByTimestampResponse, error) {
	return nil, api.Unfinished()
}
