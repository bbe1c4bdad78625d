// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.RoomInitialSync = RoomInitialSync{}

// RoomInitialSync stands for room_initial_sync.yaml.
type RoomInitialSync struct{}

// RoomInitialSync is not served yet.
func (RoomInitialSync) RoomInitialSync(context.Context, api.Caller, *clientapi.RoomInitialSyncRequest) (*clientapi.RoomInitialSyncResponse, error) {
	return nil, api.Unfinished()
}
