// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.OldSync = OldSync{}

// OldSync stands for old_sync.yaml.
type OldSync struct{}

// GetEvents is not served yet.
func (OldSync) GetEvents(context.Context, api.Caller, *clientapi.GetEventsRequest) (*clientapi.GetEventsResponse, error) {
	return nil, api.Unfinished()
}

// GetOneEvent is not served yet.
func (OldSync) GetOneEvent(context.Context, api.Caller, *clientapi.GetOneEventRequest) (*clientapi.GetOneEventResponse, error) {
	return nil, api.Unfinished()
}

// InitialSync is not served yet.
func (OldSync) InitialSync(context.Context, api.Caller, *clientapi.InitialSyncRequest) (*clientapi.InitialSyncResponse, error) {
	return nil, api.Unfinished()
}
