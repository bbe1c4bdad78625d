// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.EventContext = EventContext{}

// EventContext stands for event_context.yaml.
type EventContext struct{}

// GetEventContext is not served yet.
func (EventContext) GetEventContext(context.Context, api.Caller, *clientapi.GetEventContextRequest) (*clientapi.GetEventContextResponse, error) {
	return nil, api.Unfinished()
}
