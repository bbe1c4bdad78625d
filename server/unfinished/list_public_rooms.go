// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.ListPublicRooms = ListPublicRooms{}

// ListPublicRooms stands for list_public_rooms.yaml.
type ListPublicRooms struct{}

// GetRoomVisibilityOnDirectory is not served yet.
func (ListPublicRooms) GetRoomVisibilityOnDirectory(context.Context, *clientapi.GetRoomVisibilityOnDirectoryRequest) (*clientapi.GetRoomVisibilityOnDirectoryResponse, error) {
	return nil, api.Unfinished()
}

// SetRoomVisibilityOnDirectory is not served yet.
func (ListPublicRooms) SetRoomVisibilityOnDirectory(context.Context, api.Caller, *clientapi.SetRoomVisibilityOnDirectoryRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// GetPublicRooms is not served yet.
func (ListPublicRooms) GetPublicRooms(context.Context, *clientapi.GetPublicRoomsRequest) (*clientapi.GetPublicRoomsResponse, error) {
	return nil, api.Unfinished()
}

// QueryPublicRooms is not served yet.
func (ListPublicRooms) QueryPublicRooms(context.Context, api.Caller, *clientapi.QueryPublicRoomsRequest) (*clientapi.QueryPublicRoomsResponse, error) {
	return nil, api.Unfinished()
}
