// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.PeekingEvents = PeekingEvents{}

// PeekingEvents stands for peeking_events.yaml.
type PeekingEvents struct{}

// PeekEvents is not served yet.
func (PeekingEvents) PeekEvents(context.Context, api.Caller, *clientapi.PeekEventsRequest) (*clientapi.PeekEventsResponse, error) {
	return nil, api.Unfinished()
}
