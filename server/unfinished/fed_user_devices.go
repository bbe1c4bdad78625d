// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.UserDevices = FedUserDevices{}

// FedUserDevices stands for user_devices.yaml.
type FedUserDevices struct{}

// GetUserDevices is not served yet.
func (FedUserDevices) GetUserDevices(context.Context, id.ServerName, *fedapi.GetUserDevicesRequest) (*fedapi.GetUserDevicesResponse, error) {
	return nil, api.Unfinished()
}
