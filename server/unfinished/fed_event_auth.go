// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.EventAuth = FedEventAuth{}

// FedEventAuth stands for event_auth.yaml.
type FedEventAuth struct{}

// GetEventAuth is not served yet.
func (FedEventAuth) GetEventAuth(context.Context, id.ServerName, *fedapi.GetEventAuthRequest) (*fedapi.GetEventAuthResponse, error) {
	return nil, api.Unfinished()
}
