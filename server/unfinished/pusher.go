// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Pusher = Pusher{}

// Pusher stands for pusher.yaml.
type Pusher struct{}

// GetPushers is not served yet.
func (Pusher) GetPushers(context.Context, api.Caller, *clientapi.GetPushersRequest) (*clientapi.GetPushersResponse, error) {
	return nil, api.Unfinished()
}

// PostPusher is not served yet.
func (Pusher) PostPusher(context.Context, api.Caller, *clientapi.PostPusherRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
