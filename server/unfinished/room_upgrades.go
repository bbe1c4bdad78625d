// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.RoomUpgrades = RoomUpgrades{}

// RoomUpgrades stands for room_upgrades.yaml.
type RoomUpgrades struct{}

// UpgradeRoom is not served yet.
func (RoomUpgrades) UpgradeRoom(context.Context, api.Caller, *clientapi.UpgradeRoomRequest) (*clientapi.UpgradeRoomResponse, error) {
	return nil, api.Unfinished()
}
