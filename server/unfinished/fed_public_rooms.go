// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.PublicRooms = FedPublicRooms{}

// FedPublicRooms stands for public_rooms.yaml.
type FedPublicRooms struct{}

// GetPublicRooms is not served yet.
func (FedPublicRooms) GetPublicRooms(context.Context, id.ServerName, *fedapi.GetPublicRoomsRequest) (*fedapi.GetPublicRoomsResponse, error) {
	return nil, api.Unfinished()
}

// QueryPublicRooms is not served yet.
func (FedPublicRooms) QueryPublicRooms(context.Context, id.ServerName, *fedapi.QueryPublicRoomsRequest) (*fedapi.QueryPublicRoomsResponse, error) {
	return nil, api.Unfinished()
}
