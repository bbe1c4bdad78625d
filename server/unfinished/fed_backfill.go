// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.Backfill = FedBackfill{}

// FedBackfill stands for backfill.yaml.
type FedBackfill struct{}

// BackfillRoom is not served yet.
func (FedBackfill) BackfillRoom(context.Context, id.ServerName, *fedapi.BackfillRoomRequest) (*fedapi.BackfillRoomResponse, error) {
	return nil, api.Unfinished()
}

// GetMissingPreviousEvents is not served yet.
func (FedBackfill) GetMissingPreviousEvents(context.Context, id.ServerName, *fedapi.GetMissingPreviousEventsRequest) (*fedapi.GetMissingPreviousEventsResponse, error) {
	return nil, api.Unfinished()
}
