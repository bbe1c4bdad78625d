// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.ToDevice = ToDevice{}

// ToDevice stands for to_device.yaml.
type ToDevice struct{}

// SendToDevice is not served yet.
func (ToDevice) SendToDevice(context.Context, api.Caller, *clientapi.SendToDeviceRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
