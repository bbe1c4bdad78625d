// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.MutualRooms = MutualRooms{}

// MutualRooms stands for mutual_rooms.yaml.
type MutualRooms struct{}

// GetMutualRooms is not served yet.
func (MutualRooms) GetMutualRooms(context.Context, api.Caller, *clientapi.GetMutualRoomsRequest) (*clientapi.GetMutualRoomsResponse, error) {
	return nil, api.Unfinished()
}
