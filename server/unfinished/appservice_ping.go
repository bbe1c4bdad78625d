// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.AppservicePing = AppservicePing{}

// AppservicePing stands for appservice_ping.yaml.
type AppservicePing struct{}

// PingAppservice is not served yet.
func (AppservicePing) PingAppservice(context.Context, api.Caller, *clientapi.PingAppserviceRequest) (*clientapi.PingAppserviceResponse, error) {
	return nil, api.Unfinished()
}
