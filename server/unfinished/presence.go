// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Presence = Presence{}

// Presence stands for presence.yaml.
type Presence struct{}

// GetPresence is not served yet.
func (Presence) GetPresence(context.Context, api.Caller, *clientapi.GetPresenceRequest) (*clientapi.GetPresenceResponse, error) {
	return nil, api.Unfinished()
}

// SetPresence is not served yet.
func (Presence) SetPresence(context.Context, api.Caller, *clientapi.SetPresenceRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
