// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.AppserviceRoomDirectory = AppserviceRoomDirectory{}

// AppserviceRoomDirectory stands for appservice_room_directory.yaml.
type AppserviceRoomDirectory struct{}

// UpdateAppserviceRoomDirectoryVisibility is not served yet.
func (AppserviceRoomDirectory) UpdateAppserviceRoomDirectoryVisibility(context.Context, api.Caller, *clientapi.UpdateAppserviceRoomDirectoryVisibilityRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
